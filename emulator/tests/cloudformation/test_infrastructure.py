"""Stacks of networks, databases, caches, buckets and roles are made, changed, rolled back and deleted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from stack_flows import Flow

NETWORK = """
Parameters:
  Cidr: {Type: String, Default: 10.50.0.0/16}
  HttpPort: {Type: Number, Default: 80}
  Broken: {Type: String, Default: "no"}
Conditions:
  IsBroken: !Equals [!Ref Broken, "yes"]
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: !Ref Cidr, EnableDnsHostnames: true}
  Gateway: {Type: AWS::EC2::InternetGateway}
  Attachment:
    Type: AWS::EC2::VPCGatewayAttachment
    Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Gateway}
  Public:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: !Select [0, !Cidr [!GetAtt Vpc.CidrBlock, 3, 8]]
      AvailabilityZone: !Select [0, !GetAZs ""]
      MapPublicIpOnLaunch: true
  PrivateA:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: !Select [1, !Cidr [!GetAtt Vpc.CidrBlock, 3, 8]]
      AvailabilityZone: !Select [0, !GetAZs ""]
  PrivateB:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: !Select [2, !Cidr [!GetAtt Vpc.CidrBlock, 3, 8]]
      AvailabilityZone: !Select [1, !GetAZs ""]
  Address: {Type: AWS::EC2::EIP, Properties: {Domain: vpc}, DependsOn: Attachment}
  Nat:
    Type: AWS::EC2::NatGateway
    Properties: {SubnetId: !Ref Public, AllocationId: !GetAtt Address.AllocationId}
  Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  Out:
    Type: AWS::EC2::Route
    Properties: {RouteTableId: !Ref Table, DestinationCidrBlock: 0.0.0.0/0, NatGatewayId: !Ref Nat}
  Association:
    Type: AWS::EC2::SubnetRouteTableAssociation
    Properties: {RouteTableId: !Ref Table, SubnetId: !Ref PrivateA}
  S3Endpoint:
    Type: AWS::EC2::VPCEndpoint
    Properties:
      VpcId: !Ref Vpc
      ServiceName: !Sub com.amazonaws.${AWS::Region}.s3
      RouteTableIds: [!Ref Table]
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: web
      VpcId: !Ref Vpc
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: !Ref HttpPort, ToPort: !Ref HttpPort, CidrIp: 0.0.0.0/0}
  Data:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: data, VpcId: !Ref Vpc}
  DataIngress:
    Type: AWS::EC2::SecurityGroupIngress
    Properties:
      GroupId: !Ref Data
      IpProtocol: tcp
      FromPort: 5432
      ToPort: 5432
      SourceSecurityGroupId: !Ref Group
  Elsewhere:
    Type: AWS::EC2::Subnet
    Condition: IsBroken
    DependsOn: Group
    Properties: {VpcId: !Ref Vpc, CidrBlock: 192.168.0.0/24}
Outputs:
  Subnets: {Value: !Join [",", [!Ref PrivateA, !Ref PrivateB]], Export: {Name: subnets}}
  Data: {Value: !Ref Data, Export: {Name: data}}
  Group: {Value: !Ref Group}
"""
DATABASE = """
Parameters:
  Backups: {Type: Number, Default: 7}
Resources:
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties:
      GenerateSecretString:
        SecretStringTemplate: '{"username": "app"}'
        GenerateStringKey: password
        ExcludePunctuation: true
  Attachment:
    Type: AWS::SecretsManager::SecretTargetAttachment
    Properties: {SecretId: !Ref Secret, TargetId: !Ref Database, TargetType: AWS::RDS::DBInstance}
  Subnets:
    Type: AWS::RDS::DBSubnetGroup
    Properties: {DBSubnetGroupDescription: private, SubnetIds: !Split [",", !ImportValue subnets]}
  Database:
    Type: AWS::RDS::DBInstance
    Properties:
      Engine: postgres
      EngineVersion: "14.15"
      DBInstanceClass: db.t4g.micro
      AllocatedStorage: 20
      DBName: app
      BackupRetentionPeriod: !Ref Backups
      MasterUsername: !Sub "{{resolve:secretsmanager:${Secret}:SecretString:username}}"
      MasterUserPassword: !Sub "{{resolve:secretsmanager:${Secret}:SecretString:password}}"
      DBSubnetGroupName: !Ref Subnets
      VPCSecurityGroups: [!ImportValue data]
  CacheSubnets:
    Type: AWS::ElastiCache::SubnetGroup
    Properties: {Description: private, SubnetIds: !Split [",", !ImportValue subnets]}
  Cache:
    Type: AWS::ElastiCache::ReplicationGroup
    Properties:
      ReplicationGroupDescription: sessions
      Engine: redis
      CacheNodeType: cache.t4g.micro
      NumCacheClusters: 2
      AutomaticFailoverEnabled: true
      CacheSubnetGroupName: !Ref CacheSubnets
      SecurityGroupIds: [!ImportValue data]
