"""LocalStack itself as the upstream, in a container published on loopback."""

from __future__ import annotations

import os
import threading
import time
import urllib.request
from datetime import UTC, datetime

import pytest
import testcontainers.core.config
from docker.errors import ImageNotFound
from testcontainers.community.localstack import LocalStackContainer

from requirements import refuse_or_skip
from samjhadoo_emulator.testing import eventually, running_emulator

IMAGE = "samjhadoo-airgap/localstack:2026.3.0"

pytestmark = [
    pytest.mark.containers,
    # testcontainers' own LocalStackContainer waits by a function that testcontainers has deprecated.
    pytest.mark.filterwarnings("ignore:The wait_for_logs function:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def localstack(engine):
    """The address of a LocalStack; its image is made by docker/airgap/build."""
    try:
        engine.images.get(IMAGE)
    except ImageNotFound:
        refuse_or_skip(f"{IMAGE} is not in the engine: docker/airgap/build localstack")
    with pytest.MonkeyPatch.context() as patch:
        # Its reaper is an image of its own, which is not to be had without a registry.
        patch.setattr(testcontainers.core.config.testcontainers_config, "ryuk_disabled", True)
        container = LocalStackContainer(IMAGE, region_name="ap-south-1")
        container.ports = {"4566/tcp": ("127.0.0.1", None)}
        with container:
            yield f"http://127.0.0.1:{container.get_exposed_port(4566)}"


@pytest.fixture(scope="module")
def edge(localstack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("localstack")
    with running_emulator("--upstream", localstack, runtime="noop", folder=folder) as emulator:
        yield emulator


def test_the_edge_reports_what_serves_each_service(edge, localstack):
    upstream = edge.ask("GET", "health")["upstream"]
    assert (upstream["kind"], upstream["url"], upstream["answers"]) == ("localstack", localstack, True)
    served = edge.ask("GET", "services")
    assert [served[name] for name in ("ecs", "s3", "secretsmanager", "rds")] == [
        "live",
        "localstack",
        "localstack",
        "moto",
    ]
    assert edge.client("rds").describe_db_instances()["DBInstances"] == []
    assert edge.client("elasticache").describe_cache_clusters()["CacheClusters"] == []
    assert edge.client("ecs").list_clusters()["clusterArns"] == []


def test_objects_are_reached_in_every_style(edge):
    s3, body = edge.client("s3"), os.urandom(12 << 20)
    s3.create_bucket(Bucket="styles", CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
    s3.put_object(Bucket="styles", Key="a b/c+d", Body=body)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "styles", "Key": "a b/c+d"})
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.read() == body
    hosted = {"Host": "styles.s3.localhost.localstack.cloud:4566", "Range": "bytes=5-9"}
    request = urllib.request.Request(f"{edge.url}/a%20b/c%2Bd", headers=hosted)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert (answer.status, answer.read()) == (206, body[5:10])


def test_a_waiting_receiver_gets_its_message_when_it_is_sent(edge):
    sqs = edge.client("sqs")
    queue = sqs.create_queue(QueueName="waiting")["QueueUrl"]
    sender = threading.Timer(1.0, lambda: sqs.send_message(QueueUrl=queue, MessageBody="now"))
    sender.start()
    received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    sender.join()
    assert [each["Body"] for each in received] == ["now"]


def test_secrets_parameters_topics_roles_and_logs_are_localstacks(edge):
    edge.client("secretsmanager").create_secret(Name="one", SecretString="secret")
    assert edge.client("secretsmanager").get_secret_value(SecretId="one")["SecretString"] == "secret"
    edge.client("ssm").put_parameter(Name="/one", Value="1", Type="SecureString")
    assert edge.client("ssm").get_parameter(Name="/one", WithDecryption=True)["Parameter"]["Value"] == "1"
    topic = edge.client("sns").create_topic(Name="alarms")["TopicArn"]
    edge.client("sns").publish(TopicArn=topic, Message="hello")
    edge.client("iam").create_role(RoleName="task", AssumeRolePolicyDocument="{}")
    role = edge.client("iam").get_role(RoleName="task")["Role"]["Arn"]
    assumed = edge.client("sts").assume_role(RoleArn=role, RoleSessionName="me")
    assert assumed["Credentials"]["AccessKeyId"]
    logs, now = edge.client("logs"), int(time.time() * 1000)
    logs.create_log_group(logGroupName="group")
    logs.create_log_stream(logGroupName="group", logStreamName="stream")
    event = {"timestamp": now, "message": "line"}
    logs.put_log_events(logGroupName="group", logStreamName="stream", logEvents=[event])
    found = logs.filter_log_events(logGroupName="group", startTime=now)["events"]
    assert [each["message"] for each in found] == ["line"]


def test_an_alarm_of_the_edge_publishes_to_a_topic_of_localstack(edge):
    sns, sqs, cloudwatch = (edge.client(name) for name in ("sns", "sqs", "cloudwatch"))
    topic = sns.create_topic(Name="fires")["TopicArn"]
    queue = sqs.create_queue(QueueName="fires")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    cloudwatch.put_metric_alarm(
        AlarmName="fire",
        Namespace="test",
        MetricName="heat",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
    )
    clock = edge.ask("GET", "health")["clock"]["now"]
    cloudwatch.put_metric_data(
        Namespace="test",
        MetricData=[{"MetricName": "heat", "Value": 5, "Timestamp": datetime.fromtimestamp(clock, UTC)}],
    )
    told = eventually(
        lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"), within=60
    )
    assert '\\"NewStateValue\\":\\"ALARM\\"' in told[0]["Body"].replace(" ", "")
