from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ExitCode
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(
    help={
        "to": "Release to return to: version, git sha, digest or task definition.",
        "force_schema": "Why to return to a release that the schema no longer supports; recorded.",
        "lock_wait": "Wait so long for the lock of another run, such as 15m.",
        "yes": "Don't ask for confirmation.",
    }
)
def rollback(
    c: Context,
    *,
    env: str = "local",
    to: str = "",
    force_schema: str = "",
    lock_wait: str = "",
    yes: bool = False,
) -> None:
    """Go back to the last release that worked."""
    from samjhadoo_ops.deployment.rollback import foresee
    from samjhadoo_ops.deployment.rollback import rollback as go_back
    from samjhadoo_ops.tasks.session import open_session
    from samjhadoo_ops.tasks.waiting import seconds

    patience = seconds("--lock-wait", lock_wait)
    session = open_session(env)
    session.aws.account_guard()
    if c.config.run.dry:
        session.console.result("planned", ExitCode.SUCCEEDED, foresee(session.site, to=to))
        return
    session.confirm(f"Roll {env} back?", yes=yes)
    with session.counted():
        returned = go_back(session.site, to=to, force_schema=force_schema, lock_wait=patience)
    session.console.result(
        "rolled back",
        ExitCode.SUCCEEDED,
        f"rolled back: {returned.release} serves all traffic",
        how=returned.how,
        release=returned.release,
        deployment=returned.deployment,
        restored=returned.restored,
    )
