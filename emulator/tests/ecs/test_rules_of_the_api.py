"""What clients of the API see of the rules, on a runtime without processes."""

from __future__ import annotations

import contextlib
import itertools
import re
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from samjhadoo_emulator.ecs.deployments.machine import Status
from samjhadoo_emulator.ecs.services import _rollback_candidate

_numbers = itertools.count(1)
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
DAYS = 1440
PAUSED = [
    "PRE_SCALE_UP", "POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
]  # fmt: skip


@pytest.fixture(scope="module")
def emulator(shared_emulator):
    emulator = shared_emulator(minute=0.02, runtime="noop")
    prepare(emulator)
    return emulator


@pytest.fixture(scope="module")
def other_readings(shared_emulator):
    """An emulator that reads otherwise what AWS does not document."""
    variants = ["first-deployment-without-hooks", "ignored-alarms-shown-as-monitoring"]
    variants += ["breaker-for-rolling-only", "unchanged-update-starts-nothing"]
    options = [word for name in variants for word in ("--variant", name)]
    emulator = shared_emulator(*options, minute=0.02, runtime="noop")
    prepare(emulator)
    return emulator


def prepare(emulator):
    ecs = emulator.client("ecs")
    ecs.create_cluster(clusterName="c")
    definition = {
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
    }
    container = {"name": "app", "image": "app:1"}
    ecs.register_task_definition(family="web", containerDefinitions=[container], **definition)


def canary(**extra):
    return {
        "strategy": "CANARY",
        "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 1},
        "bakeTimeInMinutes": 1,
        **extra,
    }


def pause(*stages, minutes=20 * DAYS // 2, action="ROLLBACK"):
    timeout = {"timeoutInMinutes": minutes, "action": action}
    return [{"targetType": "PAUSE", "lifecycleStages": list(stages), "timeoutConfiguration": timeout}]


class Web:
    """A service and what is seen of it."""

    def __init__(self, emulator, eventually, **creation):
        self.emulator, self.ecs, self.eventually = emulator, emulator.client("ecs"), eventually
        self.name = f"web{next(_numbers)}"
        members = {"taskDefinition": "web", "desiredCount": 2, **creation}
        self.created = self.ecs.create_service(
            cluster="c", serviceName=self.name, launchType="FARGATE", networkConfiguration=NETWORK, **members
        )["service"]

    def deploy(self, configuration, **members):
        members = {"forceNewDeployment": True, **members}
        service = self.ecs.update_service(
            cluster="c", service=self.name, deploymentConfiguration=configuration, **members
        )["service"]
        return service["currentServiceDeployment"]

    def describe(self):
        return self.ecs.describe_services(cluster="c", services=[self.name])["services"][0]

    def deployment(self, arn=None):
        arn = arn or self.describe()["currentServiceDeployment"]
        return self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]

    def ends(self, status="SUCCESSFUL", arn=None):
        self.eventually(lambda: self.deployment(arn)["status"] == status)
        return self.deployment(arn)

    def hook(self):
        """Return the hook that is waited for, once there is one."""
        waiting = self.eventually(
            lambda: [
                hook
                for hook in self.deployment().get("lifecycleHookDetails", [])
                if hook["status"] == "AWAITING_ACTION"
            ]
        )
        return waiting[0]

    def go_on(self, hook, action="CONTINUE"):
        arn = self.deployment()["serviceDeploymentArn"]
        self.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook["hookId"], action=action)

    def stop(self, **extra):
        arn = self.deployment()["serviceDeploymentArn"]
        return self.ecs.stop_service_deployment(serviceDeploymentArn=arn, **extra)

    def crashes(self, until):
        """Let every task of the newest deployment die as soon as it runs, until a check holds."""
        started = self.describe()["deployments"][0]["id"]

        def look():
            for arn in self.ecs.list_tasks(cluster="c", startedBy=started)["taskArns"]:
                with contextlib.suppress(ValueError):  # it does not run yet, or no more
                    self.emulator.faults.kill_task(task=arn)
            return until()

        self.eventually(look)

    def failed(self):
        return self.deployment()["status"] in ("ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")

    def messages(self):
        return [event["message"] for event in self.describe()["events"]]


