"""Expand first, contract later: until the deployment is over, and after a rollback, the release that is
running now works on the new schema (`Ensuring rollback safety during deployments`, Amazon Builders' Library).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.candidates import release_names
from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused, skipped, unknown
from samjhadoo_ops.deployment.gates.gate import Gate, Stage
from samjhadoo_ops.deployment.outcome import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from samjhadoo_ops.deployment.gates.ground import Ground
    from samjhadoo_ops.deployment.journal import Entry

_SHORTEST = 7
_RULE = (
    "expand/contract: take away what the running release needs only in a later release, "
    "with `-- contract: since=RELEASE` in the script"
)


@dataclass(frozen=True)
class Success:
    """A release that came into production at a time."""

    names: tuple[str, ...]
    at: datetime

    def answers_to(self, name: str) -> bool:
        """Tell whether the release is called so; a git sha may be shortened to 7 characters."""
        return name in self.names or (
            len(name) >= _SHORTEST and any(each.startswith(name) for each in self.names)
        )


def check(ground: Ground) -> Finding:
    """Refuse a destructive change that the running release, or the one before it, may still need."""
    from samjhadoo_ops.database.contract import destructive, since
    from samjhadoo_ops.database.lint import LinterMissing, lint

    if ground.inspection is None:
        return skipped("the schema could not be read")
    if ground.first:
        return skipped("no release is running yet")
    scripts = {Path(each.path).name: Path(each.path) for each in ground.inspection.pending}
    if not scripts:
        return ok("nothing is pending")
    settings = ground.env.gates.migrations
    try:
        # No comment in a script silences this: the marker is the way.
        found = lint(scripts.values(), engine_version=ground.env.database.engine_version, heed_comments=False)
    except LinterMissing as error:
        return unknown(error.message, remedy=error.hint)
    dangers: dict[str, tuple[str, list[str]]] = {}
    for name, path in scripts.items():
        if path.suffix.lower() == ".sql":
            text = path.read_text("utf-8")
            dangerous = destructive(
                (each for each in found if each.script == name), settings.destructive, text
            )
            if dangerous:
                dangers[name] = since(text), [str(each) for each in dangerous]
    if not dangers:
        return ok(f"{len(scripts)} pending, the running release can live with them")
    window = timedelta(seconds=float(settings.rollback_window))
    return decide(dangers, successes(ground.entries(), ground.deployments), now=ground.now, window=window)


def decide(
    dangers: Mapping[str, tuple[str, list[str]]],
    history: Sequence[Success],
    *,
    now: datetime,
    window: timedelta,
) -> Finding:
    """Return the finding for destructive scripts.

    Args:
        dangers: By script: the release that its marker names (empty for none), and what is destructive.
        history: Which releases came into production, the newest first.
        window: How long a release must have been there, so that nobody goes back behind it.

    """
    objections: list[str] = []
    for script, (release, statements) in dangers.items():
        why = objection(release, history, now=now, window=window)
        if why:
            objections += [*statements, f"{script}: {why}"]
    if objections:
        return refused(
            f"the running release may not survive {', '.join(sorted(dangers))}",
            remedy=_RULE,
            details=tuple(objections),
        )
    told = ", ".join(f"{script} since {release}" for script, (release, _) in sorted(dangers.items()))
    return ok(f"contracts what nobody needs any more: {told}")


def objection(release: str, history: Sequence[Success], *, now: datetime, window: timedelta) -> str:
    """Return why a release named by a marker doesn't allow a destructive change; empty when it does."""
    if not release:
        return "it has no comment `-- contract: since=RELEASE`"
    named = [success for success in history if success.answers_to(release)]
    if not named:
        return f"release {release} was never deployed with success"
    began = named[-1].at
    # What serves now may be older: somebody went back.
    serving = [success for success in history if success.names == history[0].names]
    if serving[-1].at < began:
        return f"the release that runs, {history[0].names[0]}, is older than {release}"
    age = now - began
    if age < window:
        return f"release {release} is in production for {_days(age)}, {_days(window)} are wanted"
    return ""


def successes(entries: Iterable[Entry], deployments: Iterable[Mapping[str, object]]) -> list[Success]:
    """Return which releases came into production, the newest first.

    A deploy that was left to ECS, or whose run died, succeeded when ECS says so.
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


GATE = Gate(
    "migrations_compatible", "the running release can live with the new schema", check, stage=Stage.SCHEMA
)
