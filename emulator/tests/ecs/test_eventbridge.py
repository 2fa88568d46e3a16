"""What EventBridge is told (A.11, A.5), read from a queue that a rule sends to; and Lambda hooks, live."""

from __future__ import annotations

import io
import itertools
import json
import urllib.request
import zipfile

import pytest

from samjhadoo_emulator.testing import CONTROL_HEADERS

_numbers = itertools.count(1)
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
BLUE_GREEN = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}


def pause(minutes=600, action="ROLLBACK"):
    timeout = {"timeoutInMinutes": minutes, "action": action}
    return [{"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"], "timeoutConfiguration": timeout}]


@pytest.fixture(scope="module")
def emulator(noop_emulator):
    return noop_emulator


@pytest.fixture(scope="module")
def ecs(emulator):
    client = emulator.client("ecs")
    client.create_cluster(clusterName="c")
    client.register_task_definition(
        family="web",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "app", "image": "app:1"}],
    )
    return client


@pytest.fixture
def web(ecs, eventually):
    """A service that runs."""
    name = f"web{next(_numbers)}"
    ecs.create_service(
        cluster="c",
        serviceName=name,
        taskDefinition="web",
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration=NETWORK,
    )
    eventually(lambda: latest(ecs, name)["status"] == "SUCCESSFUL")
    return name


def latest(ecs, name):
    listed = ecs.list_service_deployments(cluster="c", service=name)["serviceDeployments"]
    return ecs.describe_service_deployments(serviceDeploymentArns=[listed[0]["serviceDeploymentArn"]])[
        "serviceDeployments"
    ][0]


def deploy(ecs, name, **configuration):
    ecs.update_service(
        cluster="c",
        service=name,
        forceNewDeployment=True,
        deploymentConfiguration={**BLUE_GREEN, **configuration},
    )
    return latest(ecs, name)["serviceDeploymentArn"]


class Heard:
    """A queue that a rule sends events of ECS to."""

    def __init__(self, emulator, detail_type):
        self.sqs, events = emulator.client("sqs"), emulator.client("events")
        name = f"heard{next(_numbers)}"
        self.url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]
        pattern = json.dumps({"source": ["aws.ecs"], "detail-type": [detail_type]})
        events.put_rule(Name=name, EventPattern=pattern)
        events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": arn["QueueArn"]}])
        self.events = []

    def read(self, service):
        """Return the events so far of a service."""
        while messages := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self.events.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [event for event in self.events if service in json.dumps(event)]

    def names(self, service):
        return [event["detail"]["eventName"] for event in self.read(service)]


@pytest.mark.rule("A.11.eventbridge")
def test_rule_a11_an_event_is_published_when_a_deployment_starts_and_when_it_is_complete(
    emulator, ecs, web, eventually
):
    heard = Heard(emulator, "ECS Deployment State Change")
    deploy(ecs, web)
    eventually(lambda: heard.names(web) == ["SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED"])
    first = heard.read(web)[0]
    identity = ecs.describe_services(cluster="c", services=[web])["services"][0]["deployments"][0]["id"]
    assert first["source"] == "aws.ecs"
    assert first["resources"][0].endswith(f":service/c/{web}")
    assert first["detail"]["deploymentId"] == identity
    assert first["detail"]["reason"] == f"ECS deployment {identity} in progress."
    assert first["detail"]["updatedAt"].endswith("Z")


@pytest.mark.rule("A.11.eventbridge")
def test_rule_a11_an_event_with_the_reason_is_published_when_a_deployment_fails(
    emulator, ecs, web, eventually
):
    heard = Heard(emulator, "ECS Deployment State Change")
    arn = deploy(ecs, web, lifecycleHooks=pause())
    eventually(lambda: latest(ecs, web).get("lifecycleHookDetails"))
    ecs.stop_service_deployment(serviceDeploymentArn=arn)
    eventually(lambda: heard.names(web)[-1:] == ["SERVICE_DEPLOYMENT_COMPLETED"])
    failed = [
        event["detail"]
        for event in heard.read(web)
        if event["detail"]["eventName"] == "SERVICE_DEPLOYMENT_FAILED"
    ]
    assert [(each["eventType"], each["reason"]) for each in failed] == [
        ("ERROR", latest(ecs, web)["statusReason"])
    ]


@pytest.mark.rule("A.11.eventbridge", "A.15.6")
def test_rule_a11_a_rollback_that_fails_is_published_as_an_action(emulator, ecs, eventually):
    heard, name = Heard(emulator, "ECS Service Action"), f"first{next(_numbers)}"
    ecs.create_service(
        cluster="c",
        serviceName=name,
        taskDefinition="web",
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration=NETWORK,
        deploymentConfiguration={**BLUE_GREEN, "lifecycleHooks": pause()},
    )
    eventually(lambda: latest(ecs, name).get("lifecycleHookDetails"))
    ecs.stop_service_deployment(serviceDeploymentArn=latest(ecs, name)["serviceDeploymentArn"])
    eventually(lambda: heard.names(name)[:1] == ["SERVICE_DEPLOYMENT_ROLLBACK_FAILED"])


