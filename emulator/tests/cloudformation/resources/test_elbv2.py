"""ELBv2's load balancers, target groups, listeners and rules are made, changed and deleted by its API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.cloudformation.drift import property_differences
from samjhadoo_emulator.cloudformation.language.schemas import schema
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Desk, Made
    from samjhadoo_emulator.cloudformation.resources.resource_type import ResourceType


@pytest.fixture(scope="module")
def types(of_service: Callable[[str], dict[str, ResourceType]]) -> dict[str, ResourceType]:
    return of_service("elbv2")


@pytest.fixture(scope="module")
def network(desk: Desk) -> dict[str, Any]:
    ec2 = desk.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.40.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.40.{number}.0/24", AvailabilityZone=f"ap-south-1{zone}")
        for number, zone in enumerate("abc")
    ]
    groups = [
        ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        for name in ("web", "test")
    ]
    return {"vpc": vpc, "subnets": [each["Subnet"]["SubnetId"] for each in subnets], "groups": groups}


@pytest.fixture(scope="module")
def balancer(desk: Desk, types: dict[str, Any], network: dict[str, Any]) -> Made:
    return desk.create(
        types["LoadBalancer"], Subnets=network["subnets"][:2], SecurityGroups=network["groups"][:1]
    )


@pytest.fixture(scope="module")
def groups(desk: Desk, types: dict[str, Any], network: dict[str, Any]) -> list[str]:
    common = {"VpcId": network["vpc"], "Port": 8080, "Protocol": "HTTP", "TargetType": "ip"}
    return [desk.create(types["TargetGroup"], Name=name, **common).id for name in ("blue", "green")]


@pytest.fixture(scope="module")
def listener(desk: Desk, types: dict[str, Any], balancer: Made) -> Made:
    return desk.create(
        types["Listener"],
        LoadBalancerArn=balancer.id,
        Port=80,
        Protocol="HTTP",
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )


def differences(made: Made) -> Any:
    tags = frozenset(made.request.tags)
    return property_differences(made.request.properties, made.read(), schema(made.kind.name), stack_tags=tags)


def forward(*weighted: tuple[str, int]) -> list[dict[str, Any]]:
    targets = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weighted]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": targets}}]


def test_a_load_balancer_has_its_attributes(desk: Desk, balancer: Made) -> None:
    found = desk.client("elbv2").describe_load_balancers(LoadBalancerArns=[balancer.id])["LoadBalancers"][0]
    assert found["State"]["Code"] == "active"
    assert len(found["LoadBalancerName"]) <= 32
    assert balancer.attributes == {
        "LoadBalancerArn": balancer.id,
        "LoadBalancerName": found["LoadBalancerName"],
        "LoadBalancerFullName": balancer.id.partition("loadbalancer/")[2],
        "DNSName": found["DNSName"],
        "CanonicalHostedZoneID": found["CanonicalHostedZoneId"],
    }
    assert differences(balancer) == ()


def test_a_load_balancer_changes_in_place(desk: Desk, types: dict[str, Any], network: dict[str, Any]) -> None:
    made = desk.create(
        types["LoadBalancer"],
        Name="changing",
        Scheme="internal",
        Subnets=network["subnets"][:2],
        SecurityGroups=network["groups"][:1],
        LoadBalancerAttributes=[
            {"Key": "idle_timeout.timeout_seconds", "Value": "30"},
            {"Key": "deletion_protection.enabled", "Value": "true"},
        ],
    )
    assert differences(made) == ()
    with pytest.raises(AwsError, match="deletion protection is enabled"):
        made.delete()
    made.update(
        Subnets=None,
        SubnetMappings=[{"SubnetId": each} for each in network["subnets"][1:]],
        SecurityGroups=network["groups"],
        IpAddressType="dualstack",
        LoadBalancerAttributes=[{"Key": "deletion_protection.enabled", "Value": "false"}],
        Tags=[{"Key": "Owner", "Value": "ops"}],
    )
    assert differences(made) == ()
    made.delete()
    assert made.read() is None
    made.delete()


def test_a_target_group_checks_health_as_its_template_says(
    desk: Desk, types: dict[str, Any], network: dict[str, Any]
) -> None:
    made = desk.create(
        types["TargetGroup"],
        VpcId=network["vpc"],
        Port=8080,
        Protocol="HTTP",
        TargetType="ip",
        HealthCheckPath="/health",
        HealthCheckIntervalSeconds=10,
        Matcher={"HttpCode": "200-299"},
        TargetGroupAttributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}],
        Targets=[{"Id": "10.40.0.9", "Port": 8080}],
    )
    assert made.attributes["TargetGroupFullName"] == made.id.rpartition(":")[2]
    assert differences(made) == ()
    made.update(
        HealthCheckPath=None,
        Matcher=None,
        HealthyThresholdCount=2,
        Targets=[{"Id": "10.40.0.10", "Port": 8080}],
    )
    found = made.read()
    assert (found["HealthCheckPath"], found["Matcher"]) == ("/", {"HttpCode": "200"})
    assert differences(made) == ()
    made.delete()
    assert made.read() is None
    made.delete()


def test_a_listener_changes_in_place(desk: Desk, listener: Made, groups: list[str]) -> None:
    assert differences(listener) == ()
    listener.update(
        Port=8081,
        DefaultActions=forward((groups[0], 100)),
        ListenerAttributes=[{"Key": "routing.http.response.server.enabled", "Value": "false"}],
    )
    assert differences(listener) == ()


def test_a_rule_shows_the_weights_that_ecs_gives_it_and_gets_those_of_its_template_when_it_is_modified(
    desk: Desk, types: dict[str, Any], listener: Made, groups: list[str]
) -> None:
    rule = desk.create(
        types["ListenerRule"],
        ListenerArn=listener.id,
        Priority=10,
        Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
        Actions=forward((groups[0], 100), (groups[1], 0)),
    )
    assert differences(rule) == ()
    desk.client("elbv2").modify_rule(RuleArn=rule.id, Actions=forward((groups[0], 0), (groups[1], 100)))
    shown = rule.read()["Actions"][0]["ForwardConfig"]["TargetGroups"]
    assert [each["Weight"] for each in shown] == [0, 100]
    rule.update(Tags=[{"Key": "Owner", "Value": "ops"}])
    assert rule.calls == ["AddTags"]
    rule.update(Priority=20)
    assert rule.calls == ["SetRulePriorities"]
    rule.update(Conditions=[{"Field": "path-pattern", "Values": ["/shop/*"]}])
    shown = rule.read()["Actions"][0]["ForwardConfig"]["TargetGroups"]
    assert [each["Weight"] for each in shown] == [100, 0]
    assert differences(rule) == ()
    rule.delete()
    assert rule.read() is None
    rule.delete()


def test_a_listener_has_certificates_besides_its_own(
    desk: Desk, types: dict[str, Any], balancer: Made, groups: list[str]
) -> None:
    own, second, third = (
        desk.client("acm").request_certificate(DomainName=f"{name}.example")["CertificateArn"]
        for name in ("own", "second", "third")
    )
    listener = desk.create(
        types["Listener"],
        LoadBalancerArn=balancer.id,
        Port=443,
        Protocol="HTTPS",
        Certificates=[{"CertificateArn": own}],
        DefaultActions=forward((groups[0], 1)),
    )
    made = desk.create(
        types["ListenerCertificate"], ListenerArn=listener.id, Certificates=[{"CertificateArn": second}]
    )
    made.update(Certificates=[{"CertificateArn": third}])
    assert made.drifted() == {}
    elbv2 = desk.client("elbv2")
    shown = elbv2.describe_listener_certificates(ListenerArn=listener.id)["Certificates"]
    assert [(each["CertificateArn"], each["IsDefault"]) for each in shown] == [(own, True), (third, False)]
    made.delete()
    assert made.read() is None
    made.delete()
    listener.delete()
    made.delete()


def test_a_load_balancer_of_somebody_else_is_not_adopted(
    desk: Desk, types: dict[str, Any], network: dict[str, Any]
) -> None:
    properties = {"Name": "theirs", "Subnets": network["subnets"][:2]}
    made = desk.create(types["LoadBalancer"], **properties)
    with pytest.raises(AwsError, match="with identifier 'theirs' already exists"):
        desk.create(types["LoadBalancer"], **properties)
    made.delete()


@pytest.mark.parametrize(
    ("kind", "properties", "words"),
    [
        ("LoadBalancer", {"Type": "network"}, "Type network"),
        ("LoadBalancer", {"SubnetMappings": [{"SubnetId": "s", "AllocationId": "a"}]}, r"AllocationId"),
        ("TargetGroup", {"TargetType": "lambda"}, "TargetType lambda"),
        ("TargetGroup", {"Matcher": {"GrpcCode": "0"}}, r"Matcher\.GrpcCode"),
        ("Listener", {"DefaultActions": [{"Type": "authenticate-oidc"}]}, "authenticate-oidc"),
        ("ListenerRule", {"Transforms": []}, "Transforms"),
    ],
)
def test_what_the_load_balancers_do_not_serve_is_refused_before_a_call(
    desk: Desk, types: dict[str, Any], kind: str, properties: dict[str, Any], words: str
) -> None:
    before = len(desk.aws.calls)
    with pytest.raises(AwsError, match=f"does not support .*{words}"):
        desk.create(types[kind], **properties)
    assert len(desk.aws.calls) == before
