"""The judge of migrations: whether the running release works with them.

There is one answer: the gate and the plan ask for it, the journal records it before the migration, and
`rollback` reads it back from there. Two sets of rules examine each script, and the worse answer counts:
squawk's rules that the settings call destructive (`gates.migrations.destructive`), and patterns for
statements that remove or rename something, which also cover what squawk does not report (a plain TRUNCATE).

A script can declare which releases it breaks: `-- contract: since=RELEASE`, every release before that one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.database.lint import lint
from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from samjhadoo_ops.database.answer import Migration
    from samjhadoo_ops.database.lint import Objection
    from samjhadoo_ops.environment import Environment

_MARKER = re.compile(
    r"^[ \t]*--[ \t]*contract:[ \t]*since=(?P<release>\S+)[ \t]*$", re.MULTILINE | re.IGNORECASE
)
_NOT_CODE = re.compile(
    r"--[^\n]*|/\*.*?\*/|(?P<quote>\$\w*\$).*?(?P=quote)|'(?:[^']|'')*'", re.DOTALL | re.MULTILINE
)
_BREAKING = {
    r"\bdrop\s+(table|view|materialized\s+view|schema|type|function|sequence|domain)\b": "drops a {0}",
    r"\balter\s+table\b[^;]*?\bdrop\s+(?!constraint|default|not\s+null|expression|identity)(column\b)?": (
        "drops a column"
    ),
    r"\brename\s+(column|constraint|value|attribute|to)\b": "renames something",
    r"\balter\s+table\b[^;]*?\balter\s+(column\s+)?\S+\s+(set\s+data\s+)?type\b": "changes a column's type",
    r"\balter\s+table\b[^;]*?\balter\s+(column\s+)?\S+\s+set\s+not\s+null\b": "makes a column required",
    r"\btruncate\b": "empties a table",
}
_DROPPED_VIEW = re.compile(
    r"\bDROP\s+(?:MATERIALIZED\s+)?VIEW\s+(?:IF\s+EXISTS\s+)?(?P<name>[\w.\"]+)", re.IGNORECASE
)
_VIEW_DROPS = frozenset({"drops a view", "drops a materialized view"})
_REMADE = "drops a view and creates it again"


class Compatibility(StrEnum):
    """Whether the running release works with a migration."""

    SAFE = "safe"
    UNKNOWN = "unknown"
    BREAKS = "breaks"


@dataclass(frozen=True)
class Reason:
    """Why a statement is not safe.

    Attributes:
        line: The statement's line in the script, from 1 on; 0 where only the script is known.
        rule: squawk's rule and message; empty when only a pattern found the statement.
    """

    script: str
    line: int
    what: str
    answer: Compatibility = Compatibility.BREAKS
    rule: str = ""

    def __str__(self) -> str:
        return f"{self.script}:{self.line}: {self.rule or self.what}"


@dataclass(frozen=True)
class ScriptJudgement:
    """The answer for one script.

    Attributes:
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
        return Compatibility.UNKNOWN if answers else Compatibility.SAFE

    @property
    def what(self) -> str:
        """Return what the script does to older releases, in words; empty for a safe one."""
        if self.since:
            return f"since={self.since}"
        return ", ".join(dict.fromkeys(reason.what for reason in self.reasons))


@dataclass(frozen=True)
class MigrationsJudgement:
    """The answer for migrations that run together.

    Attributes:
        failure: Why squawk could not examine them; then only the patterns were applied.
    """

    scripts: tuple[ScriptJudgement, ...]
    failure: OpsError | None = None

    def of(self, answer: Compatibility) -> tuple[ScriptJudgement, ...]:
        """Return the scripts with this answer."""
        return tuple(script for script in self.scripts if script.answer is answer)

    @property
    def answer(self) -> Compatibility:
        """Return the worst answer for any script; UNKNOWN when they could not be examined."""
        if self.of(Compatibility.BREAKS):
            return Compatibility.BREAKS
        unknown = self.failure is not None or self.of(Compatibility.UNKNOWN)
        return Compatibility.UNKNOWN if unknown else Compatibility.SAFE

    @property
    def record(self) -> dict[str, dict[str, str]]:
        """Return what the journal keeps: scripts that are not safe, each with what it does."""
        breaking, unclear = self.of(Compatibility.BREAKS), self.of(Compatibility.UNKNOWN)
        return {
            "breaking": {each.script: each.what for each in breaking},
            **({"unknown": {each.script: each.what for each in unclear}} if unclear else {}),
        }


def judge_migrations(migrations: Iterable[Migration], env: Environment) -> MigrationsJudgement:
    """Return whether the running release works with migrations, script by script; never raises."""
    paths = {migration.script: Path(migration.path) for migration in migrations}
    failure = None
    try:
        # No comment in a script silences this: the marker is the way.
        found = lint(paths.values(), engine_version=env.database.engine_version, heed_comments=False)
    except OpsError as error:
        found, failure = [], error
    destructive = env.gates.migrations.destructive
    scripts = [
        judge_script(script, _text(path), [each for each in found if each.script == script], destructive)
        for script, path in paths.items()
    ]
    return MigrationsJudgement(tuple(scripts), failure)


def judge_script(
    script: str, text: str, objections: Iterable[Objection], destructive: Collection[str]
) -> ScriptJudgement:
    """Return the answer for a script's text.

    Args:
        objections: What squawk reported for the script.
        destructive: Those of squawk's rules that mean a danger for the running release.
    """
    code = _NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    words = _breaking_statements(code)
    reasons = []
    for each in objections:
        if each.rule in destructive:
            what = ", ".join(words.pop(each.line, [])) or each.rule
            reasons.append(Reason(script, each.line, what, rule=f"{each.rule}: {each.message}"))
    reasons += [Reason(script, line, ", ".join(what)) for line, what in words.items()]
    remade = _remade_views(code)
    settled = [
        replace(reason, what=_REMADE, answer=Compatibility.UNKNOWN)
        if reason.line in remade and reason.what in _VIEW_DROPS
        else reason
        for reason in sorted(reasons, key=lambda reason: reason.line)
    ]
    return ScriptJudgement(script, tuple(settled), since(text))


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


def _breaking_statements(code: str) -> dict[int, list[str]]:
    """Return what the patterns find in a script without comments and strings: words, by line."""
    found: dict[int, list[str]] = {}
    for pattern, words in _BREAKING.items():
        for match in re.finditer(pattern, code, re.IGNORECASE):
            what = words.format(*(" ".join(part.lower().split()) for part in match.groups() if part))
            found.setdefault(_line(code, match.end() - 1), []).append(what)
    return found


def _remade_views(code: str) -> set[int]:
    """Return the lines on which each view that is dropped is created again further down."""
    remade: dict[int, bool] = {}
    for match in _DROPPED_VIEW.finditer(code):
        created = rf"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:MATERIALIZED\s+)?VIEW\s+{re.escape(match['name'])}\b"
        again = re.search(created, code[match.end() :], re.IGNORECASE) is not None
        line = _line(code, match.start())
        remade[line] = again and remade.get(line, True)
    return {line for line, again in remade.items() if again}


def _line(code: str, position: int) -> int:
    return code.count("\n", 0, position) + 1


def _text(path: Path) -> str:
    return path.read_text("utf-8", errors="replace") if path.is_file() else ""
