from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_ops.tasks.services import ALL
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(help={**ALL, "limit": "How many deployments to show (default: 20)."})
def history(_c: Context, *, env: str = "local", service: str = "", limit: int = 20) -> None:
    """List past deployments, newest first."""
    from samjhadoo_ops.deployment.status import COLUMNS, SHOWN, rows, shown
    from samjhadoo_ops.tasks.session import open_sessions

    sessions = open_sessions(env, service=service)
    several = len(sessions) > 1
    console = sessions[0].console
    table: list[tuple[Any, ...]] = []
    for session in sessions:
        found = rows(session.context.journal.entries(limit=limit))
        listed = found if console.mode == "json" else shown(found, session.clock)
        table += [(*([session.env.key] if several else []), *row) for row in listed]
    columns = COLUMNS if console.mode == "json" else SHOWN
    console.table(("Service", *columns) if several else columns, table, event="deployment")
