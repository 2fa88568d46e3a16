from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.deployment.candidates import Candidate, abandoned, choose, successes
from samjhadoo_ops.deployment.ecs import Registered
from samjhadoo_ops.deployment.journal import FINISHED, STARTED, Event, JournalEntry
from samjhadoo_ops.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

SHA = "7b67347010ad282b7a1d3a1b9e9cea977b285cf7"
AT = datetime(2026, 11, 23, tzinfo=UTC)
ONE, TWO, THREE = (
    Candidate(f"arn:aws:ecs:r:a:task-definition/app:{n}", (f"v{n}",), AT + timedelta(hours=n))
    for n in (1, 2, 3)
)


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
    """ECS with deployments that succeeded, the newest first, and task definitions tagged with a release."""

    def __init__(self, *successful: tuple[str, datetime]) -> None:
        self._successful = successful

    def successful(self) -> Iterator[tuple[str, datetime]]:
        return iter(self._successful)

    def task_definition(self, arn: str) -> Registered:
        return Registered(arn, {}, {"release": f"v{arn[-1]}"})


def test_the_last_other_release_that_worked_is_chosen() -> None:
    assert choose([THREE, TWO, ONE], [], current=THREE.task_definition) == TWO


def test_a_second_rollback_does_not_return_to_the_release_that_was_rolled_back() -> None:
    journal = [entry(4, "rollback", "succeeded", from_task_definition=THREE.task_definition)]
    assert choose([TWO, THREE, ONE], journal, current=TWO.task_definition) == ONE


def test_a_release_deployed_again_after_its_rollback_is_a_candidate_again() -> None:
    journal = [
        entry(4, "deploy", "succeeded", task_definition=THREE.task_definition),
        entry(3, "rollback", "succeeded", from_task_definition=THREE.task_definition),
    ]
    assert not abandoned(replace(THREE, since=AT + timedelta(hours=4)), journal)
    assert abandoned(replace(THREE, since=AT + timedelta(hours=2)), journal)


def test_a_rollback_without_an_earlier_release_is_refused() -> None:
    with pytest.raises(Refused, match="no earlier release"):
        choose([ONE], [], current=ONE.task_definition)


@pytest.mark.parametrize("name", ["v1", "app:1", ONE.task_definition])
def test_a_release_can_be_named(name: str) -> None:
    assert choose([THREE, TWO, ONE], [], current=THREE.task_definition, name=name) == ONE


def test_a_git_sha_may_be_shortened_to_seven_characters() -> None:
    candidate = Candidate("app:9", (SHA,))
    assert candidate.is_named(SHA[:7])
    assert not candidate.is_named(SHA[:6])


def test_a_release_that_never_worked_is_refused_with_those_that_did() -> None:
    with pytest.raises(Refused, match="v9") as refusal:
        choose([TWO, ONE], [], current=TWO.task_definition, name="v9")
    assert "v1" in refusal.value.hint


def test_naming_the_serving_release_is_refused() -> None:
    with pytest.raises(Refused, match="is already running"):
        choose([TWO, ONE], [], current=TWO.task_definition, name="v2")


def test_failed_deployments_are_no_candidates_and_the_journal_adds_what_ecs_forgot() -> None:
    journal = [
        entry(3, "deploy", "rolled back", task_definition="app:3"),
        entry(2, "deploy", "succeeded", task_definition="app:2"),
        entry(1, "deploy", "succeeded", task_definition="app:1"),
    ]
    found = successes(Ecs(("app:2", AT)), journal)  # type: ignore[arg-type]
    assert [(each.task_definition, each.names) for each in found] == [("app:2", ("v2",)), ("app:1", ("v1",))]
