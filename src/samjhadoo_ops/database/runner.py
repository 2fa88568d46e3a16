"""How Flyway is run: by its command line, from its image, or as a task in the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_ops.database.history import History


class NoAnswerError(OpsError):
    """Flyway began, and what it answered is not known; what it had committed stands."""


class RunTimeoutError(NoAnswerError):
    """A run of Flyway took longer than it may, and was ended; what it had committed stands."""


@dataclass(frozen=True)
class Run:
    """What a run of Flyway printed; paths in it are this machine's."""

    exit_code: int
    output: str
    log: str


class Runner(Protocol):
    """Runs Flyway for one database."""

    @property
    def database(self) -> str:
        """The database, as errors call it."""

    @property
    def leaves_nothing(self) -> bool:
        """Whether a run that only looks leaves nothing behind at AWS: no image, no task definition."""

    def run(self, *operations: str, ignore: Sequence[str] = ()) -> Run:
        """Run Flyway to its end.

        Args:
            operations: Flyway's commands, run one after the other; `answer.result_of` finds each one's.
            ignore: Patterns of migrations that `validate` does not object to.

        Raises:
            ConfigurationError: A setting is wrong; Flyway did not run.
            Refused: Flyway could not be started.
            NoAnswerError: It began and did not end, or its answer is lost.

        """

    def history(self) -> History:
        """Return what the history table holds; empty when there is none.

        Raises:
            Refused: The database does not answer.

        """
