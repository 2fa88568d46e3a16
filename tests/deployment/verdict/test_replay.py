from __future__ import annotations

import msgspec
import pytest
from deployment_fakes import FakeTime, MemoryObjects
from verdict_runs import bake, minutes, plan

from samjhadoo_ops.deployment.journal import FINISHED, DeploymentJournal
from samjhadoo_ops.deployment.outcome import Opinion
from samjhadoo_ops.deployment.verdict.factory import MINUTES
from samjhadoo_ops.deployment.verdict.replay import CHANGES, COLUMNS, changes, find, replay, rows
from samjhadoo_ops.errors import Refused


@pytest.fixture
def journal(objects: MemoryObjects) -> DeploymentJournal:
    return DeploymentJournal(objects, prefix="p/", environment="e", service="s")


def record(journal: DeploymentJournal, *courses: list) -> str:
    recorder = journal.recorder("deploy", FakeTime().clock)
    for course in courses:
        recorder.write(MINUTES, minutes=msgspec.to_builtins(course), verdict="as it was")
    recorder.write(FINISHED, outcome="succeeded")
    return recorder.deploy


def test_a_past_canary_is_judged_again_from_the_journal(journal: DeploymentJournal) -> None:
    course = [*minutes(*[(6, 0)] * 10, baseline=(54, 0)), *bake((60, 0), (60, 5))]
    deploy = record(journal, course[:4], course)
    entry, found = find(journal, deploy)
    assert found == tuple(course)
    verdicts = replay(found, plan())
    assert [verdicts[0].opinion, verdicts[9].opinion, verdicts[-1].opinion] == [
        Opinion.INCONCLUSIVE,
        Opinion.PASS,
        Opinion.FAIL,
    ]
    table = rows(found, verdicts)
    assert {len(row) for row in table} == {len(COLUMNS)}
    assert (table[0][0], table[0][1], table[-1][-1]) == ("1970-01-01 00:00", "10 %", "FAIL")
    assert entry.outcome == "succeeded"
    changed = changes(found, verdicts)
    assert {len(row) for row in changed} == {len(CHANGES)}
    assert [row[-1] for row in changed] == ["INCONCLUSIVE", "PASS", "FAIL"]
    assert changed[:2] == [
        [1, "10 %", 6, 0, 54, 0, "INCONCLUSIVE"],
        [10, "10 %", 60, 0, 540, 0, "PASS"],
    ]


def test_other_settings_may_judge_otherwise(journal: DeploymentJournal) -> None:
    record(journal, minutes((30, 2), (30, 0), baseline=(540, 0)))
    _, found = find(journal, "")
    assert replay(found, plan())[-1].opinion is Opinion.FAIL
    lenient = plan(SAMJHADOO_SLO__ERROR_RATE_PERCENT="4", SAMJHADOO_ROLLBACK__ERROR_RATE_PERCENT="20")
    assert replay(found, lenient)[-1].opinion is not Opinion.FAIL


def test_a_deployment_is_found_without_reading_the_whole_journal(
    journal: DeploymentJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy = record(journal, minutes((30, 0), baseline=(270, 0)))
    monkeypatch.setattr(journal, "entries", lambda **_: pytest.fail("read the whole journal"))
    entry, _ = find(journal, deploy)
    assert entry.deploy == deploy


def test_a_deployment_without_counts_is_refused(journal: DeploymentJournal) -> None:
    record(journal)
    with pytest.raises(Refused, match="no canary was counted yet"):
        find(journal, "")
    with pytest.raises(Refused, match="nothing was counted in 2026"):
        find(journal, "2026")
