"""Which calls a fault strikes."""

from __future__ import annotations

import math

import msgspec
import pytest

from samjhadoo_emulator.faults.effects import replaced
from samjhadoo_emulator.faults.kinds import LateMetrics, Latency, MissedAlarms, Throttle, fault_of
from samjhadoo_emulator.faults.table import FaultTable


def strikes(fault, calls, *, callers="clients"):
    faults = FaultTable()
    faults.add(fault)
    return [bool(faults.strike(service, operation, callers=callers)) for service, operation in calls]


CALLS = [("ecs", "DescribeServices"), ("ecs", "UpdateService"), ("elbv2", "DescribeRules")]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        pytest.param(Throttle(), [True, True, True], id="everything"),
        pytest.param(Throttle(service="ecs"), [True, True, False], id="a-service"),
        pytest.param(
            Throttle(service="ecs", operation="UpdateService"), [False, True, False], id="an-operation"
        ),
        pytest.param(Throttle(operation="DescribeRules"), [False, False, True], id="an-operation-anywhere"),
        pytest.param(Throttle(count=2), [True, True, False], id="so-many-times"),
        pytest.param(Throttle(skip=1, count=1), [False, True, False], id="not-the-first"),
        pytest.param(Throttle(callers="services"), [False, False, False], id="other-callers"),
    ],
)
def test_a_fault_strikes_the_calls_it_names(fault, expected):
    assert strikes(fault, CALLS) == expected


def test_a_rate_strikes_that_share_of_calls_and_the_same_ones_for_the_same_seed():
    calls = [("ecs", "DescribeServices")] * 2000
    struck = strikes(Throttle(rate=0.3, seed=7), calls)
    assert 500 < sum(struck) < 700
    assert struck == strikes(Throttle(rate=0.3, seed=7), calls)


def test_several_faults_strike_one_call():
    faults = FaultTable()
    faults.add(Throttle())
    faults.add(Latency(seconds=1))
    assert [type(fault) for fault in faults.strike("ecs", "ListServices")] == [Throttle, Latency]


def test_alarms_are_missed_as_often_as_was_asked_for():
    faults = FaultTable()
    faults.add(MissedAlarms(count=2))
    assert [faults.alarms_missed() for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("fault", "delay"),
    [
        pytest.param(LateMetrics(), math.inf, id="lost"),
        pytest.param(LateMetrics(minutes=2), 120.0, id="late"),
        pytest.param(LateMetrics(minutes=2, namespace="AWS/ECS"), 120.0, id="of-a-namespace"),
        pytest.param(LateMetrics(minutes=2, namespace="AWS/ApplicationELB"), 0.0, id="of-another-namespace"),
        pytest.param(LateMetrics(minutes=2, metric="MemoryUtilization"), 0.0, id="of-another-metric"),
        pytest.param(Throttle(callers="services"), 0.0, id="another-fault"),
    ],
)
def test_metrics_are_late_as_was_asked_for(fault, delay):
    faults = FaultTable()
    faults.add(fault)
    assert faults.metrics_late("AWS/ECS", "CPUUtilization") == delay
    assert faults.strike("cloudwatch", "PutMetricData") == []


def test_a_fault_that_is_removed_strikes_no_more_and_is_undone():
    faults, undone = FaultTable(), []
    entry = faults.add(Throttle(), undo=lambda: undone.append(True))
    assert faults.remove(entry.id)
    assert not faults.remove(entry.id)
    assert (undone, faults.strike("ecs", "ListServices"), bool(faults)) == ([True], [], False)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        pytest.param(b'{"kind": "flood"}', "flood", id="unknown-kind"),
        pytest.param(b"{}", "kind", id="no-kind"),
        pytest.param(b'{"kind": "throttle", "rte": 1}', "rte", id="unknown-member"),
        pytest.param(b'{"kind": "throttle", "rate": 2}', r"\$\.rate", id="not-a-share"),
        pytest.param(b'{"kind": "latency"}', "seconds", id="missing-member"),
        pytest.param(b'{"kind": "killed-task"}', "either a task or a service", id="no-task"),
        pytest.param(b"nonsense", "JSON", id="not-json"),
    ],
)
def test_an_unknown_fault_is_refused(document, text):
    with pytest.raises(msgspec.DecodeError, match=text):
        fault_of(document)


def test_a_value_is_replaced_wherever_its_name_stands():
    document = {"a": [{"status": "X", "b": {"status": "Y"}}], "status": "Z"}
    assert replaced(document, "status", "N") == {
        "a": [{"status": "N", "b": {"status": "N"}}],
        "status": "N",
    }
