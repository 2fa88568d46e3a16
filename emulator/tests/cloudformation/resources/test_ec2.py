"""EC2's resources are made, changed, read and deleted by its API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_emulator.cloudformation.resources.ec2 import TYPES
from samjhadoo_emulator.cloudformation.resources.ec2.security_groups import permission, rules
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from conftest import Desk, Made

EC2 = {kind.name.rpartition("::")[2]: kind for kind in TYPES}


@pytest.fixture(scope="module")
def vpc(desk: Desk) -> Made:
    return desk.create(EC2["VPC"], CidrBlock="10.20.0.0/16", Tags=[{"Key": "Name", "Value": "main"}])


@pytest.fixture(scope="module")
def subnet(desk: Desk, vpc: Made) -> Made:
    return desk.create(EC2["Subnet"], VpcId=vpc.id, CidrBlock="10.20.0.0/24", AvailabilityZone="ap-south-1a")


def test_a_vpc_has_its_attributes_and_the_tags_of_its_stack(desk: Desk, vpc: Made) -> None:
    found = desk.client("ec2").describe_vpcs(VpcIds=[vpc.id])["Vpcs"][0]
    assert {each["Key"]: each["Value"] for each in found["Tags"]} == {
        "Name": "main",
        "Environment": "test",
    }
    assert vpc.attributes["CidrBlock"] == "10.20.0.0/16"
    assert vpc.attributes["DefaultSecurityGroup"].startswith("sg-")
    assert vpc.attributes["DefaultNetworkAcl"].startswith("acl-")


def test_the_dns_settings_of_a_vpc_change_in_place_and_return_to_their_defaults(desk: Desk) -> None:
    made = desk.create(EC2["VPC"], CidrBlock="10.21.0.0/16", EnableDnsSupport=True, EnableDnsHostnames=True)
    assert made.drifted() == {}
    made.update(EnableDnsHostnames=None)
    assert made.read()["EnableDnsHostnames"] is False
    made.delete()
    assert made.read() is None
    made.delete()


def test_tags_change_in_place(desk: Desk, vpc: Made) -> None:
    vpc.update(Tags=[{"Key": "Owner", "Value": "ops"}])
    tags = desk.client("ec2").describe_vpcs(VpcIds=[vpc.id])["Vpcs"][0]["Tags"]
    assert {each["Key"]: each["Value"] for each in tags} == {"Owner": "ops", "Environment": "test"}


def test_a_subnet_maps_public_addresses_only_when_asked(desk: Desk, vpc: Made) -> None:
    made = desk.create(EC2["Subnet"], VpcId=vpc.id, CidrBlock="10.20.7.0/24", MapPublicIpOnLaunch=True)
    assert made.drifted() == {}
    made.update(MapPublicIpOnLaunch=None)
    assert made.read()["MapPublicIpOnLaunch"] is False
    assert made.attributes["AvailabilityZone"].startswith("ap-south-1")
    made.delete()


def test_a_network_reaches_the_internet(desk: Desk, vpc: Made, subnet: Made) -> None:
    gateway = desk.create(EC2["InternetGateway"])
    attachment = desk.create(EC2["VPCGatewayAttachment"], VpcId=vpc.id, InternetGatewayId=gateway.id)
    assert attachment.id == f"IGW|{vpc.id}"
    table = desk.create(EC2["RouteTable"], VpcId=vpc.id)
    route = desk.create(
        EC2["Route"], RouteTableId=table.id, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway.id
    )
    assert route.id == f"{table.id}|0.0.0.0/0"
    association = desk.create(EC2["SubnetRouteTableAssociation"], RouteTableId=table.id, SubnetId=subnet.id)
    address = desk.create(EC2["EIP"], Domain="vpc")
    nat = desk.create(EC2["NatGateway"], SubnetId=subnet.id, AllocationId=address.attributes["AllocationId"])
    made = [gateway, attachment, table, route, association, address, nat]
    for each in made:
        assert each.drifted() == {}, each.kind.name
    route.update(GatewayId=None, NatGatewayId=nat.id)
    assert route.shows()["NatGatewayId"] == nat.id
    for each in (route, nat, address, association, table, attachment, gateway):
        each.delete()
        assert each.read() is None, each.kind.name
        each.delete()


def test_a_group_has_exactly_the_rules_of_its_template(desk: Desk, vpc: Made) -> None:
    http = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "0.0.0.0/0", "Description": "web"}
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv6": "::/0"}
    out = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "CidrIp": "10.0.0.0/8"}
    group = desk.create(
        EC2["SecurityGroup"],
        GroupDescription="web",
        VpcId=vpc.id,
        SecurityGroupIngress=[http],
        SecurityGroupEgress=[out],
    )
    assert group.drifted() == {}
    assert group.attributes["GroupId"] == group.id
    group.update(SecurityGroupIngress=[https], SecurityGroupEgress=None)
    assert group.shows()["SecurityGroupIngress"] == [https]
    assert group.read()["SecurityGroupEgress"] == [{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}]
    group.delete()
    assert group.read() is None


def test_rules_that_are_resources_refer_to_other_groups(desk: Desk, vpc: Made) -> None:
    web, data = (desk.create(EC2["SecurityGroup"], GroupDescription=name, VpcId=vpc.id) for name in "ab")
    came = desk.create(
        EC2["SecurityGroupIngress"],
        GroupId=data.id,
        IpProtocol="tcp",
        FromPort=5432,
        ToPort=5432,
        SourceSecurityGroupId=web.id,
        Description="from web",
    )
    went = desk.create(EC2["SecurityGroupEgress"], GroupId=data.id, IpProtocol="-1", CidrIp="10.9.0.0/16")
    assert (came.calls, came.id[:4]) == (["AuthorizeSecurityGroupIngress"], "sgr-")
    assert came.drifted() == {} == went.drifted()
    came.update(Description="from the web")
    assert came.drifted() == {}
    for each in (came, went, data, web):
        each.delete()
        assert each.read() is None
        each.delete()


@pytest.mark.parametrize("kind", ["Gateway", "Interface"])
def test_endpoints_change_their_members_in_place(desk: Desk, vpc: Made, subnet: Made, kind: str) -> None:
    table = desk.create(EC2["RouteTable"], VpcId=vpc.id)
    group = desk.create(EC2["SecurityGroup"], GroupDescription="endpoint", VpcId=vpc.id)
    members: dict[str, Any] = {"RouteTableIds": [table.id]}
    if kind == "Interface":
        members = {"SubnetIds": [subnet.id], "SecurityGroupIds": [group.id]}
    endpoint = desk.create(
        EC2["VPCEndpoint"],
        VpcId=vpc.id,
        ServiceName="com.amazonaws.ap-south-1.s3",
        VpcEndpointType=kind,
        **members,
    )
    assert endpoint.drifted() == {}
    endpoint.update(**{name: [] for name in members})
    assert endpoint.drifted() == {}
    endpoint.delete()
    assert endpoint.read() is None
    table.delete()
    group.delete()


def test_an_endpoint_of_a_kind_that_is_not_supported_is_refused_by_name(desk: Desk, vpc: Made) -> None:
    with pytest.raises(AwsError, match="VpcEndpointType GatewayLoadBalancer"):
        desk.create(EC2["VPCEndpoint"], VpcId=vpc.id, ServiceName="x", VpcEndpointType="GatewayLoadBalancer")


def test_access_lists_have_entries_and_subnets(desk: Desk, vpc: Made, subnet: Made) -> None:
    acl = desk.create(EC2["NetworkAcl"], VpcId=vpc.id)
    entry = desk.create(
        EC2["NetworkAclEntry"],
        NetworkAclId=acl.id,
        RuleNumber=100,
        Protocol=6,
        RuleAction="allow",
        CidrBlock="0.0.0.0/0",
        PortRange={"From": 80, "To": 80},
    )
    use = desk.create(EC2["SubnetNetworkAclAssociation"], NetworkAclId=acl.id, SubnetId=subnet.id)
    assert [each.drifted() for each in (acl, entry, use)] == [{}, {}, {}]
    entry.update(RuleAction="deny")
    assert entry.drifted() == {}
    for each in (use, entry, acl):
        each.delete()
        assert each.read() is None, each.kind.name
        each.delete()


def test_a_network_has_a_second_range_of_addresses(desk: Desk) -> None:
    vpc = desk.create(EC2["VPC"], CidrBlock="10.22.0.0/16")
    second = desk.create(EC2["VPCCidrBlock"], VpcId=vpc.id, CidrBlock="10.23.0.0/16")
    assert second.drifted() == {}
    second.delete()
    assert second.read() is None
    second.delete()


def test_flow_logs_are_of_one_network(desk: Desk, vpc: Made) -> None:
    desk.client("logs").create_log_group(logGroupName="flows")
    log = desk.create(
        EC2["FlowLog"],
        ResourceId=vpc.id,
        ResourceType="VPC",
        TrafficType="ALL",
        LogGroupName="flows",
        DeliverLogsPermissionArn="arn:aws:iam::000000000000:role/flows",
    )
    assert log.drifted() == {}
    log.delete()
    assert log.read() is None
    log.delete()


def test_what_cannot_be_acted_on_is_refused_by_name_before_a_call(desk: Desk) -> None:
    before = len(desk.aws.calls)
    with pytest.raises(AwsError, match="does not support Ipv4IpamPoolId of AWS::EC2::VPC"):
        desk.create(EC2["VPC"], Ipv4IpamPoolId="ipam-1")
    assert len(desk.aws.calls) == before


targets = st.one_of(
    st.fixed_dictionaries({"CidrIp": st.sampled_from(["0.0.0.0/0", "10.0.0.0/8"])}),
    st.fixed_dictionaries({"CidrIpv6": st.just("::/0")}),
    st.fixed_dictionaries({"SourceSecurityGroupId": st.just("sg-1")}),
    st.fixed_dictionaries({"SourcePrefixListId": st.just("pl-1")}),
)
ports = st.one_of(
    st.fixed_dictionaries(
        {
            "IpProtocol": st.sampled_from(["tcp", "udp"]),
            "FromPort": st.integers(0, 65535),
            "ToPort": st.integers(0, 65535),
        }
    ),
    st.just({"IpProtocol": "-1"}),
)
descriptions = st.fixed_dictionaries({}, optional={"Description": st.just("why")})


@given(ports, targets, descriptions)
def test_a_rule_is_the_same_after_the_api(
    port: dict[str, Any], target: dict[str, Any], description: dict[str, Any]
) -> None:
    rule = {**port, **target, **description}
    assert rules([permission(rule)], "Source") == [rule]


@pytest.mark.parametrize(
    ("protocol", "name"), [("6", "tcp"), ("17", "udp"), (1, "icmp"), ("TCP", "tcp"), ("50", "50")]
)
def test_protocols_have_the_names_that_ec2_returns(protocol: Any, name: str) -> None:
    assert permission({"IpProtocol": protocol, "CidrIp": "0.0.0.0/0"})["IpProtocol"] == name
