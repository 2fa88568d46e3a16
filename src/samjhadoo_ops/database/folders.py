"""What the folders of scripts hold besides migrations: callbacks, and files that Flyway does not run.

Observed with Flyway 12.4: names of callbacks are case-sensitive, suffixes are not; `migrate` runs callbacks
when nothing is pending, too; `info` and `validate` run those of a connection and their own. A file with a
migration's name and a suffix that Flyway does not know (`.java`) is left out without a word.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from samjhadoo_ops.database.answer import ALWAYS, WITH_PLANS, Migration, version_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_EVENTS = {
    *(*ALWAYS, *WITH_PLANS, "beforeConnect", "afterConnect", "beforeCreateSchema", "createSchema"),
    "afterMigrateApplied",
    *("beforeEachMigrate", "afterEachMigrate", "beforeEachMigrateStatement", "afterEachMigrateStatement"),
}
"""Events of `info`, `validate` and a `migrate` that succeeds."""
_CALLBACK = re.compile(r"(?P<event>[a-z][A-Za-z]+?)(?:__.*)?\.(?i:sql|sh|bash|py|ps1|bat|cmd)")
_MIGRATION = re.compile(r"(?:V(?P<version>\d+(?:[._]\d+)*)|R)__(?P<description>[^.]+)\..+")


def callback_folders(settings: Mapping[str, str]) -> list[str]:
    """Return the folders that Flyway's setting names instead of the scripts' ones; none without it."""
    named = settings.get("callbackLocations", "").split(",")
    return [each.strip().removeprefix("filesystem:") for each in named if each.strip()]


def callbacks(folders: Iterable[Path]) -> Iterator[Migration]:
    """Yield the callbacks that a plan or `migrate` runs; each has its event as its state."""
    for path in _files(folders):
        found = _CALLBACK.fullmatch(path.name)
        if found and found["event"] in _EVENTS:
            yield Migration("", path.stem, found["event"], str(path))


def left_out(folders: Iterable[Path], migrations: Iterable[Migration]) -> Iterator[Path]:
    """Yield the files that are named like a migration of which Flyway knows nothing.

    Args:
        migrations: What Flyway lists; a file beside one of them (a copy, notes) does no harm.
    """
    known = {_key(each.version, each.description) for each in migrations}
    for path in _files(folders):
        found = _MIGRATION.fullmatch(path.name)
        if found and _key(found["version"] or "", found["description"]) not in known:
            yield path


def _files(folders: Iterable[Path]) -> list[Path]:
    return sorted({path for folder in folders for path in folder.rglob("*") if path.is_file()})


def _key(version: str, description: str) -> str:
    """Return what identifies a migration: its version, or a repeatable one's description."""
    return str(version_order(version)) if version else description.replace("_", " ")
