"""The project's templates, made by the live CloudFormation: the plan's values in what AWS's API answers."""

from __future__ import annotations

import io
import json
import time
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from samjhadoo_emulator.testing import running_emulator
from samjhadoo_ops.aws import Aws
from samjhadoo_ops.clock import Clock
from samjhadoo_ops.console import Console
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.environment.outputs import resolve_outputs
from samjhadoo_ops.infrastructure.apply import apply
from samjhadoo_ops.infrastructure.proposals import InfrastructureContext

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_ops.environment import Environment

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "000000000000"
MINUTE = 0.2
UNCHANGED = "nothing to do: every stack is as its template says"


@dataclass
class Made:
    """An environment whose stacks have been applied to a local AWS.

    Attributes:
        plan: The environment's settings as its files have them.
    """

    env: Environment
    url: str
    plan: dict[str, Any]

    @cached_property
    def aws(self) -> Aws:
        return Aws(self.env, self.url)

    def client(self, service: str, region: str = "") -> Any:
        return self.aws.client(service, region=region)

    def apply(self) -> str:
        console = Console("lines", out=io.StringIO(), err=io.StringIO())
        clock = Clock(minute=MINUTE, origin=time.time())
        context = InfrastructureContext(self.env, self.aws, clock, console)
        return str(apply(context, confirm=lambda show: show()))

    def vpc(self) -> str:
        prefix, name = self.env.infrastructure.prefix, self.env.name
        return self.outputs(f"{prefix}-{name}-network")["VpcId"]

    def outputs(self, stack: str) -> dict[str, str]:
        found = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}

    def in_vpc(self, operation: str, answer: str) -> list[dict[str, Any]]:
        filters = [{"Name": "vpc-id", "Values": [self.vpc()]}]
        found: list[dict[str, Any]] = getattr(self.client("ec2"), operation)(Filters=filters)[answer]
        return found

    def alarms(self) -> dict[str, dict[str, Any]]:
        """Return the alarms by their names in the template."""
        stack = f"{self.env.infrastructure.prefix}-{self.env.name}-observability"
        found = self.client("cloudwatch").describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        alarms = [*found["MetricAlarms"], *found["CompositeAlarms"]]
        return {alarm["AlarmName"].removeprefix(f"{stack}-").rpartition("-")[0]: alarm for alarm in alarms}


def settings_of(name: str) -> dict[str, Any]:
    base, own = (tomllib.loads((ROOT / f"environments/{file}.toml").read_text()) for file in ("base", name))
    return {table: {**base.get(table, {}), **own.get(table, {})} for table in {**base, **own}}


def load(name: str, **variables: str) -> Environment:
    env = load_environment(name, root=ROOT, variables=variables)
    return msgspec.structs.replace(env, aws=msgspec.structs.replace(env.aws, account=ACCOUNT, role_arn=""))


@pytest.fixture(scope="module", params=["staging", "production"])
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    with running_emulator() as emulator:
        environment = Made(load(request.param), emulator.url, settings_of(request.param))
        environment.apply()
        yield environment


def test_a_second_apply_changes_nothing(made: Made) -> None:
    assert made.apply() == UNCHANGED


def test_multi_az_decides_about_zones_and_standby(made: Made) -> None:
    multi_az = made.plan["infrastructure"]["multi_az"]
    subnets = {each["SubnetId"]: each for each in made.in_vpc("describe_subnets", "Subnets")}
    zones = {
        subnets[name]["AvailabilityZone"] for name in resolve_outputs(made.env, made.aws).service.subnets
    }
    assert len(zones) == (2 if multi_az else 1)
    (database,) = made.client("rds").describe_db_instances()["DBInstances"]
    (cache,) = made.client("elasticache").describe_replication_groups()["ReplicationGroups"]
    assert database["MultiAZ"] is multi_az
    assert cache["MultiAZ"] == ("enabled" if multi_az else "disabled")
    assert len(made.client("ec2").describe_nat_gateways()["NatGateways"]) == (2 if multi_az else 1)


