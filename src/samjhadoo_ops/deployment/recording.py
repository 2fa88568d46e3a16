"""Recording how a run ended, also when it failed, and telling what had been changed by then."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.journal import FINISHED, LEFT
from samjhadoo_ops.deployment.lock import LostLock
from samjhadoo_ops.errors import (
    ConfigurationError,
    DeploymentFailed,
    ExitCode,
    OpsError,
    PersonNeeded,
    Refused,
    WaitingForPerson,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from samjhadoo_ops.console import Console
    from samjhadoo_ops.deployment.journal import Recorder


@contextmanager
def recorded(recorder: Recorder, console: Console, changes: Sequence[str]) -> Iterator[None]:
    """Record the end of what the block does, if the block has not.

    While a deployment may go on at ECS (`Recorder.unended`) an error does not end it: it is recorded as
    left, so that it can be watched again. Who has lost the lock writes nothing: the journal is another's.

    Args:
        changes: What has been changed so far, for people; the block appends to it.

    Raises:
        OpsError: What the block raised, an AWS client's error in our words.
        PersonNeeded: An AWS call failed while a deployment may go on at ECS.

    """
    from samjhadoo_ops.aws_errors import translate

    try:
        yield
    except LostLock as error:
        error.changed = error.changed or "; ".join(changes)
        raise
    except OpsError as error:
        error.changed = error.changed or "; ".join(changes)
        if isinstance(error, WaitingForPerson):  # the deployment goes on at ECS, and a later run with it
            _note(
                recorder,
                console,
                event=LEFT,
                outcome="left paused",
                error=error.message,
                exit_code=int(error.exit_code),
            )
        else:
            ended = isinstance(error, DeploymentFailed | Refused | ConfigurationError)
            event = FINISHED if ended else _ending(recorder)
            told = _in_doubt(recorder, error)
            _note(
                recorder,
                console,
                event=event,
                outcome="failed",
                error=error.message,
                exit_code=int(told.exit_code),
            )
            if told is not error:
                raise told from error
        raise
    except (KeyboardInterrupt, SystemExit) as interrupt:
        if not recorder.finished:
            console.event("interrupted", f"interrupted; changed: {'; '.join(changes) or 'nothing'}")
        code = ExitCode.INTERRUPTED if isinstance(interrupt, KeyboardInterrupt) else ExitCode.TERMINATED
        _note(recorder, console, event=_ending(recorder), outcome="interrupted", exit_code=int(code))
        raise
    except Exception as error:
        translated = translate(error, changed="; ".join(changes))
        translated = translated and _in_doubt(recorder, translated)
        code = translated.exit_code if translated else ExitCode.UNEXPECTED
        said = f"{type(error).__name__}: {error}"
        _note(recorder, console, event=_ending(recorder), outcome="failed", error=said, exit_code=int(code))
        if translated is None:
            raise
        raise translated from error


def _in_doubt(recorder: Recorder, error: OpsError) -> OpsError:
    """Return what a failure means: while a deployment may go on at ECS, that a person has to look."""
    if not recorder.unended or error.exit_code != ExitCode.UNEXPECTED:
        return error
    return PersonNeeded(
        f"the deployment may go on at ECS without us: {error.message}",
        hint="invoke status shows how far it is; invoke watch goes on with it, invoke rollback takes it back",
        changed=error.changed,
        details=error.details,
        failure=error.failure,
    )


def _ending(recorder: Recorder) -> str:
    return LEFT if recorder.unended else FINISHED


def _note(recorder: Recorder, console: Console, *, event: str = FINISHED, **data: Any) -> None:
    """Record the end; when even that fails, the error that led here matters more."""
    if recorder.finished:
        return
    try:
        recorder.write(event, **data)
    except Exception as error:  # noqa: BLE001  # the store may be what is out of reach
        console.event("unrecorded", f"the journal could not be written: {error}")
