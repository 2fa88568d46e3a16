from __future__ import annotations

from dataclasses import replace

import pytest

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.environment.duration import Duration
from samjhadoo_ops.rehearsal.findings import Observed, findings
from samjhadoo_ops.rehearsal.observer import ServiceState
from samjhadoo_ops.rehearsal.rehearsal import failed_for_good, for_people, row
from samjhadoo_ops.rehearsal.scenario import Expected, Scenario
from samjhadoo_ops.rehearsal.scenario_run import ScenarioResult

OLD, NEW = "arn:task-definition/backend:1", "arn:task-definition/backend:2"
ROLLED_BACK = Observed(
    exit_code=4,
    result=4,
    outcome="rolled_back",
    output="error: 7 of 80 requests failed",
    service=ServiceState({OLD: 100.0, NEW: 0.0}, {OLD: 2}, 2, ()),
    old=OLD,
    lock="",
    unfinished=(),
    requests=200,
    failed=4,
    detect=Duration(120),
    restore=Duration(180),
)
EXPECTED = Expected(
    serving="old",
    exit_code=4,
    outcome="rolled_back|failed",
    output="requests FAILED",
    failed_percent=2.0,
    detect=Duration(120),
    restore=Duration(180),
)


def test_an_ending_as_expected_has_no_findings():
    assert findings(EXPECTED, ROLLED_BACK) == []


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"exit_code": 0, "result": 0}, "exit code 0, expected 4"),
        ({"exit_code": -9, "result": None}, "exit code -9, expected 4"),
        ({"result": 0}, "the result event has exit code 0, the process 4"),
        ({"result": None}, "the result event has exit code None, the process 4"),
        ({"outcome": "succeeded"}, "outcome 'succeeded', expected rolled_back|failed"),
        ({"output": "it failed"}, "the deploy's output does not match 'requests FAILED'"),
        (
            {"service": ServiceState({OLD: 0.0, NEW: 100.0}, {NEW: 2}, 2, ())},
            "production traffic: new (backend:1 0 %, backend:2 100 %)",
        ),
        ({"service": ServiceState({OLD: 90.0, NEW: 10.0}, {OLD: 2}, 2, ())}, "production traffic: split"),
        ({"service": ServiceState({}, {OLD: 2}, 2, ())}, "production traffic: nobody (none), expected old"),
        (
            {"service": ServiceState({OLD: 100.0}, {OLD: 2}, 2, ("arn:d1",))},
            "deployments still running: arn:d1",
        ),
        ({"service": ServiceState({OLD: 100.0}, {OLD: 1}, 2, ())}, "tasks run, 2 are desired"),
        ({"service": ServiceState({OLD: 100.0}, {OLD: 1, NEW: 1}, 2, ())}, "tasks run, 2 are desired"),
        ({"failed": 5, "failures": ("HTTP 500",)}, "5 of 200 requests failed (2.5 %, at most 2 %): HTTP 500"),
        ({"detect": Duration(121)}, "detected after 2m1s, expected within 2m"),
        ({"restore": None}, "restored never, expected within 3m"),
        ({"lock": "somebody"}, "the lock is still held: somebody"),
        ({"unfinished": ("d1",)}, "the journal has no ending of d1"),
        ({"steps": ("rollback exited with 1",)}, "rollback exited with 1"),
    ],
)
def test_everything_that_is_not_as_expected_is_a_finding(change, finding):
    found = findings(EXPECTED, replace(ROLLED_BACK, **change))
    assert len(found) == 1
    assert finding in found[0]


def test_a_killed_deploy_may_have_any_exit_code_and_keep_its_lease():
    expected = Expected(serving="old", lock="lease", failed_percent=100.0)
    observed = replace(ROLLED_BACK, exit_code=-9, result=None, lock="dead", unfinished=("d1",))
    assert findings(expected, observed) == []


def test_a_scenario_that_passes_on_a_retry_has_not_failed_and_every_try_is_shown():
    first, second = (Scenario(title="x", expect=EXPECTED, name=name) for name in ("first", "second"))
    tries = [
        ScenarioResult(first, None, ("no luck",), 1.0),
        ScenarioResult(first, ROLLED_BACK, (), 2.0),
        ScenarioResult(second, None, ("no",), 3.0),
        ScenarioResult(second, None, ("no again",), 4.0),
    ]
    assert [each.problems for each in failed_for_good(tries)] == [("no again",)]
    assert for_people(tries[0], Clock(minute=0.2)) == ("first", "FAILED", "", "", "", "")
    assert for_people(tries[1], Clock(minute=0.2)) == ("first", "passed", "4", "4 of 200", "0.4 s", "0.6 s")
    assert [row(each)[1] for each in tries] == ["FAILED", "passed", "FAILED", "FAILED"]
