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
    console, several = sessions[0].console, len(sessions) > 1
    found: list[tuple[Any, ...]] = []
    listed: list[tuple[Any, ...]] = []
    for session in sessions:
        key = (session.env.key,) if several else ()
        table = rows(session.context.journal.entries(limit=limit))
        found += [(*key, *row) for row in table]
        listed += [(*key, *row) for row in shown(table, session.clock)]
    first = ("Service",) if several else ()
    console.records((*first, *COLUMNS), found, event="deployment")
    console.grid((*first, *SHOWN), listed)