@pytest.fixture
def web(emulator, eventually):
    """A service that runs; gone afterwards."""
    web = Web(emulator, eventually)
    web.ends()
    yield web
    web.ecs.delete_service(cluster="c", service=web.name, force=True)


@pytest.mark.rule("A.1.triggers", "A.15.1")
@pytest.mark.parametrize(
    "change",
    [
        {"taskDefinition": "web"},
        {"networkConfiguration": NETWORK},
        {"platformVersion": "LATEST"},
        {"forceNewDeployment": True},
    ],
)
def test_these_changes_start_a_deployment_of_the_next_revision(web, change):
    before = web.describe()
    after = web.ecs.update_service(cluster="c", service=web.name, **change)["service"]
    assert after["currentServiceDeployment"] != before["currentServiceDeployment"]
    assert after["deployments"][0]["id"] != before["deployments"][0]["id"]


def test_in_a_variant_an_update_that_changes_nothing_starts_none(other_readings, eventually):
    web = Web(other_readings, eventually)
    web.ends()
    before = web.describe()
    same = {"taskDefinition": "web", "networkConfiguration": NETWORK, "platformVersion": "LATEST"}
    after = web.ecs.update_service(cluster="c", service=web.name, **same)["service"]
    assert after["currentServiceDeployment"] == before["currentServiceDeployment"]
    other = {"awsvpcConfiguration": {"subnets": ["subnet-2"]}}
    after = web.ecs.update_service(cluster="c", service=web.name, networkConfiguration=other)["service"]
    assert after["currentServiceDeployment"] != before["currentServiceDeployment"]
    web.ecs.delete_service(cluster="c", service=web.name, force=True)


@pytest.mark.rule("A.1.triggers", "A.2.defaults")
def test_a_strategy_alone_waits_for_the_next_deployment(web):
    before = web.describe()
    assert before["deploymentConfiguration"] == {
        "strategy": "ROLLING", "maximumPercent": 200, "minimumHealthyPercent": 100,
    }  # fmt: skip
    web.ecs.update_service(cluster="c", service=web.name, deploymentConfiguration=canary())
    assert web.describe()["currentServiceDeployment"] == before["currentServiceDeployment"]
    web.ecs.update_service(cluster="c", service=web.name, forceNewDeployment=True)
    assert web.deployment()["deploymentConfiguration"]["strategy"] == "CANARY"


@pytest.mark.rule("A.1.pages", "A.1.history", "A.1.calls")
def test_what_is_listed_and_described_has_limits(web):
    for size in (0, 101):
        with pytest.raises(ClientError, match="InvalidParameterException"):
            web.ecs.list_service_deployments(cluster="c", service=web.name, maxResults=size)
    arn = web.describe()["currentServiceDeployment"]
    with pytest.raises(ClientError, match="InvalidParameterException"):
        web.ecs.describe_service_deployments(serviceDeploymentArns=[arn] * 21)
    revision = web.deployment()["targetServiceRevision"]["arn"]
    answer = web.ecs.describe_service_revisions(serviceRevisionArns=[revision, revision + "0"])
    assert [each["serviceRevisionArn"] for each in answer["serviceRevisions"]] == [revision]
    assert answer["failures"] == [{"arn": revision + "0", "reason": "MISSING"}]
    with pytest.raises(ClientError, match="ServiceDeploymentNotFoundException"):
        web.ecs.continue_service_deployment(serviceDeploymentArn=arn + "x", hookId="ecs-pause-x")


@pytest.mark.rule("A.3.order", "A.5.ids", "A.15.2", "A.15.3")
def test_a_canary_pauses_wherever_a_pause_may_stand(web):
    web.deploy(canary(lifecycleHooks=pause(*PAUSED)))
    visits, ids = [], []
    for _ in range(6):
        hook = web.hook()
        seen = web.deployment()
        target, (source,) = seen["targetServiceRevision"], seen["sourceServiceRevisions"]
        share = target["requestedProductionTrafficWeight"]
        assert share + source["requestedProductionTrafficWeight"] == 100
        visits.append((seen["lifecycleStage"], share, target["requestedTestTrafficWeight"]))
        ids.append(hook["hookId"])
        assert hook["timeoutAction"] == "ROLLBACK"
        left = hook["expiresAt"] - seen["startedAt"]
        assert left.total_seconds() >= 10 * DAYS * 60
        web.go_on(hook)
        web.eventually(lambda hook=hook: hook["hookId"] not in str(web.deployment()))
    assert visits == [
        ("PRE_SCALE_UP", 0, 0),
        ("POST_SCALE_UP", 0, 0),
        ("POST_TEST_TRAFFIC_SHIFT", 0, 100),
        ("PRE_PRODUCTION_TRAFFIC_SHIFT", 0, 100),
        ("PRE_PRODUCTION_TRAFFIC_SHIFT", 10, 100),
        ("POST_PRODUCTION_TRAFFIC_SHIFT", 100, 100),
    ]
    assert all(re.fullmatch(r"ecs-pause-[A-Za-z0-9_-]{43}", each) for each in ids)
    assert len(set(ids)) == 6
    web.ends()


