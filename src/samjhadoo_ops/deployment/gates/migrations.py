"""Whether pending migrations are safe to run, and whether the running release works with the new schema."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.candidates import release_names
from samjhadoo_ops.deployment.gates.gate import Facts, Finding, Stage, gate, ok, refused, skipped, unknown
from samjhadoo_ops.deployment.outcome import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from samjhadoo_ops.database.judge import MigrationsJudgement
    from samjhadoo_ops.database.lint import Objection
    from samjhadoo_ops.deployment.journal import JournalEntry
    from samjhadoo_ops.errors import OpsError

_SHORTEST_SHA = 7
_RULE = (
    "expand/contract: remove what the running release needs only in a later release, "
    "with `-- contract: since=RELEASE` in the script"
)


@gate("pending migrations are safe to run", stage=Stage.SCHEMA)
def migrations_linted(facts: Facts) -> Finding:
    """Refuse when squawk objects to a pending migration; what was applied cannot change any more.

    A migration that waits for a lock, or blocks writers while it reads a table, takes the site down.
    """
    from samjhadoo_ops.database.lint import LinterMissing, lint

    if facts.inspection is None:
        return skipped("the schema could not be read")
    scripts = [Path(migration.path) for migration in facts.inspection.pending]
    if not scripts:
        return ok("nothing is pending")
    settings = facts.env.gates.migrations
    try:
        objections = lint(
            scripts,
            engine_version=facts.env.database.engine_version,
            # A destructive change has a gate of its own, with an answer of its own.
            exclude=[*settings.exclude, *settings.destructive],
        )
    except LinterMissing as error:
        return unknown(error.message, remedy=error.hint)
    return decide_lint(objections, scripts=len(scripts))


def decide_lint(objections: Sequence[Objection], *, scripts: int) -> Finding:
    """Return the finding for squawk's objections to a number of scripts."""
    if not objections:
        return ok(f"{scripts} pending, no objections")
    first = objections[0]
    return refused(
        f"squawk objects to {len(objections)} statements",
        remedy=first.help or f"see squawk's rule {first.rule}; gates.migrations.exclude disables it",
        details=tuple(str(each) for each in objections),
    )


@gate("the running release works with the new schema", stage=Stage.SCHEMA)
def migrations_compatible(facts: Facts) -> Finding:
    """Refuse a change that breaks the running release, or the one before it.

    Expand first, contract later: until the deployment is over, and after a rollback, the release that is
    running now works on the new schema ("Ensuring rollback safety during deployments", Amazon Builders'
    Library).
    """
    from samjhadoo_ops.database.judge import Compatibility, judge_migrations

    if facts.inspection is None:
        return skipped("the schema could not be read")
    if facts.first:
        return skipped("no release is running yet")
    if not facts.inspection.pending:
        return ok("nothing is pending")
    judgement = judge_migrations(facts.inspection.pending, facts.env)
    breaking = judgement.answer is Compatibility.BREAKS
    return decide_compatibility(
        judgement,
        successes(facts.entries(), facts.deployments) if breaking else (),
        now=facts.now,
        window=timedelta(seconds=float(facts.env.gates.migrations.rollback_window)),
    )


def decide_compatibility(
    judgement: MigrationsJudgement, history: Sequence[Success], *, now: datetime, window: timedelta
) -> Finding:
    """Return the finding for judged migrations.

    Args:
        history: Which releases came into production, newest first.
        window: How long a release must have been in production, so that nobody rolls back beyond it.
    """
    from samjhadoo_ops.database.judge import Compatibility

    breaking = judgement.of(Compatibility.BREAKS)
    refusals: dict[str, list[str]] = {}
    for each in breaking:
        why = objection(each.since, history, now=now, window=window)
        if why:
            refusals[each.script] = [*map(str, each.reasons), f"{each.script}: {why}"]
    if refusals:
        return refused(
            f"the running release may not work after {', '.join(sorted(refusals))}",
            remedy=_RULE,
            details=tuple(line for lines in refusals.values() for line in lines),
        )
    if judgement.failure is not None:
        return _not_examined(judgement.failure)
    unclear = judgement.of(Compatibility.UNKNOWN)
    if unclear:
        names = ", ".join(each.script for each in unclear)
        return unknown(
            f"whether the running release works with {names} is not known",
            remedy='if it does: --override migrations_compatible="why"',
            details=tuple(f"{reason} ({reason.what})" for each in unclear for reason in each.reasons),
        )
    if breaking:
        removed = ", ".join(f"{each.script} since {each.since}" for each in breaking)
        return ok(f"removes only what no release needs any more: {removed}")
    return ok(f"{len(judgement.scripts)} pending, the running release works with them")


def _not_examined(failure: OpsError) -> Finding:
    """Return the finding for scripts that squawk could not examine: a missing tool is no broken script."""
    from samjhadoo_ops.database.lint import LinterMissing

    if isinstance(failure, LinterMissing):
        return unknown(failure.message, remedy=failure.hint)
    return refused(failure.message, remedy=failure.hint, details=failure.details)


@dataclass(frozen=True)
class Success:
    """A release that came into production at a time."""

    names: tuple[str, ...]
    at: datetime

    def answers_to(self, name: str) -> bool:
        """Return whether this is the release's name; a git sha may be shortened to 7 characters."""
        return name in self.names or (
            len(name) >= _SHORTEST_SHA and any(each.startswith(name) for each in self.names)
        )


def objection(release: str, history: Sequence[Success], *, now: datetime, window: timedelta) -> str:
    """Return why a release named by a marker doesn't allow a destructive change; empty when it does."""
    if not release:
        return "it has no comment `-- contract: since=RELEASE`"
    named = [success for success in history if success.answers_to(release)]
    if not named:
        return f"release {release} was never deployed successfully"
    began = named[-1].at
    # What serves now may be older: somebody went back.
    serving = [success for success in history if success.names == history[0].names]
    if serving[-1].at < began:
        return f"the running release, {history[0].names[0]}, is older than {release}"
    age = now - began
    if age < window:
        return f"release {release} has been in production for {_days(age)}, {_days(window)} are required"
    return ""


def successes(entries: Iterable[JournalEntry], deployments: Iterable[Mapping[str, object]]) -> list[Success]:
    """Return which releases came into production, newest first.

    A deploy that was left to ECS, or whose process died, succeeded when ECS says so.
    """
    done = {brief["serviceDeploymentArn"] for brief in deployments if brief["status"] == "SUCCESSFUL"}
    return [
        Success(release_names(entry), entry.finished or entry.started)
        for entry in entries
        if release_names(entry)
        and (entry.outcome == Phase.SUCCEEDED.value or entry.data.get("deployment") in done)
    ]


def _days(span: timedelta) -> str:
    return f"{span.total_seconds() / 86_400:.3g} days"
