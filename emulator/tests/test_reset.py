"""A reset leaves nothing behind: of live services, of the upstream, of faults, and of work under way."""

from __future__ import annotations

import random
import threading
import time
import urllib.error
import urllib.request

import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from samjhadoo_emulator.processes import free_port
from samjhadoo_emulator.testing import CONTROL_HEADERS

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
PAUSE = {
    "targetType": "PAUSE",
    "lifecycleStages": ["POST_SCALE_UP"],
    "timeoutConfiguration": {"timeoutInMinutes": 10_000, "action": "ROLLBACK"},
}
COUNTS = {"ServiceNamespace": "ecs", "ResourceId": "service/c/web"}
COUNTS["ScalableDimension"] = "ecs:service:DesiredCount"


@pytest.fixture
def emulator(shared_emulator):
    return shared_emulator(minute=0.1)


@pytest.fixture
def client(emulator):
    return emulator.client


def network(client):
    return [
        (each["CidrBlock"], each["AvailabilityZone"], each["DefaultForAz"])
        for each in client("ec2").describe_subnets()["Subnets"]
    ]


def everything(emulator):
    """Return what clients can see."""
    client = emulator.client
    return {
        "clusters": client("ecs").list_clusters()["clusterArns"],
        "definitions": client("ecs").list_task_definitions()["taskDefinitionArns"],
        "balancers": client("elbv2").describe_load_balancers()["LoadBalancers"],
        "groups": client("elbv2").describe_target_groups()["TargetGroups"],
        "ports": emulator.ask("GET", "listeners"),
        "repositories": client("ecr").describe_repositories()["repositories"],
        "metrics": client("cloudwatch").list_metrics()["Metrics"],
        "alarms": client("cloudwatch").describe_alarms()["MetricAlarms"],
        "targets": client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")[
            "ScalableTargets"
        ],
        "buckets": client("s3").list_buckets()["Buckets"],
        "log-groups": client("logs").describe_log_groups()["logGroups"],
        "network": network(client),
        "default": [each["IsDefault"] for each in client("ec2").describe_vpcs()["Vpcs"]],
        "faults": emulator.faults.in_force(),
        "processes": [each.name() for each in psutil.Process(emulator.process.pid).children(recursive=True)],
    }


def register(client, image):
    client("ecs").create_cluster(clusterName="c")
    client("ecs").register_task_definition(
        family="web",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "app", "image": image, "portMappings": [{"containerPort": 8080}]}],
    )


def deployment(client):
    ecs = client("ecs")
    found = ecs.list_service_deployments(cluster="c", service="web")["serviceDeployments"]
    arns = [found[0]["serviceDeploymentArn"]]
    return ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"][0]


