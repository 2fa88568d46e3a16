from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.tasks.services import ALL, headline
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(
    help={**ALL, "limit": "How many deployments to show (default: 20)."}, example="invoke history --limit 5"
)
def history(_c: Context, *, env: str = "local", service: str = "", limit: int = 20) -> None:
    """List past deployments, newest first."""
    from samjhadoo_ops.deployment.status import COLUMNS, for_people, rows
    from samjhadoo_ops.tasks.session import not_negative, open_sessions

    not_negative("--limit", limit)
    for number, session in enumerate(open_sessions(env, service=service)):
        headline(session, first=not number)
        console, found = session.console, rows(session.context.journal.entries(limit=limit))
        named = (("Service",), (session.env.key,)) if session.env.key else ((), ())
        console.records((*named[0], *COLUMNS), [(*named[1], *row) for row in found], event="deployment")
        for row in found:
            sentence, deploy = for_people(row, session.clock)
            console.show(f"{deploy}\n  {sentence}")
        if not found:
            console.show("nothing was deployed yet")
