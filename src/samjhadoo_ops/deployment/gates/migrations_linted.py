"""A migration that waits for a lock, or blocks writers while it reads a table, takes the site down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused, skipped, unknown
from samjhadoo_ops.deployment.gates.gate import Gate, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_ops.database.lint import Objection
    from samjhadoo_ops.deployment.gates.ground import Ground


def check(ground: Ground) -> Finding:
    """Refuse when squawk objects to a pending migration; what was applied cannot change any more."""
    from samjhadoo_ops.database.lint import LinterMissing, lint

    if ground.inspection is None:
        return skipped("the schema could not be read")
    scripts = [Path(migration.path) for migration in ground.inspection.pending]
    if not scripts:
        return ok("nothing is pending")
    settings = ground.env.gates.migrations
    try:
        objections = lint(
            scripts,
            engine_version=ground.env.database.engine_version,
            # A destructive change has a gate of its own, with an answer of its own.
            exclude=[*settings.exclude, *settings.destructive],
        )
    except LinterMissing as error:
        return unknown(error.message, remedy=error.hint)
    return decide(objections, scripts=len(scripts))


def decide(objections: Sequence[Objection], *, scripts: int) -> Finding:
    """Return the finding for what squawk objects to in so many scripts."""
    if not objections:
        return ok(f"{scripts} pending, nothing to object to")
    first = objections[0]
    return refused(
        f"squawk objects to {len(objections)} statements",
        remedy=first.help or f"see squawk's rule {first.rule}; gates.migrations.exclude takes it out",
        details=tuple(str(each) for each in objections),
    )


GATE = Gate("migrations_linted", "pending migrations are safe to run", check, stage=Stage.SCHEMA)