@pytest.mark.rule("A.3.reconcile", "A.5.superseded", "A.4.transitions")
def test_a_deployment_over_an_unfinished_one_reconciles_and_its_hooks_are_void(web):
    first = web.deploy(canary(lifecycleHooks=pause("POST_SCALE_UP")))
    old = web.hook()
    web.deploy(canary(lifecycleHooks=pause("RECONCILE_SERVICE")))
    new = web.hook()
    assert web.deployment()["lifecycleStage"] == "RECONCILE_SERVICE"
    assert web.ends("STOPPED", first)["statusReason"]
    with pytest.raises(ClientError, match="not allowed for service deployment in terminal states"):
        web.ecs.continue_service_deployment(serviceDeploymentArn=first, hookId=old["hookId"])
    web.go_on(new)
    web.ends()


@pytest.mark.rule("A.3.first")
def test_a_first_deployment_calls_hooks(emulator, eventually):
    web = Web(emulator, eventually, deploymentConfiguration=canary(lifecycleHooks=pause("PRE_SCALE_UP")))
    web.go_on(web.hook())
    web.ends()


@pytest.mark.rule("A.3.first")
def test_a_first_deployment_calls_no_hooks_in_the_other_reading(other_readings, eventually):
    configuration = canary(lifecycleHooks=pause("PRE_SCALE_UP"))
    web = Web(other_readings, eventually, deploymentConfiguration=configuration)
    web.ends()
    web.deploy(configuration)
    web.go_on(web.hook())
    web.ends()


@pytest.mark.rule("A.4.arns", "A.4.view", "A.4.members", "A.15.1")
def test_a_canary_is_two_entries_with_everything_a_client_needs(web):
    arn = web.deploy(canary(lifecycleHooks=pause("POST_PRODUCTION_TRAFFIC_SHIFT")))
    web.hook()
    service, seen = web.describe(), web.deployment()
    newest, older = service["deployments"]
    assert [(each["status"], each["rolloutState"]) for each in (newest, older)] == [
        ("PRIMARY", "IN_PROGRESS"),
        ("ACTIVE", "COMPLETED"),
    ]
    assert [each["runningCount"] for each in (newest, older)] == [2, 2]
    assert service["currentServiceDeployment"] == arn
    assert re.search(r":service-deployment/c/[^/]+/[A-Za-z0-9_-]{21}$", arn)
    target = seen["targetServiceRevision"]["arn"]
    assert re.search(r":service-revision/c/[^/]+/\d+$", target)
    assert newest["id"] == "ecs-svc/" + target.rpartition("/")[2]
    assert [each["arn"] for each in service["currentServiceRevisions"]] == [
        target,
        seen["sourceServiceRevisions"][0]["arn"],
    ]
    assert seen["startedAt"] >= seen["createdAt"]
    assert (seen["deploymentCircuitBreaker"]["status"], "rollback" in seen) == ("DISABLED", False)
    web.go_on(web.hook())
    assert web.ends()["finishedAt"] > seen["startedAt"]


@pytest.mark.rule("A.5.continue")
def test_a_hook_is_answered_once_and_refused_in_awss_words(web):
    arn = web.deploy(canary(lifecycleHooks=pause("PRE_SCALE_UP", "POST_SCALE_UP")))
    hook = web.hook()
    web.go_on(hook)
    for identity, message in (
        (
            hook["hookId"],
            "Provided hookId is either completed, unavailable, or not associated with the given",
        ),
        ("nonsense", r"Invalid hookId: hookId must follow the format: ecs-\{hookType\}-\{id\}"),
    ):
        with pytest.raises(ClientError, match=message) as caught:
            web.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=identity)
        assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


