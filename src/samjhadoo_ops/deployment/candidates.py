"""Which release to roll back to: the last one that worked, never "revision minus one"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, takewhile
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.journal import STARTED
from samjhadoo_ops.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from samjhadoo_ops.deployment.ecs import EcsService
    from samjhadoo_ops.deployment.journal import JournalEntry

_SHORTEST_SHA = 7
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Candidate:
    """A release that was deployed successfully.

    Attributes:
        names: What it may be called by: version, git sha, digest.
        since: When its last successful deployment began, on the clock.
    """

    task_definition: str
    names: tuple[str, ...] = ()
    since: datetime = _LONG_AGO

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


def successes(ecs: EcsService, past: Iterable[JournalEntry]) -> Iterator[Candidate]:
    """Return the releases that were deployed successfully, the latest first, each once; read on demand.

    ECS's own list comes first; the journal adds what ECS has forgotten after 90 days.

    Args:
        past: The journal, the newest first.
    """
    found: set[str] = set()
    for task_definition, since in chain(ecs.successful(), _recorded(past)):
        if task_definition not in found:
            found.add(task_definition)
            registered = ecs.task_definition(task_definition)
            tags = registered.tags if registered else {}
            names = dict.fromkeys(tags[name] for name in ("release", "git-sha", "digest") if tags.get(name))
            yield Candidate(task_definition, tuple(names), since)


def _recorded(past: Iterable[JournalEntry]) -> Iterator[tuple[str, datetime]]:
    """Return the journal's successful deployments: task definition and beginning."""
    for entry in past:
        if entry.ended and entry.outcome == "succeeded" and entry.task_definition:
            yield entry.task_definition, entry.started


def release_names(entry: JournalEntry) -> tuple[str, ...]:
    """Return what the release of a journal entry may be called by."""
    fields = ("release", "git_sha", "digest")
    return tuple(dict.fromkeys(str(entry.data[name]) for name in fields if entry.data.get(name)))


def abandoned(candidate: Candidate, past: Iterable[JournalEntry]) -> bool:
    """Return whether a release was rolled back from since it was last deployed.

    Going back twice must not return to the release that was left the first time.

    Args:
        past: The journal, the newest first; it is read back to the release's deployment.
    """
    since = takewhile(lambda entry: entry.started > candidate.since, past)
    left = (entry.known(STARTED) for entry in since)
    return any(
        each.get("kind") == "rollback" and each.get("from_task_definition") == candidate.task_definition
        for each in left
    )


def choose(
    candidates: Iterable[Candidate], past: Iterable[JournalEntry], *, current: str | None, name: str = ""
) -> Candidate:
    """Return the release to roll back to.

    Args:
        candidates: The releases that were deployed successfully, the latest first.
        past: The journal, the newest first.
        current: The running task definition.
        name: The requested release; empty for the last one that worked.

    Raises:
        Refused: There is none.
    """
    seen: list[str] = []
    for candidate in candidates:
        seen.append(str(candidate))
        is_current = candidate.task_definition == current
        if name and candidate.is_named(name):
            if is_current:
                raise Refused(f"release {name!r} is already running", hint="invoke history")
            return candidate
        if not name and not is_current and not abandoned(candidate, past):
            return candidate
    known = f"successful releases: {', '.join(seen[:5]) or 'none'}"
    if name:
        raise Refused(f"no release {name!r} was deployed successfully", hint=known)
    raise Refused(
        "there is no earlier release to roll back to: no other release was deployed successfully",
        hint=f"{known}; name one with --to",
    )