Outputs:
  Address: {Value: !GetAtt Database.Endpoint.Address}
  Port: {Value: !GetAtt Database.Endpoint.Port}
  Secret: {Value: !Ref Secret}
  Cache: {Value: !GetAtt Cache.PrimaryEndPoint.Address}
"""


@pytest.fixture
def network(flow: Flow) -> Flow:
    flow.create("network", NETWORK)
    return flow


def drifted(flow: Flow, name: str) -> list[str]:
    """Return the logical ids of resources that are not as the template says."""
    detection = flow.api.detect_stack_drift(StackName=name)["StackDriftDetectionId"]
    status = flow.api.describe_stack_drift_detection_status
    while status(StackDriftDetectionId=detection)["DetectionStatus"] == "DETECTION_IN_PROGRESS":
        pass
    found = flow.api.describe_stack_resource_drifts(StackName=name)["StackResourceDrifts"]
    return [each["LogicalResourceId"] for each in found if each["StackResourceDriftStatus"] != "IN_SYNC"]


def ports(flow: Flow) -> list[int]:
    group = flow.physical("network")["Group"]
    found = flow.emulator.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    return [each["FromPort"] for each in found["IpPermissions"]]


def test_a_network_is_made_changed_and_deleted(network: Flow) -> None:
    assert drifted(network, "network") == []
    made = network.physical("network")
    assert made["Attachment"] == f"IGW|{made['Vpc']}"
    assert made["Out"] == f"{made['Table']}|0.0.0.0/0"
    network.update("network", Parameters=[{"ParameterKey": "HttpPort", "ParameterValue": "8080"}])
    assert ports(network) == [8080]
    network.delete("network")
    vpcs = network.emulator.client("ec2").describe_vpcs()["Vpcs"]
    assert made["Vpc"] not in [each["VpcId"] for each in vpcs]


def test_a_failed_update_leaves_the_rules_of_a_group_as_they_were(network: Flow) -> None:
    before = network.physical("network")
    network.update(
        "network",
        ends="UPDATE_ROLLBACK_COMPLETE",
        Parameters=[
            {"ParameterKey": "HttpPort", "ParameterValue": "8080"},
            {"ParameterKey": "Broken", "ParameterValue": "yes"},
        ],
    )
    assert ports(network) == [80]
    assert network.physical("network") == before
    assert drifted(network, "network") == []


def test_a_rule_that_is_added_by_hand_is_drift(network: Flow) -> None:
    ec2, group = network.emulator.client("ec2"), network.physical("network")["Group"]
    ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    assert drifted(network, "network") == ["Group"]


def test_a_database_and_a_cache_use_the_network_of_another_stack(network: Flow) -> None:
    network.create("database", DATABASE)
    assert drifted(network, "database") == []
    outputs = network.outputs("database")
    secrets = network.emulator.client("secretsmanager")
    secret = json.loads(secrets.get_secret_value(SecretId=outputs["Secret"])["SecretString"])
    assert (secret["host"], str(secret["port"])) == (outputs["Address"], outputs["Port"])
    assert outputs["Cache"].startswith("master.")
    network.update("database", Parameters=[{"ParameterKey": "Backups", "ParameterValue": "14"}])
    assert drifted(network, "database") == []
    network.delete("database")
    rds = network.emulator.client("rds")
    assert rds.describe_db_instances()["DBInstances"] == []
    snapshots = rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    assert len(snapshots) == 1  # the default deletion policy of an instance


def test_a_property_that_is_not_supported_is_refused_before_anything_is_made(flow: Flow) -> None:
    body = json.dumps(
        {
            "Resources": {
                "Topic": {"Type": "AWS::SNS::Topic"},
                "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"Ipv4IpamPoolId": "ipam-1"}},
            }
        }
    )
    with pytest.raises(flow.api.exceptions.ClientError, match="Vpc: .* does not support Ipv4IpamPoolId"):
        flow.api.create_stack(StackName="refused", TemplateBody=body)
    assert flow.topics() == []
