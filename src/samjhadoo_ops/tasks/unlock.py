from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ExitCode
from samjhadoo_ops.tasks.services import WHICH
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(
    help={**WHICH, "reason": "Reason, recorded in the journal.", "yes": "Skip the confirmation."},
    example='invoke unlock --reason "CI runner lost"',
)
def unlock(c: Context, *, env: str = "local", service: str = "", reason: str = "", yes: bool = False) -> None:
    """Release the lock of a run that has died."""
    from samjhadoo_ops.deployment.unfinished import unlock as release
    from samjhadoo_ops.tasks.session import open_session

    session = open_session(env, service=service)
    if not c.config.run.dry:
        session.confirm(f"Unlock {session.env.title}?", yes=yes)
    owner = release(session.context, reason=reason, dry=c.config.run.dry)
    text = f"released the lock of {owner}" if owner else "the lock is free: nothing to do"
    session.console.result("unlocked" if owner else "unchanged", ExitCode.SUCCEEDED, text)
