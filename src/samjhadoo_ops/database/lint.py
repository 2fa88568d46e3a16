"""squawk on migration scripts: what would lock, fail or break the running release.

Seen in squawk 2.70's output: `--reporter json` prints a list of findings, lines counted from 0; it ends
with 1 when there are any and with 0 when there are none. A comment `-- squawk-ignore RULE` silences a rule
for the statement that follows. Settings of squawk's own (`.squawk.toml`) are not read: ours are in `[gates]`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SECONDS = 30.0
"""Real seconds in which squawk must have read all scripts."""
JUDGED = (
    *("ban-drop-column", "ban-drop-table", "ban-drop-view", "ban-drop-schema", "ban-drop-database"),
    *(
        "ban-drop-not-null",
        "ban-drop-constraint",
        "ban-truncate-cascade",
        "renaming-column",
        "renaming-table",
    ),
    *("renaming-object", "changing-column-type", "adding-required-field", "adding-not-nullable-field"),
)
"""Rules about what breaks the running release, which the judge answers."""
_PLACEHOLDER = re.compile(r"\$\{[^}\n]*\}")
_OUTSIDE = re.compile(r"^\s*executeInTransaction\s*=\s*false\s*$", re.MULTILINE | re.IGNORECASE)
_MUTE = re.compile(r"squawk-ignore", re.IGNORECASE)


class LinterMissing(OpsError):
    """squawk is not installed."""


@dataclass(frozen=True)
class Objection:
    """What squawk reports for a statement."""

    script: str
    line: int
    rule: str
    message: str
    help: str = ""

    def __str__(self) -> str:
        return f"{self.script}:{self.line}: {self.rule}: {self.message}"


def lint(
    scripts: Iterable[Path], *, engine_version: str, exclude: Sequence[str] = (), heed_comments: bool = True
) -> list[Objection]:
    """Return what squawk objects to in Flyway's SQL scripts; other scripts are left out.

    Args:
        engine_version: PostgreSQL's, such as `14`.
        exclude: Rules that don't count.
        heed_comments: Whether a comment in a script may silence a rule.

    Raises:
        LinterMissing: squawk is not installed.
        OpsError: It could not read the scripts.
    """
    sql = [script for script in scripts if script.suffix.lower() == ".sql"]
    if not sql:
        return []
    program = find_squawk()
    groups = {inside: [each for each in sql if in_transaction(each) is inside] for inside in (True, False)}
    with tempfile.TemporaryDirectory(prefix="samjhadoo-lint-") as folder, ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(
                _run,
                arguments(program, engine_version=engine_version, exclude=exclude, inside=inside),
                _copies(group, Path(folder) / str(inside), heed_comments=heed_comments),
            )
            for inside, group in groups.items()
            if group
        ]
        found = [objection for run in runs for objection in run.result()]
    order = {script.name: number for number, script in enumerate(sql)}
    return sorted(found, key=lambda each: (order.get(each.script, 0), each.line, each.rule))


def find_squawk() -> str:
    """Return the path of squawk: this Python's own, else the one on PATH; raise `LinterMissing` without."""
    found = shutil.which("squawk", path=str(Path(sys.executable).parent)) or shutil.which("squawk")
    if found is None:
        raise LinterMissing(
            "squawk, which checks the migrations, is not installed", hint="pip install squawk-cli"
        )
    return found


def in_transaction(script: Path) -> bool:
    """Return whether Flyway runs a script in a transaction: unless `<script>.conf` turns that off."""
    try:
        return not _OUTSIDE.search(script.with_name(f"{script.name}.conf").read_text("utf-8"))
    except OSError:
        return True


def arguments(program: str, *, engine_version: str, exclude: Sequence[str], inside: bool) -> list[str]:
    """Return squawk's command line, without the scripts."""
    return [
        program,
        "--reporter=json",
        f"--pg-version={engine_version if '.' in engine_version else engine_version + '.0'}",
        *([f"--exclude={','.join(exclude)}"] if exclude else []),
        *(["--assume-in-transaction"] if inside else ["--no-assume-in-transaction"]),
    ]


def readable(text: str, *, heed_comments: bool) -> str:
    """Return a script as squawk gets it: with names for Flyway's placeholders, lines unchanged."""
    filled = _PLACEHOLDER.sub("placeholder", text)
    return filled if heed_comments else _MUTE.sub("squawk-heed", filled)


def _copies(scripts: Sequence[Path], folder: Path, *, heed_comments: bool) -> list[Path]:
    copies = []
    for number, script in enumerate(scripts):
        copy = folder / str(number) / script.name
        copy.parent.mkdir(parents=True)
        try:
            text = script.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise OpsError(f"{script} cannot be read: {error}", hint="scripts are UTF-8 text") from error
        copy.write_text(readable(text, heed_comments=heed_comments), "utf-8")
        copies.append(copy)
    return copies


def _run(argv: list[str], scripts: list[Path]) -> list[Objection]:
    try:
        # The folder of the copies has no .squawk.toml.
        process = subprocess.run(
            [*argv, *map(str, scripts)],
            cwd=scripts[0].parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OpsError(f"squawk could not read the migrations: {error}") from error
    try:
        return [objection(item) for item in json.loads(process.stdout)]
    except (ValueError, KeyError, TypeError) as error:
        errors = process.stderr.decode(errors="replace").strip().splitlines()
        raise OpsError(
            f"squawk did not answer as expected (exit code {process.returncode})", details=tuple(errors[-5:])
        ) from error


def objection(item: dict[str, Any]) -> Objection:
    """Read one finding."""
    return Objection(
        script=Path(item["file"]).name,
        line=int(item["line"]) + 1,
        rule=item["rule_name"],
        message=" ".join(str(item["message"]).split()),
        help=" ".join(str(item.get("help") or "").split()),
    )
