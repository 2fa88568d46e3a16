"""Gates against an AWS that answers, through the tool's own clients."""

from __future__ import annotations

import json
import shlex
import socket
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from gate_facts import brief, facts_of, with_settings

from samjhadoo_emulator.testing import eventually
from samjhadoo_ops.aws import Aws
from samjhadoo_ops.deployment.configuration import deployment_configuration
from samjhadoo_ops.deployment.ecs import EcsService
from samjhadoo_ops.deployment.gates import GATES, access, adoption, capacity, release, service, traffic
from samjhadoo_ops.deployment.gates.gate import Image, State
from samjhadoo_ops.deployment.preflight import inspect
from samjhadoo_ops.deployment.traffic import LoadBalancing
from samjhadoo_ops.errors import DeploymentFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_emulator.testing import Emulator
    from samjhadoo_ops.deployment.gates.gate import Finding
    from samjhadoo_ops.environment import Environment

ROLES = ("execution", "task", "infrastructure")
DIGEST = "sha256:" + "0" * 64
SECRET = "arn:aws:secretsmanager:ap-south-1:000000000000:secret:{}"


@pytest.fixture(scope="module")
def emulator(shared_emulator: Callable[..., Emulator]) -> Emulator:
    return shared_emulator(minute=0.05, runtime="noop")


@pytest.fixture(scope="module")
def aws(emulator: Emulator, env: Environment) -> Aws:
    return Aws(env, emulator.url)


def document(**changes: Any) -> dict[str, Any]:
    """Return a task definition with roles, secrets and sizes."""
    arns = {
        key: f"arn:aws:iam::000000000000:role/{name}" for key, name in zip(("e", "t"), ROLES, strict=False)
    }
    return {
        "cpu": "1024",
        "executionRoleArn": arns["e"],
        "taskRoleArn": arns["t"],
        "containerDefinitions": [{"name": "backend", "secrets": changes.pop("secrets", [])}],
        **changes,
    }


def test_roles_must_exist_and_trust_ecs(env: Environment, aws: Aws) -> None:
    facts = facts_of(env, aws=aws, render=document)
    found = access.roles(facts)
    assert found.state is State.REFUSED
    assert "there is no role arn:aws:iam::000000000000:role/execution" in found.reason
    for name in ROLES:
        service = "ec2.amazonaws.com" if name == "task" else "ecs-tasks.amazonaws.com"
        service = "ecs.amazonaws.com" if name == "infrastructure" else service
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        aws.client("iam").create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
    found = access.roles(facts)
    assert found.state is State.REFUSED
    assert found.reason == "arn:aws:iam::000000000000:role/task does not trust ecs-tasks.amazonaws.com"
    facts = facts_of(env, aws=aws, render=lambda: document(taskRoleArn=""))
    assert access.roles(facts).state is State.OK


def test_secrets_must_exist_and_not_be_deleted(env: Environment, aws: Aws) -> None:
    manager = aws.client("secretsmanager")
    arn = manager.create_secret(Name="gates/there", SecretString="planted")["ARN"]
    leaving = manager.create_secret(Name="gates/leaving", SecretString="planted")["ARN"]
    manager.delete_secret(SecretId=leaving, RecoveryWindowInDays=7)
    named = {"THERE": f"{arn}:key::", "LEAVING": leaving, "GONE": SECRET.format("gone"), "P": "/no/parameter"}
    secrets = [{"name": name, "valueFrom": reference} for name, reference in named.items()]
    found = access.secrets(facts_of(env, aws=aws, render=lambda: document(secrets=secrets)))
    assert found.state is State.REFUSED
    assert "LEAVING" in found.reason
    assert "GONE" in found.reason
    assert "P (/no/parameter" in found.reason
    assert "THERE" not in found.reason
    assert "planted" not in found.reason
    found = access.secrets(facts_of(env, aws=aws, render=lambda: document(secrets=secrets[:1])))
    assert (found.state, found.reason) == (State.OK, "1 of 1")


def test_a_firing_alarm_closes_the_gate(env: Environment, aws: Aws) -> None:
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="gates-errors",
        Namespace="Gates",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    facts = facts_of(with_settings(env, "deployment", alarms=["gates-errors"]), aws=aws)
    assert service.alarms(facts).state is State.OK
    cloudwatch.set_alarm_state(AlarmName="gates-errors", StateValue="ALARM", StateReason="a test")
    assert service.alarms(facts).state is State.REFUSED
    missing = facts_of(with_settings(env, "deployment", alarms=["gates-errors", "gates-none"]), aws=aws)
    assert "there is no alarm gates-none" in service.alarms(missing).reason


