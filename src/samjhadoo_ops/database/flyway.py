"""Flyway's arguments as data; they are the same wherever Flyway runs.

Observed with Flyway 12.4: it is an error to give a setting twice, or as an argument and as a variable
FLYWAY_…, too.
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
    # Off by default, so that a mistyped folder would be a valid, empty set of migrations.
    "failOnMissingLocations": "true",
    "validateMigrationNaming": "true",
    # With Flyway's lock in a transaction, CREATE INDEX CONCURRENTLY would wait for itself (flyway#1464).
    "postgresql.transactional.lock": "false",
}
OWN = frozenset(
    {"url", "user", "password", "locations", "outputType", "configFiles", "ignoreMigrationPatterns"}
)
"""Settings that the tool sets itself; `ignoreMigrationPatterns` may be extended."""
QUIET = "-skipCheckForUpdate"
"""Keeps Flyway from looking for a newer version on the internet at each start."""
VARIABLES: Mapping[str, str] = {"REDGATE_DISABLE_TELEMETRY": "true"}


@dataclass(frozen=True)
class Timeouts:
    """Time-outs in real seconds for a lock, a statement and a whole run of Flyway."""

    lock: float
    statement: float
    run: float


@dataclass(frozen=True)
class Flyway:
    """Flyway's arguments for one database.

    Args:
        locations: Folders with scripts, as Flyway sees them.
        timeouts: See `Timeouts`.
        settings: Further settings, without the prefix `flyway.`.
        application: The name of its database sessions, which identifies those of a killed run.
    """

    locations: Sequence[PurePath]
    timeouts: Timeouts
    settings: Mapping[str, str] = field(default_factory=dict)
    application: str = field(default_factory=lambda: f"samjhadoo-ops-flyway-{uuid.uuid4().hex[:12]}")

    @property
    def parameters(self) -> dict[str, str]:
        """Server parameters for Flyway's sessions."""
        return {
            "lock_timeout": _milliseconds(self.timeouts.lock),
            "statement_timeout": _milliseconds(self.timeouts.statement),
        }

    def arguments(self, *operations: str, ignore: Sequence[str] = (), **given: str) -> list[str]:
        """Return the arguments, without the password.

        Args:
            operations: Flyway's commands, which run one after the other in one process.
            ignore: Patterns of migrations that `validate` ignores.
            given: Settings that select the database: `url` and `user`.

        Raises:
            ConfigurationError: `database.flyway` sets what the tool sets.
        """
        taken = sorted(OWN.intersection(self.settings) - {"ignoreMigrationPatterns"})
        if taken:
            raise ConfigurationError(
                f"database.flyway.{taken[0]}: the tool sets this itself",
                hint=f"remove {taken[0]} from [database.flyway]",
            )
        # Future migrations are normal: the database has them after a release was rolled back.
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
    # To PostgreSQL, zero means no time-out.
    return str(max(1, round(seconds * 1000)))
