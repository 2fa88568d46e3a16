"""Faults as clients meet them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


@pytest.fixture(scope="module")
def emulator_process(noop_emulator):
    return noop_emulator


@pytest.fixture
def emulator(emulator_process):
    yield emulator_process
    emulator_process.faults.clear()


@pytest.fixture(scope="module")
def client(emulator_process):
    """Make clients that try once."""

    def make(service):
        return boto3.client(
            service,
            endpoint_url=emulator_process.url,
            region_name=emulator_process.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    return make


@pytest.fixture(scope="module")
def web(client):
    """A service with two tasks."""
    ecs = client("ecs")
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(
        family="web",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "app", "image": "app:1"}],
    )
    ecs.create_service(
        cluster="c",
        serviceName="web",
        taskDefinition="web",
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration=NETWORK,
    )
    return "web"


def describe(ecs):
    return ecs.describe_services(cluster="c", services=["web"])["services"][0]


def latest(ecs):
    arn = ecs.list_service_deployments(cluster="c", service="web")["serviceDeployments"][0][
        "serviceDeploymentArn"
    ]
    return ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]


@pytest.mark.parametrize(
    ("service", "operation", "call"),
    [
        pytest.param("ecs", "ListClusters", lambda client: client.list_clusters(), id="live-json"),
        pytest.param(
            "elbv2", "DescribeLoadBalancers", lambda client: client.describe_load_balancers(), id="live-query"
        ),
        pytest.param(
            "secretsmanager", "ListSecrets", lambda client: client.list_secrets(), id="upstream-json"
        ),
        pytest.param("sns", "ListTopics", lambda client: client.list_topics(), id="upstream-query"),
        pytest.param("s3", "*", lambda client: client.list_buckets(), id="upstream-rest"),
        pytest.param(
            "cloudwatch", "DescribeAlarms", lambda client: client.describe_alarms(), id="cloudwatch"
        ),
    ],
)
def test_throttling_is_what_every_client_understands(emulator, client, service, operation, call):
    made = client(service)
    with emulator.faults.throttle(service, operation, count=1):
        with pytest.raises(ClientError, match=r"ThrottlingException.*Rate exceeded"):
            call(made)
        call(made)


def test_a_client_that_tries_again_does_not_notice_one_throttled_call(emulator):
    with emulator.faults.throttle("ecs", "ListClusters", count=1):
        assert emulator.client("ecs").list_clusters()["clusterArns"] is not None
        assert emulator.faults.in_force() == []


def test_any_error_can_be_asked_for(emulator, client):
    with (
        emulator.faults.refuse("ecs", "ListClusters", "AccessDeniedException", "No.", status=403),
        pytest.raises(ClientError, match=r"AccessDeniedException.*No\.") as refused,
    ):
        client("ecs").list_clusters()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.rule("A.15.7")
@pytest.mark.parametrize("close", [False, True], ids=["5xx", "closed"])
def test_rule_a15_7_a_lost_response_has_been_carried_out(emulator, client, close):
    ecs, name = client("ecs"), f"lost-{close}".lower()
    with (
        emulator.faults.lose_response("ecs", "CreateCluster", close=close, count=1),
        pytest.raises(ClientError if not close else BotoCoreError),
    ):
        ecs.create_cluster(clusterName=name)
    assert ecs.describe_clusters(clusters=[name])["clusters"][0]["status"] == "ACTIVE"


def test_latency_is_real_and_only_of_the_operation_named(emulator, client):
    ecs = client("ecs")
    with emulator.faults.delay("ecs", "ListClusters", 0.3):
        started = time.monotonic()
        ecs.describe_clusters()
        assert time.monotonic() - started < 0.25
        started = time.monotonic()
        ecs.list_clusters()
        assert time.monotonic() - started > 0.3


@pytest.mark.rule("A.15.7")
def test_rule_a15_7_an_unknown_enum_value_stands_in_the_answer(emulator, client, web):
    ecs = client("ecs")
    with emulator.faults.unknown_value("status", "PONDERING"):
        assert latest(ecs)["status"] == "PONDERING"
    assert latest(ecs)["status"] != "PONDERING"


@pytest.mark.rule("A.15.7")
def test_rule_a15_7_a_second_deployer_takes_the_service_over(emulator, client, web):
    ecs = client("ecs")
    before = latest(ecs)["serviceDeploymentArn"]
    other = emulator.faults.deploy_as_another("web", "c").document["deployment"]
    assert other != before
    assert describe(ecs)["currentServiceDeployment"] == other


def test_a_killed_task_ends_as_if_it_had_crashed_and_is_replaced(emulator, client, web, eventually):
    ecs = client("ecs")
    eventually(lambda: latest(ecs)["status"] == "SUCCESSFUL" and describe(ecs)["runningCount"] == 2)
    killed = emulator.faults.kill_task(service="web", cluster="c").document["tasks"]
    assert len(killed) == 1
    task = eventually(
        lambda: next(
            (
                task
                for task in ecs.describe_tasks(cluster="c", tasks=killed)["tasks"]
                if task["lastStatus"] == "STOPPED"
            ),
            None,
        )
    )
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["containers"][0]["exitCode"] == 137
    eventually(lambda: describe(ecs)["runningCount"] == 2)


def test_a_clock_that_jumps_makes_time_pass_at_once(emulator, client, web, eventually):
    ecs = client("ecs")
    pause = [
        {
            "targetType": "PAUSE",
            "lifecycleStages": ["PRE_SCALE_UP"],
            "timeoutConfiguration": {"timeoutInMinutes": 14 * 1440, "action": "CONTINUE"},
        }
    ]
    configuration = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": pause}
    ecs.update_service(
        cluster="c", service="web", forceNewDeployment=True, deploymentConfiguration=configuration
    )
    eventually(lambda: latest(ecs).get("lifecycleHookDetails"))
    emulator.faults.jump_clock(minutes=14 * 1440)
    eventually(lambda: latest(ecs)["status"] == "SUCCESSFUL")


def count(emulator, name):
    """Return how many data points of a metric can be read."""
    now = datetime.fromtimestamp(emulator.ask("GET", "health")["clock"]["now"], UTC)
    found = emulator.client("cloudwatch").get_metric_statistics(
        Namespace="shop",
        MetricName=name,
        StartTime=now - timedelta(hours=5),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["SampleCount"],
    )
    return sum(point["SampleCount"] for point in found["Datapoints"])


def put(emulator, name):
    emulator.client("cloudwatch").put_metric_data(
        Namespace="shop", MetricData=[{"MetricName": name, "Value": 9}]
    )


def test_metric_data_may_be_late_or_lost(emulator):
    with emulator.faults.delay_metrics(120, "shop", "late"), emulator.faults.lose_metrics("shop", "lost"):
        for name in ("late", "lost", "timely"):
            put(emulator, name)
    assert [count(emulator, name) for name in ("late", "lost", "timely")] == [0, 0, 1]
    emulator.faults.jump_clock(minutes=121)
    assert [count(emulator, name) for name in ("late", "lost", "timely")] == [1, 0, 1]


def test_an_alarm_sees_late_data_when_it_arrives(emulator, client, eventually):
    cloudwatch = client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="guard",
        Namespace="shop",
        MetricName="errors",
        Statistic="Maximum",
        Period=3600,
        EvaluationPeriods=5,
        DatapointsToAlarm=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )

    def state():
        return cloudwatch.describe_alarms(AlarmNames=["guard"])["MetricAlarms"][0]["StateValue"]

    with emulator.faults.delay_metrics(180, "shop", "errors"):
        put(emulator, "errors")
    eventually(lambda: state() == "OK")
    emulator.faults.jump_clock(minutes=181)
    eventually(lambda: state() == "ALARM")


def test_a_fault_that_cannot_be_is_refused_with_the_reason(emulator):
    with pytest.raises(ValueError, match="no such running task"):
        emulator.faults.kill_task(task="nonsense")
    with pytest.raises(ValueError, match="flood"):
        emulator.faults.add("flood")
    with pytest.raises(ValueError, match="no such fault"):
        emulator.ask("DELETE", "faults/fault-0")


def test_the_control_endpoint_shows_how_often_each_fault_struck(emulator, client):
    fault = emulator.faults.throttle("ecs", "ListClusters", count=3)
    with pytest.raises(ClientError):
        client("ecs").list_clusters()
    assert fault.struck == 1
    told = emulator.faults.in_force()
    assert [(each["kind"], each["count"], each["struck"]) for each in told] == [("throttle", 3, 1)]
    emulator.faults.clear()
    assert fault.struck is None


def test_faults_of_services_strike_what_the_emulator_itself_calls(emulator, client, web, eventually):
    ecs = client("ecs")
    definition = {
        "family": "logged",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{"name": "app", "image": "app:1", "portMappings": [{"containerPort": 80}]}],
    }
    ecs.register_task_definition(**definition)
    balanced = [{"containerName": "app", "containerPort": 80, "targetGroupArn": "arn:aws:x"}]
    with (
        emulator.faults.refuse("elbv2", "*", "AccessDenied", "Not you.", callers="services"),
        pytest.raises(ClientError, match=r"Not you\."),
    ):
        ecs.create_service(
            cluster="c",
            serviceName="balanced",
            taskDefinition="logged",
            desiredCount=1,
            launchType="FARGATE",
            networkConfiguration=NETWORK,
            loadBalancers=balanced,
        )
