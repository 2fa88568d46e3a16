from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ExitCode
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(
    help={
        "to": "Release to return to: version, git sha, digest or task definition.",
        "yes": "Don't ask for confirmation.",
    }
)
def rollback(c: Context, *, env: str = "local", to: str = "", yes: bool = False) -> None:
    """Go back to the last release that worked."""
    from samjhadoo_ops.deployment.rollback import foresee
    from samjhadoo_ops.deployment.rollback import rollback as go_back
    from samjhadoo_ops.tasks.session import open_session

    session = open_session(env)
    session.aws.account_guard()
    if c.config.run.dry:
        session.console.result("planned", ExitCode.SUCCEEDED, foresee(session.site, to=to))
        return
    session.confirm(f"Roll {env} back?", yes=yes)
    returned = go_back(session.site, to=to)
    session.console.result(
        "rolled back",
        ExitCode.SUCCEEDED,
        f"rolled back: {returned.release} serves all traffic",
        how=returned.how,
        release=returned.release,
        deployment=returned.deployment,
        restored=returned.restored,
    )
