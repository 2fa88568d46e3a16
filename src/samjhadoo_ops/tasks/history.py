from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(help={"limit": "How many deployments to show."})
def history(_c: Context, *, env: str = "local", limit: int = 20) -> None:
    """List past deployments, the newest first."""
    from samjhadoo_ops.deployment.history import COLUMNS, rows
    from samjhadoo_ops.tasks.session import open_session

    session = open_session(env)
    session.console.table(COLUMNS, rows(session.site.journal.entries(limit=limit)), event="deployment")