def test_the_database_is_as_planned(made: Made) -> None:
    plan = made.plan["database"]
    (found,) = made.client("rds").describe_db_instances()["DBInstances"]
    assert {
        "Engine": plan["engine"],
        "DBInstanceClass": plan["instance"],
        "AllocatedStorage": plan["storage_gb"],
        "StorageType": plan["storage_type"],
        "BackupRetentionPeriod": plan["backup_retention_days"],
        "PreferredMaintenanceWindow": "sat:20:30-sat:22:30",
        "StorageEncrypted": True,
        "DeletionProtection": made.plan["infrastructure"]["protection"],
        "PubliclyAccessible": False,
    }.items() <= found.items()
    assert found["EngineVersion"].split(".")[0] == plan["engine_version"]


def test_each_region_has_its_read_replica(made: Made) -> None:
    (source,) = made.client("rds").describe_db_instances()["DBInstances"]
    for region in made.plan["database"]["read_replicas"]:
        (replica,) = made.client("rds", region).describe_db_instances()["DBInstances"]
        assert source["DBInstanceArn"].endswith(
            replica["ReadReplicaSourceDBInstanceIdentifier"].split(":")[-1]
        )
        assert f"{region}/{replica['DBInstanceIdentifier']}" in made.env.gates.replicas.instances


def test_tasks_find_the_addresses_and_passwords_in_the_secrets(made: Made) -> None:
    manager = made.client("secretsmanager")
    database, cache = (
        json.loads(manager.get_secret_value(SecretId=secret.name)["SecretString"])
        for secret in (made.env.database.secret, made.env.cache.secret)
    )
    assert {"host", "port", "dbname", "username", "password"} <= database.keys()
    assert {"host", "port", "password"} <= cache.keys()
    assert len(database["password"]) == len(cache["password"]) == 40


def test_the_load_balancer_checks_health_as_planned_and_forwards_to_both_groups(made: Made) -> None:
    elb = made.client("elbv2")
    groups = elb.describe_target_groups(Names=made.env.service.target_groups)["TargetGroups"]
    assert {each["UnhealthyThresholdCount"] for each in groups} == {
        made.plan["rollback"]["failed_health_checks"]
    }
    assert {each["HealthCheckPath"] for each in groups} == {made.plan["smoke"]["health_path"]}
    listeners = elb.describe_listeners(LoadBalancerArn=groups[0]["LoadBalancerArns"][0])["Listeners"]
    ports = {each["Port"]: each["Protocol"] for each in listeners}
    assert ports == {80: "HTTP", 443: "HTTPS", 8443: "HTTPS"}


def test_the_plans_four_alarms_are_there(made: Made) -> None:
    plan, found = made.plan["alarms"], made.alarms()
    for name, key in (("HighCpu", "cpu"), ("HighMemory", "memory"), ("Errors", "errors")):
        minutes = int(plan[key]["time"].removesuffix("m"))
        assert (found[name]["Threshold"], found[name]["EvaluationPeriods"]) == (plan[key]["percent"], minutes)
    latency = found["Latency"]
    assert latency["Threshold"] == float(plan["latency"]["threshold"].removesuffix("s"))
    statistics = {each["MetricStat"]["Stat"] for each in latency["Metrics"] if "MetricStat" in each}
    assert statistics == {f"p{plan['latency']['percentile']:g}"}


def test_the_alarm_that_rolls_back_is_the_one_that_deployments_have(made: Made) -> None:
    plan, guard = made.plan["rollback"], made.alarms()["DeploymentErrors"]
    assert guard["Threshold"] == plan["error_rate_percent"]
    assert guard["EvaluationPeriods"] == int(plan["error_rate_time"].removesuffix("m"))
    assert resolve_outputs(made.env, made.aws).deployment.alarms == [guard["AlarmName"]]


def test_the_error_budget_is_watched_in_two_pairs_of_windows(made: Made) -> None:
    found = made.alarms()
    windows = {name: found[name]["Metrics"] for name in found if name.startswith("Budget")}
    periods = {
        name: {each["MetricStat"]["Period"] for each in metrics if "MetricStat" in each}
        for name, metrics in windows.items()
    }
    assert periods == {
        "BudgetFastHour": {3600},
        "BudgetFastMinutes": {300},
        "BudgetSlowHours": {21600},
        "BudgetSlowMinutes": {1800},
    }
    expression = next(each["Expression"] for each in windows["BudgetFastHour"] if each["Id"] == "value")
    assert f"(100 - {made.plan['slo']['availability_percent']:g})" in expression
    rule = found["ErrorBudget"]["AlarmRule"]
    assert all(f'ALARM("{found[name]["AlarmName"]}")' in rule for name in windows)


