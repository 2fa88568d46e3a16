"""Which release to roll back to: the last one that worked, never "revision minus one"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from samjhadoo_ops.deployment.ecs import EcsService
    from samjhadoo_ops.deployment.journal import JournalEntry

_SHORTEST_SHA = 7


@dataclass(frozen=True)
class Candidate:
    """A release that was deployed successfully.

    Attributes:
        names: What it may be called by: version, git sha, digest, task definition.
    """

    task_definition: str
    names: tuple[str, ...] = ()

    def is_named(self, name: str) -> bool:
        """Return whether the release has this name; a git sha may be shortened to 7 characters."""
        family = self.task_definition.rpartition("/")[2]
        known = (*self.names, self.task_definition, family)
        return name in known or (
            len(name) >= _SHORTEST_SHA and any(known.startswith(name) for known in self.names)
        )

    def __str__(self) -> str:
        family = self.task_definition.rpartition("/")[2]
        return f"{self.names[0]} ({family})" if self.names else family


def successes(ecs: EcsService, entries: Sequence[JournalEntry]) -> list[Candidate]:
    """Return the releases that were deployed successfully, the latest first, each once.

    ECS's own list comes first; the journal adds names, and what ECS has forgotten after 90 days.
    """
    names = {
        str(entry.data["task_definition"]): release_names(entry)
        for entry in reversed(entries)
        if "task_definition" in entry.data
    }
    briefs = ecs.deployments(statuses=["SUCCESSFUL"]) if ecs.describe() else []
    revisions = ecs.revisions(brief["targetServiceRevisionArn"] for brief in briefs)
    found = [
        revisions[brief["targetServiceRevisionArn"]]["taskDefinition"]
        for brief in briefs
        if brief["targetServiceRevisionArn"] in revisions
    ]
    found += [
        str(entry.data["task_definition"])
        for entry in entries
        if entry.outcome == "succeeded" and "task_definition" in entry.data
    ]
    return [Candidate(arn, names.get(arn, ())) for arn in dict.fromkeys(found)]


def release_names(entry: JournalEntry) -> tuple[str, ...]:
    """Return what the release of a journal entry may be called by."""
    fields = ("release", "git_sha", "digest")
    return tuple(dict.fromkeys(str(entry.data[name]) for name in fields if entry.data.get(name)))


def abandoned(entries: Iterable[JournalEntry]) -> set[str]:
    """Return the task definitions that were rolled back from since they were last deployed on purpose.

    Going back twice must not return to the release that was left the first time.

    Args:
        entries: The journal, the newest first.
    """
    left: set[str] = set()
    for entry in reversed(list(entries)):
        kind = entry.events[0].data.get("kind")
        if kind == "rollback" and entry.data.get("from_task_definition"):
            left.add(str(entry.data["from_task_definition"]))
        elif entry.outcome == "succeeded":
            left.discard(str(entry.data.get("task_definition")))
    return left


def choose(
    candidates: Sequence[Candidate], *, current: str | None, left: Iterable[str], name: str = ""
) -> Candidate:
    """Return the release to roll back to.

    Args:
        current: The running task definition.
        left: Task definitions that were rolled back from.
        name: The requested release; empty for the last one that worked.

    Raises:
        Refused: There is none.
    """
    known = ", ".join(str(candidate) for candidate in candidates[:5]) or "none"
    if name:
        named = [candidate for candidate in candidates if candidate.is_named(name)]
        if not named:
            raise Refused(
                f"no release {name!r} was deployed successfully", hint=f"successful releases: {known}"
            )
        if named[0].task_definition == current:
            raise Refused(f"release {name!r} is already running", hint="invoke history")
        return named[0]
    avoided = {current, *left}
    for candidate in candidates:
        if candidate.task_definition not in avoided:
            return candidate
    raise Refused(
        "there is no earlier release to roll back to: no other release was deployed successfully",
        hint=f"successful releases: {known}; name one with --to",
    )