def test_a_missing_image_is_refused(env: Environment, aws: Aws) -> None:
    aws.client("ecr").create_repository(repositoryName=env.build.repository)
    facts = facts_of(env, aws=aws, image=Image("v1", DIGEST))
    assert release.image(facts).state is State.REFUSED
    assert release.image(facts_of(env, aws=aws, image=Image("v1"))).state is State.SKIPPED
    definition = document()
    definition["containerDefinitions"][0]["image"] = f"127.0.0.1:1/{env.build.repository}@{DIGEST}"
    registered = aws.client("ecs").register_task_definition(family="gates", **_without_roles(definition))
    arn = registered["taskDefinition"]["taskDefinitionArn"]
    facts = facts_of(
        env,
        aws=aws,
        ecs=EcsService(aws.client("ecs"), cluster="c", name="s"),
        revisions={"r/1": {"taskDefinition": arn}},
    )
    found = release.rollback_target(facts)
    assert found.state is State.REFUSED
    assert "is not in samjhadoo/backend any more" in found.reason
    aws.client("ecs").deregister_task_definition(taskDefinition=arn)
    assert "is not registered" in release.rollback_target(facts).reason


def _without_roles(definition: dict[str, Any]) -> dict[str, Any]:
    kept = {"containerDefinitions", "cpu"}
    return {
        **{key: value for key, value in definition.items() if key in kept},
        "memory": "2048",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
    }


def test_capacity_is_checked_or_reported_as_unknown(env: Environment, aws: Aws) -> None:
    subnets = aws.client("ec2").describe_subnets()["Subnets"]
    names = [subnet["SubnetId"] for subnet in subnets]
    placed = with_settings(env, "service", subnets=names)
    assert capacity.free_addresses(facts_of(placed, aws=aws)).state is State.OK
    found = capacity.vcpu_quota(facts_of(env, aws=aws, render=document))
    assert found.state in {State.UNKNOWN, State.OK}, found


def test_a_subnet_or_group_that_does_not_exist_is_refused_not_skipped(env: Environment, aws: Aws) -> None:
    ec2 = aws.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    inside = ec2.create_security_group(GroupName="in", Description="-", VpcId=subnet["VpcId"])["GroupId"]
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    outside = ec2.create_security_group(GroupName="out", Description="-", VpcId=vpc)["GroupId"]
    known = subnet["SubnetId"]

    def state(subnets: list[str], groups: list[str]) -> State:
        facts = facts_of(with_settings(env, "service", subnets=subnets, security_groups=groups), aws=aws)
        gates = [GATES["network"], GATES["free_addresses"]]
        return max((each.state for each in inspect(facts, gates).values()), key=_WORST.index)

    assert state([known], [inside]) is State.OK
    assert state(["subnet-00000000000000000"], []) is State.REFUSED
    assert state([known, "subnet-00000000000000000"], []) is State.REFUSED
    assert state(["not-a-subnet"], []) is State.REFUSED
    assert state([known], ["sg-00000000000000000"]) is State.REFUSED
    assert state([known], [outside]) is State.REFUSED


_WORST = (State.OFF, State.SKIPPED, State.OK, State.REFUSED)


