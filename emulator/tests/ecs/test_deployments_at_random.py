"""Whatever clients, tasks and the clock do in whatever order, deployments keep the rules (A.4, A.6, A.15)."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samjhadoo_emulator.testing import eventually

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
TERMINAL = {"SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"}
ARROWS = {
    "PENDING": {"IN_PROGRESS", "ROLLBACK_REQUESTED", "STOP_REQUESTED", "STOPPED"},
    "IN_PROGRESS": {
        "SUCCESSFUL", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "STOPPED",
        "ROLLBACK_FAILED",
    },
    "STOP_REQUESTED": {"STOPPED"},
    "ROLLBACK_REQUESTED": {
        "SUCCESSFUL", "ROLLBACK_IN_PROGRESS", "STOPPED", "STOP_REQUESTED", "ROLLBACK_FAILED"
    },
    "ROLLBACK_IN_PROGRESS": {"ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED", "STOP_REQUESTED"},
}  # fmt: skip
"""A.4's arrows, and those of a rollback that is superseded (A.6) or has no candidate (A.9)."""
_numbers = itertools.count(1)


def reachable(status):
    found, ahead = {status}, [status]
    while ahead:
        new = ARROWS.get(ahead.pop(), set()) - found
        found |= new
        ahead += new
    return found


def hooks(timeout):
    return [
        {
            "targetType": "PAUSE",
            "lifecycleStages": ["POST_SCALE_UP", "PRE_PRODUCTION_TRAFFIC_SHIFT"],
            "timeoutConfiguration": {"timeoutInMinutes": 500, "action": timeout},
        }
    ]


CONFIGURATIONS = [
    {"strategy": "ROLLING", "minimumHealthyPercent": 50, "maximumPercent": 150},
    {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5},
    {
        "strategy": "CANARY",
        "bakeTimeInMinutes": 5,
        "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 5},
        "lifecycleHooks": hooks("ROLLBACK"),
    },
    {
        "strategy": "LINEAR",
        "bakeTimeInMinutes": 1,
        "linearConfiguration": {"stepPercent": 33.3, "stepBakeTimeInMinutes": 1},
        "lifecycleHooks": hooks("CONTINUE"),
    },
]
ACTIONS = st.one_of(
    st.tuples(st.just("deploy"), st.sampled_from(CONFIGURATIONS)),
    st.tuples(st.just("stop"), st.none()),
    st.tuples(st.just("answer"), st.sampled_from(["CONTINUE", "CONTINUE", "CONTINUE", "ROLLBACK"])),
    st.tuples(st.just("scale"), st.integers(0, 3)),
    st.tuples(st.just("kill"), st.none()),
    st.tuples(st.just("jump"), st.sampled_from([1, 5, 600])),
    st.tuples(st.just("look"), st.none()),
)


class World:
    """A service, what is done to it, and what was seen of it."""

    def __init__(self, emulator):
        self.emulator, self.ecs = emulator, emulator.client("ecs")
        self.name = f"random{next(_numbers)}"
        self.seen = {}
        self.ecs.create_service(
            cluster="c",
            serviceName=self.name,
            taskDefinition="web",
            desiredCount=2,
            launchType="FARGATE",
            networkConfiguration=NETWORK,
        )

    def deployments(self):
        listed = self.ecs.list_service_deployments(cluster="c", service=self.name)["serviceDeployments"]
        arns = [each["serviceDeploymentArn"] for each in listed]
        return self.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]

    def do(self, action, argument):
        # What is refused (nothing to stop, nothing to answer, nothing to kill) changes nothing.
        with contextlib.suppress(ClientError, ValueError):
            getattr(self, action)(argument)
        self.look()

    def deploy(self, configuration):
        self.ecs.update_service(
            cluster="c", service=self.name, forceNewDeployment=True, deploymentConfiguration=configuration
        )

    def stop(self, _):
        self.ecs.stop_service_deployment(serviceDeploymentArn=self.deployments()[0]["serviceDeploymentArn"])

    def answer(self, action):
        newest = self.deployments()[0]
        for hook in newest.get("lifecycleHookDetails", []):
            self.ecs.continue_service_deployment(
                serviceDeploymentArn=newest["serviceDeploymentArn"], hookId=hook["hookId"], action=action
            )

    def scale(self, count):
        self.ecs.update_service(cluster="c", service=self.name, desiredCount=count)

    def kill(self, _):
        self.emulator.faults.kill_task(service=self.name, cluster="c")

    def jump(self, minutes):
        self.emulator.faults.jump_clock(minutes)

    def look(self, _=None):
        found = self.deployments()
        for deployment in found:
            arn, status = deployment["serviceDeploymentArn"], deployment["status"]
            assert status in reachable(self.seen.get(arn, status)), (self.seen[arn], status)
            self.seen[arn] = status
            self.check_weights(deployment)
        for old in found[1:]:
            assert old["status"] in TERMINAL | {"STOP_REQUESTED"}, old["status"]
        return found

    @staticmethod
    def check_weights(deployment):
        revisions = [deployment["targetServiceRevision"], *deployment["sourceServiceRevisions"]]
        for kind in ("requestedProductionTrafficWeight", "requestedTestTrafficWeight"):
            weights = [each[kind] for each in revisions if kind in each]
            assert all(0 <= weight <= 100 for weight in weights)
            if len(weights) > 1:
                assert sum(weights) == pytest.approx(100), weights

    def ends(self):
        """Let hours pass until the newest deployment has ended and its tasks run."""

        def settled():
            self.jump(600)
            service = self.ecs.describe_services(cluster="c", services=[self.name])["services"][0]
            over = self.look()[0]["status"] in TERMINAL
            return over and (
                self.deployments()[0]["status"] in ("STOPPED", "ROLLBACK_FAILED")
                or service["runningCount"] == service["desiredCount"]
            )

        eventually(settled, within=30)


@pytest.fixture(scope="module")
def emulator(shared_emulator):
    emulator = shared_emulator(minute=0.02, runtime="noop")
    ecs = emulator.client("ecs")
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(
        family="web",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "app", "image": "app:1"}],
    )
    return emulator


@pytest.mark.rule("A.4.transitions", "A.6.states", "A.15.5")
@given(actions=st.lists(ACTIONS, min_size=5, max_size=20))
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_rules_a4_a6_a15_hold_in_any_order_of_events(emulator, actions):
    world = World(emulator)
    eventually(lambda: world.look()[0]["status"] == "SUCCESSFUL")
    for action, argument in actions:
        world.do(action, argument)
    world.ends()
    before = dict(world.seen)
    world.look()
    assert {arn: world.seen[arn] for arn, status in before.items() if status in TERMINAL} == {
        arn: status for arn, status in before.items() if status in TERMINAL
    }
    world.ecs.delete_service(cluster="c", service=world.name, force=True)