def test_the_topic_has_its_subscribers(made: Made) -> None:
    subscribers = made.client("sns").list_subscriptions()["Subscriptions"]
    assert [each["Endpoint"] for each in subscribers] == made.plan["notifications"]["email"]
    (topic,) = {each["TopicArn"] for each in subscribers}
    assert topic.endswith(f":{made.plan['notifications']['topic']}")
    assert made.alarms()["HighCpu"]["AlarmActions"] == [topic]


def test_an_apply_leaves_the_traffic_where_a_deployment_has_sent_it(made: Made) -> None:
    elb = made.client("elbv2")
    rule = _production_rule(made)
    (action,) = rule["Actions"]
    moved = [
        {"TargetGroupArn": each["TargetGroupArn"], "Weight": 100 - each["Weight"]}
        for each in action["ForwardConfig"]["TargetGroups"]
    ]
    forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": moved}}
    elb.modify_rule(RuleArn=rule["RuleArn"], Actions=[forward])
    made.apply()
    assert _production_rule(made)["Actions"][0]["ForwardConfig"]["TargetGroups"] == moved


def test_scaling_is_made_once_the_first_release_has_made_the_service(made: Made) -> None:
    ecs, scaling = made.client("ecs"), made.client("application-autoscaling")
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    container = {"name": "x", "image": "x", "essential": True, "memory": 64}
    ecs.register_task_definition(family="x", containerDefinitions=[container])
    service = made.env.service
    ecs.create_service(cluster=service.cluster, serviceName=service.name, taskDefinition="x", desiredCount=0)
    assert made.apply() == "updated service"
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    plan = made.plan["infrastructure"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (plan["min_tasks"], plan["max_tasks"])
    assert made.apply() == UNCHANGED


def test_behind_cloudfront_the_load_balancer_asks_for_its_secret() -> None:
    with running_emulator() as emulator:
        zone = emulator.client("route53").create_hosted_zone(Name="samjhadoo.com.", CallerReference="x")
        env = load(
            "staging",
            SAMJHADOO_INFRASTRUCTURE__STACKS="network,delivery,cluster,service,api,edge",
            SAMJHADOO_INFRASTRUCTURE__HOSTED_ZONE=zone["HostedZone"]["Id"].rpartition("/")[2],
            SAMJHADOO_ENDPOINTS__TEST="https://test.staging.samjhadoo.com:8443",
        )
        made = Made(env, emulator.url, settings_of("staging"))
        made.apply()
        (distribution,) = made.client("cloudfront").list_distributions()["DistributionList"]["Items"]
        (origin,) = distribution["Origins"]["Items"]
        (header,) = origin["CustomHeaders"]["Items"]
        asked = [each for each in _production_rule(made)["Conditions"] if each["Field"] == "http-header"]
        assert asked[0]["HttpHeaderConfig"] == {
            "HttpHeaderName": header["HeaderName"],
            "Values": [header["HeaderValue"]],
        }
        records = made.client("route53").list_resource_record_sets(HostedZoneId=zone["HostedZone"]["Id"])
        hosts = {
            each["Name"].rstrip("."): each["AliasTarget"]["DNSName"]
            for each in records["ResourceRecordSets"]
            if each["Type"] == "A"
        }
        assert hosts["api.staging.samjhadoo.com"] == distribution["DomainName"]
        assert hosts["test.staging.samjhadoo.com"] != distribution["DomainName"]


def _production_rule(made: Made) -> dict[str, Any]:
    stack = f"{made.env.infrastructure.prefix}-{made.env.name}-service"
    rules = made.client("elbv2").describe_rules(RuleArns=[made.outputs(stack)["ProductionRule"]])["Rules"]
    found: dict[str, Any] = rules[0]
    return found