def use(emulator, image, port, eventually):
    """Make something in every service, the upstream's, too, and leave a deployment waiting for its hook."""
    client = emulator.client
    client("s3").create_bucket(
        Bucket="things", CreateBucketConfiguration={"LocationConstraint": "ap-south-1"}
    )
    client("ec2").create_vpc(CidrBlock="10.9.0.0/16")
    client("ec2").delete_subnet(SubnetId=client("ec2").describe_subnets()["Subnets"][-1]["SubnetId"])
    client("logs").create_log_group(logGroupName="/things")
    client("cloudwatch").put_metric_data(Namespace="shop", MetricData=[{"MetricName": "m", "Value": 1}])
    client("cloudwatch").put_metric_alarm(
        AlarmName="guard",
        Namespace="shop",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    subnets = [each["SubnetId"] for each in client("ec2").describe_subnets()["Subnets"]]
    vpc = client("ec2").describe_subnets()["Subnets"][0]["VpcId"]
    balancer = client("elbv2").create_load_balancer(Name="b", Subnets=subnets[:2])["LoadBalancers"][0]
    group = client("elbv2").create_target_group(
        Name="g", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip", HealthCheckPath="/health"
    )["TargetGroups"][0]["TargetGroupArn"]
    client("elbv2").create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=port,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    register(client, image)
    balancing = {"containerName": "app", "containerPort": 8080, "targetGroupArn": group}
    configuration = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": [PAUSE]}
    client("ecs").create_service(
        cluster="c",
        serviceName="web",
        taskDefinition="web",
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration=NETWORK,
        loadBalancers=[balancing],
    )
    eventually(lambda: deployment(client)["status"] == "SUCCESSFUL")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        assert answer.status == 200
    client("application-autoscaling").register_scalable_target(**COUNTS, MinCapacity=1, MaxCapacity=4)
    emulator.faults.throttle("sqs")
    emulator.faults.partition_task(service="web", cluster="c")
    client("ecs").update_service(
        cluster="c",
        service="web",
        forceNewDeployment=True,
        deploymentConfiguration={key: each for key, each in configuration.items() if key != "strategy"},
    )


@pytest.mark.parametrize("path", ["/_emulator/reset", "/moto-api/reset"])
def test_everything_is_as_after_a_fresh_start_and_can_be_made_again(emulator, push_server, eventually, path):
    fresh, port, now = everything(emulator), free_port(), time.monotonic
    for _ in range(2):
        use(emulator, push_server(emulator), port, eventually)
        assert [name for name, found in everything(emulator).items() if found == fresh[name]] == []
        began = now()
        request = urllib.request.Request(emulator.url + path, headers=CONTROL_HEADERS, method="POST")
        urllib.request.urlopen(request, timeout=30).close()
        assert now() - began < 5
        assert everything(emulator) == fresh
        assert emulator.ask("GET", "state").keys() <= {
            f"{name}/ap-south-1" for name in ("application-autoscaling", "cloudwatch", "ecr", "ecs", "elbv2")
        }


def test_jumps_of_the_clock_are_undone(emulator):
    before = emulator.ask("GET", "health")["clock"]["now"]
    emulator.faults.jump_clock(minutes=60 * 24 * 365)
    emulator.reset()
    after = emulator.ask("GET", "health")["clock"]["now"]
    assert before <= after < before + 24 * 3600


def test_work_under_way_does_not_come_back(emulator, push_server, eventually):
    chance = random.Random(7)
    for n in range(8):
        register(emulator.client, push_server(emulator))
        emulator.client("logs").create_log_group(logGroupName="/things")
        emulator.client("ecs").create_service(
            cluster="c",
            serviceName="web",
            taskDefinition="web",
            desiredCount=3,
            launchType="FARGATE",
            networkConfiguration=NETWORK,
            deploymentConfiguration={"lifecycleHooks": [PAUSE]} if n % 2 else {},
        )
        time.sleep(chance.random() * 0.3)  # somewhere between the first task's start and the last one's
        emulator.reset()
        assert emulator.ask("GET", "state") == {}
        assert psutil.Process(emulator.process.pid).children() == []
    assert network(emulator.client)
    log = emulator.log.read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log


def test_what_is_asked_for_during_a_reset_is_answered_by_the_new_state(emulator):
    ecs, stop = emulator.client("ecs"), threading.Event()
    problems = []

    def keep_asking():
        while not stop.is_set():
            ecs.create_cluster(clusterName="c")
            found = ecs.describe_clusters(clusters=["c"])
            if not found["clusters"] and not found["failures"]:
                problems.append(found)

    threads = [threading.Thread(target=keep_asking) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        emulator.reset()
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []


def test_a_request_that_a_fault_holds_up_does_not_hold_up_a_reset(emulator):
    failures = []

    def ask():
        try:
            emulator.client("ecs").list_clusters()
        except (BotoCoreError, ClientError) as error:
            failures.append(error)

    fault = emulator.faults.delay("ecs", "ListClusters", seconds=60)
    asking = threading.Thread(target=ask)
    asking.start()
    while not fault.struck:
        time.sleep(0.01)
    emulator.reset()
    asking.join(30)
    assert not asking.is_alive()


def test_a_reset_needs_post(emulator):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{emulator.url}/moto-api/reset", timeout=10)
    with refused.value as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
