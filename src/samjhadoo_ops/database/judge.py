"""The judge of migrations: whether the running release works with them, and what else they do.

There is one answer: the gates and the plan ask for it, the journal records it before the migration, and
`rollback` reads it back from there. The judge reads what Flyway would send (`script`), follows the statements
in order (`effects`), and knows the schema from the database or, where that cannot be asked, from the scripts
that were applied (`catalogue`).

A script can declare which releases it breaks: `-- contract: since=RELEASE`, every release before that one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.database.catalogue import Catalogue
from samjhadoo_ops.database.effects import Compatibility, Effects, Reason
from samjhadoo_ops.database.script import Script, read_script, settings_in, split
from samjhadoo_ops.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from samjhadoo_ops.database.answer import Inspection, Migration
    from samjhadoo_ops.environment import Environment

_MARKER = re.compile(
    r"^[ \t]*--[ \t]*contract:[ \t]*since=(?P<release>\S+)[ \t]*$", re.MULTILINE | re.IGNORECASE
)
PARSER_MISSING = "pgparse, which reads the migrations, is not installed"
INSTALL = "pip install pgparse"


@dataclass(frozen=True)
class ScriptJudgement:
    """The answer for one script.

    Attributes:
        reasons: What its statements do, as far as that matters.
        since: The oldest release that the script does not break, as its marker declares; empty for no marker.
    """

    script: str
    reasons: tuple[Reason, ...] = ()
    since: str = ""

    @property
    def answer(self) -> Compatibility:
        """Return the worst answer for any of the script's statements."""
        answers = {reason.answer for reason in self.reasons}
        if self.since or Compatibility.BREAKS in answers:
            return Compatibility.BREAKS
        return Compatibility.UNKNOWN if Compatibility.UNKNOWN in answers else Compatibility.SAFE

    @property
    def what(self) -> str:
        """Return what the script does to older releases, in words; empty for a safe one."""
        if self.since:
            return f"since={self.since}"
        worst = (reason.what for reason in self.reasons if reason.answer is self.answer)
        return ", ".join(dict.fromkeys(worst))


@dataclass(frozen=True)
class MigrationsJudgement:
    """The answer for migrations that run together."""

    scripts: tuple[ScriptJudgement, ...]

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Return what the statements of all scripts do."""
        return tuple(reason for script in self.scripts for reason in script.reasons)

    def of(self, answer: Compatibility) -> tuple[ScriptJudgement, ...]:
        """Return the scripts with this answer."""
        return tuple(script for script in self.scripts if script.answer is answer)

    @property
    def answer(self) -> Compatibility:
        """Return the worst answer for any script."""
        worst = (each for each in (Compatibility.BREAKS, Compatibility.UNKNOWN) if self.of(each))
        return next(worst, Compatibility.SAFE)

    @property
    def record(self) -> dict[str, Any]:
        """Return what the journal keeps: what scripts that are not safe do, and all findings."""
        breaking, unclear = self.of(Compatibility.BREAKS), self.of(Compatibility.UNKNOWN)
        return {
            "breaking": {each.script: each.what for each in breaking},
            **({"unknown": {each.script: each.what for each in unclear}} if unclear else {}),
            **({"findings": [str(each) for each in self.reasons]} if self.reasons else {}),
        }


def judge_migrations(
    migrations: Iterable[Migration], env: Environment, inspection: Inspection | None = None
) -> MigrationsJudgement:
    """Return what migrations do, script by script; never raises.

    Args:
        inspection: What is known of the schema and of the migrations before these; None for nothing.
    """
    scripts = [read(migration, env) for migration in migrations]
    try:
        before = _schema(env, inspection)
        return MigrationsJudgement(tuple(judge_scripts(scripts, before)))
    except ImportError:
        unread = [Reason(each.name, 0, PARSER_MISSING, Compatibility.UNKNOWN) for each in scripts]
        return MigrationsJudgement(
            tuple(
                ScriptJudgement(script.name, (reason,), since(script.text))
                for script, reason in zip(scripts, unread, strict=True)
            )
        )


def judge_scripts(scripts: Sequence[Script], catalogue: Catalogue) -> list[ScriptJudgement]:
    """Return the answers for scripts that run in this order.

    Args:
        catalogue: What the schema holds before; it is changed.
    """
    effects = Effects(catalogue)
    for script in scripts:
        effects.follow(script)
    unread = [
        Reason(script.name, 0, "cannot be read as SQL, so what it does is not known", Compatibility.UNKNOWN)
        for script in scripts
        if not script.readable
    ]
    found = sorted((*effects.reasons, *unread), key=lambda reason: reason.line)
    return [
        ScriptJudgement(
            script.name, tuple(each for each in found if each.script == script.name), since(script.text)
        )
        for script in scripts
    ]


def _schema(env: Environment, inspection: Inspection | None) -> Catalogue:
    """Return what the schema holds: as the database describes it, else as the applied scripts made it."""
    settings = settings_in(env.root, env.database.flyway)
    named = settings.get("defaultSchema") or settings.get("schemas", "").split(",")[0] or "public"
    catalogue = Catalogue(path=(named,))
    if inspection is None:
        return catalogue
    effects = Effects(catalogue)
    if inspection.schema is not None:
        effects.follow(split("", inspection.schema))
        catalogue.complete = True
    else:
        for migration in inspection.migrations:
            if not migration.pending and migration.path:
                effects.follow(replace(read(migration, env), name=""))
    return catalogue


def read(migration: Migration, env: Environment) -> Script:
    """Return a migration's script as Flyway reads it; one that is not SQL is not readable."""
    path = Path(migration.path)
    if path.suffix.lower() == ".sql":
        return read_script(path, settings_in(env.root, env.database.flyway))
    return Script(path.name or migration.script, readable=False)


def require_end(migrations: Iterable[Migration], env: Environment) -> None:
    """Refuse scripts with which Flyway would never end, holding its lock."""
    endless = [
        f"{migration.script}:{trouble.line}: {trouble.what}"
        for migration in migrations
        for trouble in read(migration, env).troubles
        if trouble.endless
    ]
    if endless:
        raise Refused(
            "nothing was migrated: Flyway would never end", hint="correct it", details=tuple(endless)
        )


def since(text: str) -> str:
    """Return the release that `-- contract: since=RELEASE` names; empty when there is no such comment."""
    found = _MARKER.search(text)
    return found["release"] if found else ""


def recorded_judgement(data: Mapping[str, Any]) -> MigrationsJudgement:
    """Return the judgement that `record` wrote into the journal."""
    scripts = [
        ScriptJudgement(script, since=what.removeprefix("since="))
        if what.startswith("since=")
        else ScriptJudgement(script, (Reason(script, 0, what, answer),))
        for field, answer in (("breaking", Compatibility.BREAKS), ("unknown", Compatibility.UNKNOWN))
        for script, what in (data.get(field) or {}).items()
    ]
    return MigrationsJudgement(tuple(scripts))
