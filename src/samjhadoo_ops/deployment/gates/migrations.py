"""Whether pending migrations are safe to run, and whether the running release works with the new schema."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.candidates import release_names
from samjhadoo_ops.deployment.gates.gate import (
    Facts,
    Finding,
    Stage,
    State,
    gate,
    ok,
    refused,
    skipped,
    unknown,
)
from samjhadoo_ops.deployment.outcome import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from samjhadoo_ops.database.judge import MigrationsJudgement
    from samjhadoo_ops.database.risks import Risk
    from samjhadoo_ops.deployment.journal import JournalEntry

_SHORTEST_SHA = 7
_RULE = (
    "expand/contract: remove what the running release needs only in a later release, "
    "with `-- contract: since=RELEASE` in the script"
)


@gate("pending migrations are safe to run", stage=Stage.SCHEMA)
def migrations_linted(facts: Facts) -> Finding:
    """Refuse a pending migration or callback that locks or rewrites a large table, loses data, or fails.

    A migration that waits for a lock, or blocks writers while it reads a table, takes the site down.
    """
    from samjhadoo_ops.database.risks import RiskKind, find_pending_risks

    if facts.inspection is None:
        return skipped("the schema could not be read")
    count = len(facts.inspection.to_run)
    if not count:
        return ok("nothing is pending")
    try:
        # Before the first deployment, no other gate looks at what is dropped or cannot be read.
        found = find_pending_risks(facts.inspection, facts.env, alone=facts.first)
    except ImportError:
        return unknown("pgparse, which reads the migrations, is not installed", remedy="pip install pgparse")
    settings = facts.env.gates.migrations
    finding = decide_risks(found, scripts=count, refuse_unknown=settings.unknown == "refuse")
    # They may be squawk's, which an earlier version used.
    strange = tuple(
        f"gates.migrations.exclude: {name!r} has no effect; the kinds are {', '.join(RiskKind)}"
        for name in settings.exclude
        if name not in set(RiskKind)
    )
    return replace(finding, details=(*finding.details, *strange))


def decide_risks(found: Sequence[Risk], *, scripts: int, refuse_unknown: bool) -> Finding:
    """Return the finding for what a number of scripts may do."""
    from samjhadoo_ops.database.risks import RiskKind

    accepted = tuple(f"accepted in the script: {each}" for each in found if each.accepted)
    open_ones = [each for each in found if not each.accepted]
    if not open_ones:
        return ok(f"{scripts} to run, nothing that locks, rewrites, loses or fails", details=accepted)
    if all(each.kind is RiskKind.UNKNOWN for each in open_ones):
        return Finding(
            State.REFUSED if refuse_unknown else State.WARNED,
            f"what {open_ones[0].script} does to those who use the database is not known",
            'if it harms nobody: --override migrations_linted="why"',
            (*map(str, open_ones), *accepted),
        )
    kinds = ", ".join(dict.fromkeys(each.kind.value for each in open_ones))
    count = f"{len(open_ones)} statements" if len(open_ones) > 1 else "a statement"
    return refused(
        f"{count} may harm those who use the database ({kinds})",
        remedy=f"{open_ones[0].remedy}; or, if that is meant: `-- accept: {open_ones[0].kind}` above it",
        details=tuple(f"{each}; instead: {each.remedy}" for each in open_ones) + accepted,
    )


@gate("Flyway can run the pending migrations to their end", stage=Stage.SCHEMA)
def migrations_runnable(facts: Facts) -> Finding:
    """Refuse a script that fails, never ends, or could leave the schema half changed.

    `info` and `validate` do not read what a pending script contains.
    """
    from samjhadoo_ops.database.judge import read

    if facts.inspection is None:
        return skipped("the schema could not be read")
    scripts = [read(migration, facts.env) for migration in facts.inspection.to_run]
    troubles = [
        f"{each.name}:{trouble.line}: {trouble.what}" for each in scripts for trouble in each.troubles
    ]
    if not troubles:
        return ok(f"{len(scripts)} pending" if scripts else "nothing is pending")
    names = ", ".join(dict.fromkeys(each.name for each in scripts if each.troubles))
    return refused(f"{names} would fail, or not end", remedy="correct the script", details=tuple(troubles))


@gate("the running release works with the new schema", stage=Stage.SCHEMA)
def migrations_compatible(facts: Facts) -> Finding:
    """Refuse a change that breaks the running release, or the one before it.

    Expand first, contract later: until the deployment is over, and after a rollback, the release that is
    running now works on the new schema ("Ensuring rollback safety during deployments", Amazon Builders'
    Library).
    """
    from samjhadoo_ops.database.effects import Compatibility
    from samjhadoo_ops.database.judge import judge_migrations

    if facts.inspection is None:
        return skipped("the schema could not be read")
    if facts.first:
        return skipped("no release is running yet")
    if not facts.inspection.to_run:
        return ok("nothing is pending")
    judgement = judge_migrations(facts.inspection.to_run, facts.env, facts.inspection)
    breaking = judgement.answer is Compatibility.BREAKS
    return decide_compatibility(
        judgement,
        successes(facts.entries(), facts.deployments) if breaking else (),
        now=facts.now,
        window=timedelta(seconds=float(facts.env.gates.migrations.rollback_window)),
        refuse_unknown=facts.env.gates.migrations.unknown == "refuse",
    )


def decide_compatibility(
    judgement: MigrationsJudgement,
    history: Sequence[Success],
    *,
    now: datetime,
    window: timedelta,
    refuse_unknown: bool,
) -> Finding:
    """Return the finding for judged migrations.

    Args:
        history: Which releases came into production, newest first.
        window: How long a release must have been in production, so that nobody rolls back beyond it.
        refuse_unknown: Whether an answer that is not known refuses, and does not only warn.
    """
    from samjhadoo_ops.database.effects import Compatibility
    from samjhadoo_ops.database.judge import INSTALL, PARSER_MISSING

    breaking = judgement.of(Compatibility.BREAKS)
    refusals: dict[str, list[str]] = {}
    for each in breaking:
        why = objection(each.since, history, now=now, window=window)
        if why:
            reasons = [str(reason) for reason in each.reasons if reason.answer is Compatibility.BREAKS]
            refusals[each.script] = [*reasons, f"{each.script}: {why}"]
    if refusals:
        return refused(
            f"the running release may not work after {', '.join(sorted(refusals))}",
            remedy=_RULE,
            details=tuple(line for lines in refusals.values() for line in lines),
        )
    unclear = judgement.of(Compatibility.UNKNOWN)
    if unclear:
        names = ", ".join(each.script for each in unclear)
        unsure = [each for each in judgement.reasons if each.answer is Compatibility.UNKNOWN]
        known = 'if it does: --override migrations_compatible="why"' if refuse_unknown else ""
        return Finding(
            State.REFUSED if refuse_unknown else State.WARNED,
            f"whether the running release works with {names} is not known",
            INSTALL if unsure[0].what == PARSER_MISSING else known,
            tuple(map(str, unsure)),
        )
    besides = [each for each in judgement.reasons if each.effects]
    if besides and not breaking:
        effects = dict.fromkeys(effect for each in besides for effect in each.effects)
        reason = f"the running release works with them, but a statement {' and '.join(effects)}"
        return Finding(State.WARNED, reason, details=tuple(map(str, besides)))
    if breaking:
        removed = ", ".join(f"{each.script} since {each.since}" for each in breaking)
        return ok(f"removes only what no release needs any more: {removed}")
    return ok(f"{len(judgement.scripts)} pending, the running release works with them")


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