def test_a_service_made_for_rolling_deployments_is_adopted_by_the_command_that_is_shown(
    env: Environment, aws: Aws
) -> None:
    balancing, ecs = _load_balancing(aws), aws.client("ecs")
    ecs.create_cluster(clusterName="adopting")
    definition = _without_roles(document())
    port = {"containerPort": 8080}
    definition["containerDefinitions"] = [{"name": "backend", "image": "busybox:1", "portMappings": [port]}]
    family = ecs.register_task_definition(family="adopted", **definition)["taskDefinition"][
        "taskDefinitionArn"
    ]
    ecs.create_service(
        cluster="adopting",
        serviceName="adopted",
        taskDefinition=family,
        desiredCount=0,
        launchType="FARGATE",
        loadBalancers=[
            {"containerName": "backend", "containerPort": 8080, "targetGroupArn": balancing.target_groups[1]}
        ],
        networkConfiguration={"awsvpcConfiguration": {"subnets": list(balancing.subnets)}},
    )
    env = with_settings(env, "service", cluster="adopting", name="adopted")
    there = EcsService(ecs, cluster="adopting", name="adopted")

    def found() -> Finding:
        return adoption.service_fits(facts_of(env, load_balancing=balancing, service=there.describe()))

    canary = {"deploymentConfiguration": deployment_configuration(env)}
    with pytest.raises(DeploymentFailed, match="advancedConfiguration field is required"):
        there.configure(**canary)
    refusal = found()
    assert refusal.state is State.REFUSED
    words = shlex.split(refusal.remedy.partition("by a rolling deployment: ")[2].partition("; ")[0])
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert (options["--cluster"], options["--service"]) == ("adopting", "adopted")
    there.configure(loadBalancers=json.loads(options["--load-balancers"]))
    assert found().state is State.OK
    there.configure(**canary)


def _load_balancing(aws: Aws) -> LoadBalancing:
    elb, subnets = aws.client("elbv2"), aws.client("ec2").describe_subnets()["Subnets"]
    two = list({each["AvailabilityZone"]: each for each in subnets}.values())[:2]
    names = tuple(each["SubnetId"] for each in two)
    balancer = elb.create_load_balancer(Name="adopting", Subnets=list(names))["LoadBalancers"][0][
        "LoadBalancerArn"
    ]
    groups = [
        elb.create_target_group(
            Name=name, TargetType="ip", Protocol="HTTP", Port=8080, VpcId=two[0]["VpcId"]
        )["TargetGroups"][0]["TargetGroupArn"]
        for name in ("first", "second")
    ]
    rules = []
    for group in groups:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        action = {"Type": "forward", "TargetGroupArn": group}
        made = elb.create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=[action]
        )
        listener = made["Listeners"][0]["ListenerArn"]
        rules.append(elb.describe_rules(ListenerArn=listener)["Rules"][0]["RuleArn"])
    role = "arn:aws:iam::000000000000:role/infrastructure"
    return LoadBalancing(rules[1], rules[0], (groups[0], groups[1]), role, names)


def test_lag_is_read_in_the_replicas_own_region(env: Environment, aws: Aws, emulator: Emulator) -> None:
    there = with_settings(env, "aws", region="us-east-1")
    far = Aws(there, emulator.url).client("cloudwatch")
    replicas = with_settings(env, "gates.replicas", instances=["us-east-1/replica"])
    facts = facts_of(replicas, aws=aws, clock=emulator.clock)
    assert capacity.read_replicas(facts).state is State.UNKNOWN

    def lagging() -> bool:
        datum = {
            "MetricName": "ReplicaLag",
            "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "replica"}],
            "Timestamp": facts.now - timedelta(minutes=2),
            "Value": 95.0,
        }
        far.put_metric_data(Namespace="AWS/RDS", MetricData=[datum])
        return capacity.read_replicas(facts).state is State.REFUSED

    assert eventually(lagging)
    configured = with_settings(env, "database", read_replicas=["us-east-1"])
    assert capacity.read_replicas(facts_of(configured, aws=aws)).state is State.UNKNOWN


def test_the_error_budget_is_counted_from_cloudwatch(env: Environment, aws: Aws, emulator: Emulator) -> None:
    facts = facts_of(env, aws=aws, clock=emulator.clock, deployments=brief("SUCCESSFUL"))
    assert traffic.error_budget(facts).state is State.SKIPPED
    at = facts.now - timedelta(minutes=5)
    dimensions = [{"Name": "LoadBalancer", "Value": facts.balancer}]
    counts = {"RequestCount": 1000.0, "HTTPCode_Target_5XX_Count": 3.0, "HTTPCode_ELB_5XX_Count": 1.0}
    data = [
        {"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "Value": value}
        for name, value in counts.items()
    ]
    aws.client("cloudwatch").put_metric_data(Namespace="AWS/ApplicationELB", MetricData=data)
    found = eventually(lambda: _unless_skipped(traffic.error_budget(facts)))
    assert found.state is State.REFUSED
    assert "99.6 % of 1000 requests" in found.reason
    assert "the error budget is overdrawn" in found.reason


def _unless_skipped(found: Any) -> Any:
    return None if found.state is State.SKIPPED else found