@pytest.mark.rule("A.5.timeouts", "A.15.2", "A.7.async", "A.11.service")
@pytest.mark.parametrize(
    ("action", "status"), [("ROLLBACK", "ROLLBACK_SUCCESSFUL"), ("CONTINUE", "SUCCESSFUL")]
)
def test_a_pause_times_out_without_a_client(web, action, status):
    before = web.describe()["deployments"][0]["id"]
    web.deploy(canary(lifecycleHooks=pause("POST_TEST_TRAFFIC_SHIFT", minutes=5, action=action)))
    seen = web.ends(status)
    if action == "ROLLBACK":
        reason = "Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT pause hook timed out."
        assert seen["statusReason"] == seen["rollback"]["reason"] == reason
        assert f"(service {web.name}) deployment failed: {reason}" in web.messages()
        assert f"(service {web.name}) rolling back to deployment {before}." in web.messages()
        assert f"(service {web.name}) (deployment {before}) deployment completed." in web.messages()


@pytest.mark.rule("A.6.anywhere", "A.6.states", "A.6.abort", "A.10.reverse", "A.15.6")
@pytest.mark.parametrize("stage", [*PAUSED, "BAKE_TIME"])
def test_a_stop_works_in_every_stage(web, stage):
    before = web.deployment()["targetServiceRevision"]["arn"]
    hooks = pause(stage) if stage in PAUSED else []
    web.deploy(canary(lifecycleHooks=hooks, bakeTimeInMinutes=1440))
    web.eventually(lambda: web.deployment().get("lifecycleStage") == stage)
    with pytest.raises(ClientError, match="InvalidParameterException"):
        web.stop(stopType="ABORT")
    web.stop(stopType="ROLLBACK")
    seen = web.ends("ROLLBACK_SUCCESSFUL")
    assert seen["rollback"]["serviceRevisionArn"] == before
    assert seen["targetServiceRevision"]["requestedProductionTrafficWeight"] == 0
    assert len(web.ecs.list_service_deployments(cluster="c", service=web.name)["serviceDeployments"]) == 2
    with pytest.raises(ClientError, match="ConflictException"):
        web.stop()


def alarm(emulator, state="OK"):
    """An alarm without data that is as it was set."""
    name = f"alarm{next(_numbers)}"
    cloudwatch = emulator.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="x",
        MetricName="y",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")
    return name


def fire(emulator, name):
    emulator.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")


def watching(*names, rollback=True):
    return {"alarms": {"alarmNames": list(names), "enable": True, "rollback": rollback}}


@pytest.mark.rule("A.8.monitored", "A.8.missed", "A.15.4")
@pytest.mark.parametrize("strategy", ["CANARY", "BLUE_GREEN", "LINEAR"])
@pytest.mark.parametrize("rollback", [True, False])
def test_an_alarm_in_the_bake_fails_the_deployment(emulator, web, strategy, rollback):
    name = alarm(emulator)
    configuration = {"strategy": strategy, "bakeTimeInMinutes": 1440, **watching(name, rollback=rollback)}
    if strategy == "LINEAR":
        configuration["linearConfiguration"] = {"stepPercent": 50.0, "stepBakeTimeInMinutes": 0}
    web.deploy(configuration)
    web.eventually(lambda: web.deployment().get("lifecycleStage") == "BAKE_TIME")
    assert web.deployment()["alarms"]["status"] == "MONITORING"
    fire(emulator, name)
    seen = web.ends("ROLLBACK_SUCCESSFUL" if rollback else "STOPPED")
    assert seen["alarms"] == {"status": "TRIGGERED", "alarmNames": [name], "triggeredAlarmNames": [name]}


@pytest.mark.rule("A.8.missed")
def test_a_composite_alarm_counts_and_a_poll_may_miss_it(emulator, web):
    child, guard = alarm(emulator), f"guard{next(_numbers)}"
    emulator.client("cloudwatch").put_composite_alarm(AlarmName=guard, AlarmRule=f"ALARM({child})")
    web.deploy(canary(bakeTimeInMinutes=1440, **watching(guard)))
    web.eventually(lambda: web.deployment().get("lifecycleStage") == "BAKE_TIME")
    with emulator.faults.miss_alarms() as missed:
        fire(emulator, child)
        struck = missed.struck
        web.eventually(lambda: missed.struck > struck + 1)
        assert web.deployment()["status"] == "IN_PROGRESS"
    assert web.ends("ROLLBACK_SUCCESSFUL")["alarms"]["triggeredAlarmNames"] == [guard]