def answered(ecs, web, eventually, action):
    hook = eventually(lambda: latest(ecs, web).get("lifecycleHookDetails"))[0]["hookId"]
    arn = latest(ecs, web)["serviceDeploymentArn"]
    ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook, action=action)


@pytest.mark.rule("A.5.events")
@pytest.mark.parametrize(
    ("minutes", "action", "last", "then"),
    [
        pytest.param(600, "CONTINUE", "HOOK_SUCCEEDED", "ROLLBACK", id="continued"),
        pytest.param(600, "ROLLBACK", "HOOK_FAILED", "ROLLBACK", id="rolled-back"),
        pytest.param(1, None, "HOOK_TIMED_OUT", "ROLLBACK", id="timed-out"),
        pytest.param(1, None, "HOOK_TIMED_OUT", "CONTINUE", id="timed-out-and-continued"),
    ],
)
def test_rule_a5_events_of_a_pause_have_its_stage_and_its_end(
    emulator, ecs, web, eventually, minutes, action, last, then
):
    heard = Heard(emulator, "ECS Hook State Change")
    arn = deploy(ecs, web, lifecycleHooks=pause(minutes, then))
    if action:
        answered(ecs, web, eventually, action)
    eventually(lambda: heard.names(web) == ["HOOK_AWAITING_ACTION", last])
    detail = heard.read(web)[0]["detail"]
    assert detail["hookId"].startswith("ecs-pause-")
    assert (detail["hookType"], detail["lifecycleStage"], detail["serviceDeploymentArn"]) == (
        "PAUSE",
        "POST_SCALE_UP",
        arn,
    )


@pytest.mark.rule("A.11.eventbridge")
def test_rule_a11_an_event_is_published_at_each_status_of_a_task(emulator, ecs, web, eventually):
    heard = Heard(emulator, "ECS Task State Change")
    task = ecs.run_task(
        cluster="c", taskDefinition="web", launchType="FARGATE", networkConfiguration=NETWORK
    )["tasks"][0]["taskArn"]
    eventually(lambda: ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0]["lastStatus"] == "RUNNING")
    ecs.stop_task(cluster="c", task=task, reason="enough")
    eventually(lambda: heard.read(task)[-1:] and heard.read(task)[-1]["detail"]["lastStatus"] == "STOPPED")
    statuses = [event["detail"]["lastStatus"] for event in heard.read(task)]
    order = list(dict.fromkeys(statuses))
    assert order[0] in ("PROVISIONING", "PENDING")
    assert order[-3:] == ["STOPPING", "DEPROVISIONING", "STOPPED"]
    assert "RUNNING" in order
    last = heard.read(task)[-1]
    assert last["resources"] == [task]
    assert (last["detail"]["stoppedReason"], last["detail"]["stopCode"]) == ("enough", "UserInitiated")


def moto(emulator, path, document):
    body = json.dumps(document).encode()
    request = urllib.request.Request(f"{emulator.url}/moto-api/{path}", data=body, headers=CONTROL_HEADERS)
    urllib.request.urlopen(request, timeout=10).close()


@pytest.fixture(scope="module")
def function(emulator):
    """A function of moto's simple Lambda, which answers what it was given to answer."""
    moto(emulator, "config", {"lambda": {"use_docker": False}})
    role = emulator.client("iam").create_role(RoleName="hooks", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("index.py", "def handler(event, context): return {'hookStatus': 'SUCCEEDED'}")
    return emulator.client("lambda").create_function(
        FunctionName="check",
        Runtime="python3.11",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
    )["FunctionArn"]


@pytest.mark.rule("A.5.lambda", "A.7.async")
@pytest.mark.parametrize(
    ("answers", "status"),
    [
        pytest.param(["IN_PROGRESS", "SUCCEEDED"], "SUCCESSFUL", id="in-progress-then-succeeded"),
        pytest.param(["FAILED"], "ROLLBACK_SUCCESSFUL", id="failed"),
    ],
)
def test_rule_a5_a_function_decides_whether_a_deployment_goes_on(
    emulator, ecs, web, function, eventually, answers, status
):
    heard = Heard(emulator, "ECS Hook State Change")
    results = [json.dumps({"hookStatus": answer}) for answer in answers]
    prepared = {"results": results, "region": emulator.region, "account_id": "000000000000"}
    moto(emulator, "static/lambda-simple/response", prepared)
    hook = {"targetType": "AWS_LAMBDA", "hookTargetArn": function, "lifecycleStages": ["POST_SCALE_UP"]}
    hook["roleArn"] = "arn:aws:iam::000000000000:role/hooks"
    deploy(ecs, web, lifecycleHooks=[hook])
    eventually(lambda: latest(ecs, web)["status"] == status)
    if status != "SUCCESSFUL":
        assert latest(ecs, web)["statusReason"] == (
            "Service deployment rolled back because POST_SCALE_UP lifecycle hook(s) failed. "
            f"Lifecycle hook target {function} returned FAILED status."
        )
    ending = "HOOK_SUCCEEDED" if status == "SUCCESSFUL" else "HOOK_FAILED"
    eventually(lambda: heard.names(web) == ["HOOK_IN_PROGRESS", ending])
