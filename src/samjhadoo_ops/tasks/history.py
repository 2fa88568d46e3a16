from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.tasks.services import ALL
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(help={**ALL, "limit": "How many deployments to show (default: 20)."})
def history(_c: Context, *, env: str = "local", service: str = "", limit: int = 20) -> None:
    """List past deployments, newest first."""
    from samjhadoo_ops.deployment.status import COLUMNS, rows
    from samjhadoo_ops.tasks.session import open_sessions

    sessions = open_sessions(env, service=service)
    several = len(sessions) > 1
    shown = [
        (*([session.env.key] if several else []), *row)
        for session in sessions
        for row in rows(session.context.journal.entries(limit=limit))
    ]
    columns = ("Service", *COLUMNS) if several else COLUMNS
    sessions[0].console.table(columns, shown, event="deployment")