@pytest.mark.rule("A.8.ignored", "A.8.shown", "A.15.4")
@pytest.mark.parametrize(
    ("reading", "status"), [("emulator", "DISABLED"), ("other_readings", "MONITORING_COMPLETE")]
)
def test_an_alarm_in_alarm_at_the_start_disables_all_of_them(request, eventually, reading, status):
    emulator = request.getfixturevalue(reading)
    web = Web(emulator, eventually)
    web.ends()
    stale, good = alarm(emulator, "ALARM"), alarm(emulator)
    web.deploy(canary(lifecycleHooks=pause("PRE_SCALE_UP"), **watching(stale, good)))
    hook = web.hook()
    assert web.deployment()["alarms"]["status"] == ("DISABLED" if status == "DISABLED" else "MONITORING")
    fire(emulator, good)
    web.go_on(hook)
    assert web.ends()["alarms"]["status"] == status


def breaking(value=2, *, rollback=True):
    limit = {"type": "COUNT", "value": value}
    breaker = {"enable": True, "rollback": rollback, "thresholdConfiguration": limit}
    return {"deploymentCircuitBreaker": breaker}


@pytest.mark.rule("A.9.strategies", "A.9.stages", "A.9.throttling", "A.15.4")
def test_the_breaker_opens_in_a_canary_of_tasks_that_do_not_start(web):
    web.deploy(canary(**breaking()))
    web.crashes(web.failed)
    seen = web.ends("ROLLBACK_SUCCESSFUL")
    assert seen["statusReason"] == (
        "Service deployment rolled back because the circuit breaker threshold was exceeded."
    )
    breaker = seen["deploymentCircuitBreaker"]
    assert (breaker["status"], breaker["threshold"]) == ("TRIGGERED", 2)
    assert breaker["failureCount"] >= 2


@pytest.mark.rule("A.9.strategies")
def test_the_breaker_does_nothing_in_a_canary_in_the_other_reading(other_readings, eventually):
    web = Web(other_readings, eventually)
    web.ends()
    web.deploy(canary(**breaking(1)))
    web.crashes(lambda: web.describe()["deployments"][0]["failedTasks"] >= 3)
    assert web.deployment()["status"] == "IN_PROGRESS"
    assert web.deployment()["deploymentCircuitBreaker"]["status"] == "DISABLED"
    web.deploy({"strategy": "ROLLING", **breaking()})
    web.crashes(web.failed)


@pytest.mark.rule("A.9.candidate")
@pytest.mark.parametrize("status", list(Status))
def test_there_is_no_way_back_while_another_one_is_walked(status):
    service = SimpleNamespace(successful="old", current=SimpleNamespace(state=SimpleNamespace(status=status)))
    assert _rollback_candidate(service) == (None if status is Status.ROLLBACK_IN_PROGRESS else "old")


@pytest.mark.rule("A.11.service")
def test_events_have_the_texts_of_aws(web):
    number = web.describe()["deployments"][0]["id"]
    texts = "\n".join(web.messages())
    assert re.search(
        rf"\(service {web.name}\) has started 2 tasks: \(task [0-9a-f]+\) \(task [0-9a-f]+\)\.", texts
    )
    assert f"(service {web.name}) (deployment {number}) deployment completed." in texts
    web.eventually(lambda: f"(service {web.name}) has reached a steady state." in web.messages())
    web.deploy({"strategy": "ROLLING", **breaking()})
    newest = web.describe()["deployments"][0]["id"]
    web.crashes(web.failed)
    told = web.messages()
    assert f"(service {web.name}) (deployment {newest}) deployment failed: tasks failed to start." in told
    assert f"(service {web.name}) rolling back to deployment {number}." in told
    web.ecs.update_service(cluster="c", service=web.name, desiredCount=1)
    web.eventually(lambda: any("has stopped 1 running tasks: (task " in text for text in web.messages()))
