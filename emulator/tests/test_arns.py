"""An ARN names a resource only where it is: another region, account, service or cluster does not match."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from samjhadoo_emulator.arns import Home, partition

HERE = Home("ecs", "ap-south-1", "000000000000")
REGIONS = {"ap-south-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "mars-1": "aws"}


@pytest.mark.parametrize(("region", "expected"), REGIONS.items())
def test_a_region_is_in_its_partition(region: str, expected: str) -> None:
    assert partition(region) == expected
    assert Home("ecr", region, "1").prefix == f"arn:{expected}:ecr:{region}:1:"


ELSEWHERE = [
    pytest.param(lambda arn: arn.replace("ap-south-1", "us-east-1"), id="region"),
    pytest.param(lambda arn: arn.replace("000000000000", "111111111111"), id="account"),
    pytest.param(lambda arn: arn.replace(":ecs:", ":ecr:").replace(":elasticload", ":ecs"), id="service"),
    pytest.param(lambda arn: arn.replace("arn:aws:", "arn:aws-cn:"), id="partition"),
    pytest.param(lambda arn: arn.replace(HERE.prefix, "a/"), id="path"),
]


@pytest.fixture(scope="module")
def ecs(noop_emulator: Any) -> Any:
    client = noop_emulator.client("ecs")
    for name in ("arns", "others"):
        client.create_cluster(clusterName=name)
    client.register_task_definition(
        family="arns", containerDefinitions=[{"name": "a", "image": "a", "memory": 64}]
    )
    client.create_service(
        cluster="arns", serviceName="arns", taskDefinition="arns", desiredCount=0, launchType="EC2"
    )
    return client


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_ecs_does_not_find_what_is_elsewhere(ecs: Any, elsewhere: Any) -> None:
    cluster = f"{HERE.prefix}cluster/arns"
    definition, service = f"{HERE.prefix}task-definition/arns:1", f"{HERE.prefix}service/arns/arns"
    assert ecs.describe_clusters(clusters=[cluster])["clusters"]
    assert ecs.describe_clusters(clusters=[elsewhere(cluster)])["failures"][0]["reason"] == "MISSING"
    with pytest.raises(ClientError, match="ClusterNotFoundException"):
        ecs.list_services(cluster=elsewhere(cluster))
    assert ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]["revision"] == 1
    with pytest.raises(ClientError, match="ClientException.*Unable to describe task definition"):
        ecs.describe_task_definition(taskDefinition=elsewhere(definition))
    assert ecs.describe_services(cluster=cluster, services=[service])["services"]
    (failure,) = ecs.describe_services(cluster=cluster, services=[elsewhere(service)])["failures"]
    assert failure["reason"] == "MISSING"
    with pytest.raises(ClientError, match="ServiceNotFoundException"):
        ecs.update_service(cluster=cluster, service=elsewhere(service), desiredCount=0)
    for arn in (cluster, definition, service):
        ecs.list_tags_for_resource(resourceArn=arn)
        with pytest.raises(ClientError, match="InvalidParameterException"):
            ecs.list_tags_for_resource(resourceArn=elsewhere(arn))


@pytest.mark.parametrize(
    ("call", "members"),
    [
        ("describe_services", {"services": [f"{HERE.prefix}service/arns/arns"]}),
        ("update_service", {"service": f"{HERE.prefix}service/arns/arns", "desiredCount": 0}),
        ("describe_tasks", {"tasks": [f"{HERE.prefix}task/arns/{'0' * 32}"]}),
        ("stop_task", {"task": f"{HERE.prefix}task/arns/{'0' * 32}"}),
    ],
)
def test_ecs_names_the_cluster_that_an_identifier_is_for(ecs: Any, call: str, members: Any) -> None:
    with pytest.raises(ClientError, match="Identifier is for cluster arns. Your cluster is others"):
        getattr(ecs, call)(cluster="others", **members)


@pytest.mark.parametrize("elsewhere", ELSEWHERE[:2])
def test_load_balancing_does_not_find_what_is_elsewhere(noop_emulator: Any, elsewhere: Any) -> None:
    elb = noop_emulator.client("elbv2")
    prefix = Home("elasticloadbalancing", HERE.region, HERE.account).prefix
    arn = f"{prefix}loadbalancer/app/none/0123456789abcdef"
    with pytest.raises(ClientError, match="LoadBalancerNotFound"):
        elb.describe_listeners(LoadBalancerArn=arn)
    with pytest.raises(ClientError, match="ValidationError.*is not a valid load balancer ARN"):
        elb.describe_listeners(LoadBalancerArn=elsewhere(arn))


@pytest.mark.parametrize("elsewhere", ELSEWHERE[:2])
def test_cloudwatch_does_not_find_what_is_elsewhere(noop_emulator: Any, elsewhere: Any) -> None:
    cloudwatch = noop_emulator.client("cloudwatch")
    cloudwatch.put_composite_alarm(AlarmName="arns", AlarmRule="FALSE")
    arn = f"{Home('cloudwatch', HERE.region, HERE.account).prefix}alarm:arns"
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]
    with pytest.raises(ClientError, match="ResourceNotFound"):
        cloudwatch.tag_resource(ResourceARN=elsewhere(arn), Tags=[])


def test_arns_of_china_are_of_its_partition(noop_emulator: Any) -> None:
    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=noop_emulator.url,
            region_name="cn-north-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    cluster = client("ecs").create_cluster(clusterName="arns")["cluster"]["clusterArn"]
    assert cluster == "arn:aws-cn:ecs:cn-north-1:000000000000:cluster/arns"
    assert client("ecs").describe_clusters(clusters=[cluster])["clusters"]
    repository = client("ecr").create_repository(repositoryName="arns")["repository"]["repositoryArn"]
    assert repository == "arn:aws-cn:ecr:cn-north-1:000000000000:repository/arns"
