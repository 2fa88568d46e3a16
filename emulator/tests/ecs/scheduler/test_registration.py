from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from samjhadoo_emulator.ecs.scheduler.balancer import Balancer
from samjhadoo_emulator.ecs.scheduler.registration import ANSWERED, Registration
from samjhadoo_emulator.ecs.scheduler.replica import RegisteredTarget, Replica
from samjhadoo_emulator.errors import AwsError

LOOPBACK = "127.0.0.1"


class LoadBalancer:
    """ELBv2 as the scheduler calls it: refuses some ports, knows a health for the others."""

    def __init__(self, refused=(), state="healthy"):
        self.refused, self.state = refused, state
        self.registered, self.calls = {}, []

    async def call(self, service, operation, /, **params):
        assert service == "elbv2"
        self.calls.append((operation, len(params.get("Targets", []))))
        return getattr(self, operation)(**params)

    def RegisterTargets(self, TargetGroupArn, Targets):  # noqa: N802, N803 - as AWS calls them
        if any(target["Port"] in self.refused for target in Targets):
            raise AwsError("TooManyTargets", "there are too many targets")
        self.registered.setdefault(TargetGroupArn, []).extend(target["Port"] for target in Targets)
        return {}

    def DeregisterTargets(self, TargetGroupArn, Targets):  # noqa: N802, N803
        for target in Targets:
            self.registered[TargetGroupArn].remove(target["Port"])
        return {}

    def DescribeTargetHealth(self, TargetGroupArn):  # noqa: N802, N803
        return {
            "TargetHealthDescriptions": [
                {"Target": {"Id": LOOPBACK, "Port": port}, "TargetHealth": {"State": self.state}}
                for port in self.registered.get(TargetGroupArn, [])
            ]
        }

    def DescribeTargetGroups(self, TargetGroupArns):  # noqa: N802, N803
        assert TargetGroupArns
        return {"TargetGroups": [{"HealthCheckIntervalSeconds": 10, "UnhealthyThresholdCount": 3}]}


def replica(port, *groups, address=True):
    containers = [{"containerName": "web", "containerPort": 80}] * len(groups)
    revision = SimpleNamespace(workload={"loadBalancers": containers}, target_groups=groups)
    where = (LOOPBACK, port) if address else None
    task = SimpleNamespace(address=lambda *_: where, last_status="RUNNING", health_status="UNKNOWN")
    return Replica(task, revision, checked=False, balanced=True)


def registration(load_balancer):
    events = []
    return Registration(Balancer(load_balancer), events.append), events


def test_targets_of_a_group_are_registered_by_one_call_and_in_one_event():
    load_balancer = LoadBalancer()
    registering, events = registration(load_balancer)
    refused = asyncio.run(registering.register([replica(port, "blue") for port in (1, 2, 3)]))
    assert refused == []
    assert load_balancer.calls == [("RegisterTargets", 3)]
    assert events == ["registered 3 targets in (target-group blue)"]


def test_when_a_call_is_refused_the_others_of_its_targets_are_registered_apart():
    load_balancer = LoadBalancer(refused=(2,))
    registering, _ = registration(load_balancer)
    replicas = [replica(port, "blue") for port in (1, 2, 3)]
    refused = asyncio.run(registering.register(replicas))
    assert refused == [(replicas[1], "there are too many targets")]
    assert load_balancer.registered == {"blue": [1, 3]}
    assert [bool(each.targets) for each in replicas] == [True, False, True]


def test_a_replica_is_registered_in_all_its_groups_or_counts_as_refused():
    load_balancer = LoadBalancer(refused=(1,))
    registering, _ = registration(load_balancer)
    both = replica(7, "blue", "inner")
    assert asyncio.run(registering.register([both])) == []
    assert both.targets == (RegisteredTarget("blue", LOOPBACK, 7), RegisteredTarget("inner", LOOPBACK, 7))


def test_a_replica_without_an_address_is_not_registered_yet():
    load_balancer = LoadBalancer()
    registering, events = registration(load_balancer)
    assert asyncio.run(registering.register([replica(1, "blue", address=False)])) == []
    assert (load_balancer.calls, events) == ([], [])


def test_health_is_polled_after_each_registration_and_deregistration():
    load_balancer = LoadBalancer()
    registering, events = registration(load_balancer)
    one = replica(1, "blue")

    async def scenario():
        await registering.register([one])
        assert not registering.seen
        await registering.poll([one])
        assert registering.seen
        assert one.health == {RegisteredTarget("blue", LOOPBACK, 1): ("healthy", "", "")}
        asked = len(load_balancer.calls)
        await registering.poll([one])  # has just been done
        assert len(load_balancer.calls) == asked
        await registering.deregister([one])
        assert not registering.seen
        await registering.poll([one])
        assert one.health == {}

    asyncio.run(scenario())
    assert events[-1] == "deregistered 1 targets in (target-group blue)"


@pytest.mark.parametrize(
    ("was_healthy", "reason", "grace", "gives_up"),
    [
        pytest.param(True, "Target.FailedHealthChecks", 0.0, True, id="was-healthy"),
        pytest.param(False, ANSWERED, 0.0, True, id="answers-with-a-wrong-code"),
        pytest.param(False, "Target.FailedHealthChecks", 0.0, False, id="still-boots"),
        pytest.param(True, ANSWERED, 60.0, False, id="in-its-grace-period"),
    ],
)
def test_a_failing_target_is_given_up_once_it_has_had_its_time(was_healthy, reason, grace, gives_up):
    registering, _ = registration(LoadBalancer())
    one = replica(1, "blue")
    one.was_healthy = was_healthy
    target = RegisteredTarget("blue", LOOPBACK, 1)
    assert asyncio.run(registering.gives_up(one, target, reason, grace=grace)) is gives_up


@pytest.mark.parametrize(("busy", "most"), [(True, 0.05), (False, 1.0)])
def test_health_is_due_sooner_while_something_changes(busy, most):
    load_balancer = LoadBalancer()
    registering, _ = registration(load_balancer)
    one = replica(1, "blue")

    async def scenario():
        await registering.register([one])
        assert registering.due(busy=busy) == 0.001
        await registering.poll([one])
        assert 0.0 < registering.due(busy=busy) <= most

    asyncio.run(scenario())
