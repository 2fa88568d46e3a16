"""What Flyway is told, as data: its arguments are the same wherever it runs.

Facts: `reference` C.3 of the project's notes, and Flyway 12.4's own output. A setting given twice is an
error of Flyway's, as is a variable FLYWAY_… beside the argument.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import PurePath

DEFAULTS: Mapping[str, str] = {
    "cleanDisabled": "true",
    # Off by default: a mistyped folder would be an empty, perfectly valid set of migrations.
    "failOnMissingLocations": "true",
    "validateMigrationNaming": "true",
    # Flyway's lock in a transaction would make CREATE INDEX CONCURRENTLY wait for itself (flyway#1464).
    "postgresql.transactional.lock": "false",
}
OWN = frozenset(
    {"url", "user", "password", "locations", "outputType", "configFiles", "ignoreMigrationPatterns"}
)
"""Settings that the tool makes itself; `ignoreMigrationPatterns` is only added to."""
QUIET = "-skipCheckForUpdate"
"""Flyway asks the internet for a newer version at each start unless told not to."""
VARIABLES: Mapping[str, str] = {"REDGATE_DISABLE_TELEMETRY": "true"}


@dataclass(frozen=True)
class Timeouts:
    """Real seconds: for a lock, for a statement, for a whole run of Flyway."""

    lock: float
    statement: float
    run: float


@dataclass(frozen=True)
class Flyway:
    """Flyway's arguments for one database.

    Args:
        locations: Folders of scripts, as Flyway sees them.
        settings: Further settings, without the prefix `flyway.`.
        application: The name of its sessions, by which a killed run's are ended.

    """

    locations: Sequence[PurePath]
    timeouts: Timeouts
    settings: Mapping[str, str] = field(default_factory=dict)
    application: str = field(default_factory=lambda: f"samjhadoo-ops-flyway-{uuid.uuid4().hex[:12]}")

    @property
    def parameters(self) -> dict[str, str]:
        """PostgreSQL's parameters of Flyway's sessions."""
        return {
            "lock_timeout": _milliseconds(self.timeouts.lock),
            "statement_timeout": _milliseconds(self.timeouts.statement),
        }

    def arguments(self, *operations: str, ignore: Sequence[str] = (), **given: str) -> list[str]:
        """Return the arguments, without the password.

        Args:
            operations: Flyway's commands, run one after the other in one process.
            ignore: Patterns of migrations that `validate` does not object to.
            given: Settings that say which database: `url`, `user`.

        Raises:
            ConfigurationError: `database.flyway` sets what the tool sets.

        """
        taken = sorted(OWN.intersection(self.settings) - {"ignoreMigrationPatterns"})
        if taken:
            raise ConfigurationError(
                f"database.flyway.{taken[0]}: this setting is made by the tool",
                hint=f"remove {taken[0]} from [database.flyway]",
            )
        # Future migrations are normal: the database has them after the release was rolled back.
        patterns = [*filter(None, [self.settings.get("ignoreMigrationPatterns")]), "*:future", *ignore]
        settings = {
            **given,
            "locations": ",".join(f"filesystem:{folder}" for folder in self.locations),
            "outputType": "json",
            **DEFAULTS,
            **self.settings,
            "ignoreMigrationPatterns": ",".join(patterns),
        }
        return [*(f"-{name}={value}" for name, value in settings.items()), *operations]


def _milliseconds(seconds: float) -> str:
    # Zero would mean none to PostgreSQL.
    return str(max(1, round(seconds * 1000)))
