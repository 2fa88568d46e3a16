from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from samjhadoo_ops.deployment.candidates import Candidate, abandoned, choose, successes
from samjhadoo_ops.deployment.journal import FINISHED, STARTED, Event, JournalEntry
from samjhadoo_ops.errors import Refused

SHA = "7b67347010ad282b7a1d3a1b9e9cea977b285cf7"
ONE, TWO, THREE = (Candidate(f"arn:aws:ecs:r:a:task-definition/app:{n}", (f"v{n}",)) for n in (1, 2, 3))
AT = datetime(2026, 11, 23, tzinfo=UTC)


def entry(number: int, kind: str, outcome: str, **data: Any) -> JournalEntry:
    """Return a journal entry with a start and an end."""
    at = AT + timedelta(hours=number)
    return JournalEntry(
        f"2026-{number}",
        (
            Event(number=0, event=STARTED, at=at, data={"kind": kind, **data}),
            Event(number=1, event=FINISHED, at=at, data={"outcome": outcome}),
        ),
    )


class Ecs:
    """ECS with deployments that succeeded, the newest first."""

    def __init__(self, *task_definitions: str) -> None:
        self._task_definitions = task_definitions

    def describe(self) -> dict[str, Any]:
        return {}

    def deployments(self, *, statuses: Any) -> list[dict[str, Any]]:
        assert statuses == ["SUCCESSFUL"]
        return [
            {"targetServiceRevisionArn": f"r/{number}"} for number, _ in enumerate(self._task_definitions)
        ]

    def revisions(self, arns: Any) -> dict[str, dict[str, Any]]:
        wanted = set(arns)
        every = {f"r/{number}": {"taskDefinition": arn} for number, arn in enumerate(self._task_definitions)}
        return {arn: revision for arn, revision in every.items() if arn in wanted}


def test_the_last_other_release_that_worked_is_chosen() -> None:
    assert choose([THREE, TWO, ONE], current=THREE.task_definition, left=()) == TWO


def test_a_second_rollback_does_not_return_to_the_release_that_was_rolled_back() -> None:
    left = abandoned([entry(3, "rollback", "succeeded", from_task_definition=THREE.task_definition)])
    assert choose([TWO, THREE, ONE], current=TWO.task_definition, left=left) == ONE


def test_a_release_deployed_again_after_its_rollback_is_a_candidate_again() -> None:
    journal = [
        entry(4, "deploy", "succeeded", task_definition=THREE.task_definition),
        entry(3, "rollback", "succeeded", from_task_definition=THREE.task_definition),
    ]
    assert abandoned(journal) == set()


def test_a_rollback_without_an_earlier_release_is_refused() -> None:
    with pytest.raises(Refused, match="no earlier release"):
        choose([ONE], current=ONE.task_definition, left=())


@pytest.mark.parametrize("name", ["v1", "app:1", ONE.task_definition])
def test_a_release_can_be_named(name: str) -> None:
    assert choose([THREE, TWO, ONE], current=THREE.task_definition, left=(), name=name) == ONE


def test_a_git_sha_may_be_shortened_to_seven_characters() -> None:
    candidate = Candidate("app:9", (SHA,))
    assert candidate.is_named(SHA[:7])
    assert not candidate.is_named(SHA[:6])


def test_a_release_that_never_worked_is_refused_with_those_that_did() -> None:
    with pytest.raises(Refused, match="v9") as refusal:
        choose([TWO, ONE], current=TWO.task_definition, left=(), name="v9")
    assert "v1" in refusal.value.hint


def test_naming_the_serving_release_is_refused() -> None:
    with pytest.raises(Refused, match="is already running"):
        choose([TWO, ONE], current=TWO.task_definition, left=(), name="v2")


def test_failed_deployments_are_no_candidates_and_the_journal_adds_what_ecs_forgot() -> None:
    journal = [
        entry(3, "deploy", "rolled back", task_definition="app:3", release="v3"),
        entry(2, "deploy", "succeeded", task_definition="app:2", release="v2"),
        entry(1, "deploy", "succeeded", task_definition="app:1", release="v1"),
    ]
    found = successes(Ecs("app:2"), journal)  # type: ignore[arg-type]
    assert found == [Candidate("app:2", ("v2",)), Candidate("app:1", ("v1",))]
