"""What the upstream answers where moto alone would lack an operation, or get it wrong."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from samjhadoo_emulator.upstream.in_process import passing_on

EXECUTION = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


@pytest.fixture(scope="module")
def client(noop_emulator: Any) -> Any:
    return noop_emulator.client


def test_policies_of_aws_are_there_without_being_listed(client: Any) -> None:
    iam = client("iam")
    assert iam.list_policies(Scope="Local")["Policies"] == []
    assert iam.get_policy(PolicyArn=EXECUTION)["Policy"]["IsAttachable"]
    assert iam.list_policies(Scope="Local")["Policies"] == []
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_policy(PolicyArn=EXECUTION.replace("service-role/", ""))


def test_all_policies_of_aws_can_be_listed(client: Any) -> None:
    pages = client("iam").get_paginator("list_policies").paginate(Scope="AWS")
    arns = [each["Arn"] for page in pages for each in page["Policies"]]
    assert len(arns) > 1000
    assert arns.count(EXECUTION) == 1


def test_clients_of_a_provider_change(client: Any) -> None:
    iam = client("iam")
    made = iam.create_open_id_connect_provider(Url="https://example.com", ClientIDList=["a"])
    provider = {"OpenIDConnectProviderArn": made["OpenIDConnectProviderArn"]}
    iam.add_client_id_to_open_id_connect_provider(**provider, ClientID="b")
    iam.add_client_id_to_open_id_connect_provider(**provider, ClientID="b")
    iam.remove_client_id_from_open_id_connect_provider(**provider, ClientID="a")
    assert iam.get_open_id_connect_provider(**provider)["ClientIDList"] == ["b"]


@pytest.fixture
def subnets(client: Any) -> list[str]:
    found = client("ec2").describe_subnets()["Subnets"]
    return [each["SubnetId"] for each in found]


def test_a_modified_database_subnet_group_stays(client: Any, subnets: list[str]) -> None:
    rds = client("rds")
    rds.create_db_subnet_group(
        DBSubnetGroupName="private", DBSubnetGroupDescription="one", SubnetIds=subnets[:2]
    )
    rds.modify_db_subnet_group(DBSubnetGroupName="private", SubnetIds=subnets[1:])
    group = rds.describe_db_subnet_groups(DBSubnetGroupName="private")["DBSubnetGroups"][0]
    assert sorted(each["SubnetIdentifier"] for each in group["Subnets"]) == sorted(subnets[1:])
    assert group["DBSubnetGroupDescription"] == "one"
    with pytest.raises(ClientError, match="DBSubnetGroupNotFound"):
        rds.modify_db_subnet_group(DBSubnetGroupName="other", SubnetIds=subnets)


def test_an_instance_has_the_settings_it_is_given(client: Any) -> None:
    rds = client("rds")
    named = {"DBInstanceIdentifier": "settled"}
    made = rds.create_db_instance(
        **named,
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        EngineLifecycleSupport="open-source-rds-extended-support-disabled",
        EnablePerformanceInsights=True,
    )["DBInstance"]
    assert made["EngineLifecycleSupport"] == "open-source-rds-extended-support-disabled"
    assert made["PerformanceInsightsEnabled"]
    rds.modify_db_instance(**named, DBPortNumber=5433, EnablePerformanceInsights=False)
    found = rds.describe_db_instances(**named)["DBInstances"][0]
    assert (found["Endpoint"]["Port"], found["PerformanceInsightsEnabled"]) == (5433, False)


def test_parameters_of_a_database_are_reset(client: Any) -> None:
    rds = client("rds")
    named = {"DBParameterGroupName": "resetting"}
    rds.create_db_parameter_group(**named, DBParameterGroupFamily="postgres14", Description="ours")
    parameters = [
        {"ParameterName": name, "ParameterValue": "1", "ApplyMethod": "immediate"} for name in ("a", "b")
    ]
    rds.modify_db_parameter_group(**named, Parameters=parameters)
    rds.reset_db_parameter_group(**named, Parameters=parameters[:1])
    left = rds.describe_db_parameters(**named)["Parameters"]
    assert [each["ParameterName"] for each in left] == ["b"]
    rds.reset_db_parameter_group(**named, ResetAllParameters=True)
    assert rds.describe_db_parameters(**named)["Parameters"] == []


def test_a_replication_group_has_all_its_nodes_until_it_is_deleted(client: Any, subnets: list[str]) -> None:
    cache = client("elasticache")
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="caches", CacheSubnetGroupDescription="ours", SubnetIds=subnets
    )
    cache.create_cache_parameter_group(
        CacheParameterGroupName="caches", CacheParameterGroupFamily="redis7", Description="ours"
    )
    cache.create_replication_group(
        ReplicationGroupId="sessions",
        ReplicationGroupDescription="sessions",
        NumCacheClusters=3,
        CacheSubnetGroupName="caches",
        CacheParameterGroupName="caches",
    )
    group = cache.describe_replication_groups(ReplicationGroupId="sessions")["ReplicationGroups"][0]
    assert group["MemberClusters"] == ["sessions-001", "sessions-002", "sessions-003"]
    assert group["NodeGroups"][0]["ReaderEndpoint"]["Port"] == 6379
    cache.decrease_replica_count(ReplicationGroupId="sessions", NewReplicaCount=1, ApplyImmediately=True)
    group = cache.describe_replication_groups(ReplicationGroupId="sessions")["ReplicationGroups"][0]
    assert group["MemberClusters"] == ["sessions-001", "sessions-002"]
    with pytest.raises(ClientError, match="CacheSubnetGroupInUse"):
        cache.delete_cache_subnet_group(CacheSubnetGroupName="caches")
    with pytest.raises(ClientError, match="InvalidCacheParameterGroupState"):
        cache.delete_cache_parameter_group(CacheParameterGroupName="caches")
    cache.delete_replication_group(ReplicationGroupId="sessions")
    with pytest.raises(ClientError, match="ReplicationGroupNotFoundFault"):
        cache.describe_replication_groups(ReplicationGroupId="sessions")
    cache.delete_cache_subnet_group(CacheSubnetGroupName="caches")
    cache.delete_cache_parameter_group(CacheParameterGroupName="caches")
    assert cache.describe_cache_parameter_groups()["CacheParameterGroups"] == []


def test_a_metric_filter_that_is_put_again_is_one(client: Any) -> None:
    logs = client("logs")
    logs.create_log_group(logGroupName="filtered")
    transformation = {"metricName": "Errors", "metricNamespace": "App", "metricValue": "1"}
    for pattern in ("ERROR", "FATAL"):
        logs.put_metric_filter(
            logGroupName="filtered",
            filterName="errors",
            filterPattern=pattern,
            metricTransformations=[transformation],
        )
    filters = logs.describe_metric_filters(logGroupName="filtered")["metricFilters"]
    assert [each["filterPattern"] for each in filters] == ["FATAL"]


def test_an_entry_that_is_not_there_is_not_deleted(client: Any) -> None:
    ec2 = client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    with pytest.raises(ClientError, match="InvalidNetworkAclEntry.NotFound"):
        ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Egress=False)


def gateways(client: Any, table: str) -> list[str]:
    """Return the gateways of a route table's routes."""
    found = client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"][0]
    return [each["GatewayId"] for each in found["Routes"]]


def test_a_gateway_endpoint_has_a_route_in_each_of_its_tables(client: Any) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]
    first, second = (ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2))
    service = "com.amazonaws.ap-south-1.s3"
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service, RouteTableIds=[first])["VpcEndpoint"]
    named = {"VpcEndpointId": made["VpcEndpointId"]}
    ec2.modify_vpc_endpoint(**named, AddRouteTableIds=[second], RemoveRouteTableIds=[first])
    assert gateways(client, first) == ["local"]
    assert gateways(client, second) == ["local", made["VpcEndpointId"]]
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
    assert gateways(client, second) == ["local"]


def test_what_no_thread_can_pass_on_is_answered() -> None:
    def stopped(_environ: Any, _start_response: Any) -> Any:
        raise StopIteration

    with pytest.raises(RuntimeError):
        passing_on(stopped)({}, None)
