from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.tasks.services import ALL, headline
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(help=ALL, example="invoke status --env staging")
def status(_c: Context, *, env: str = "local", service: str = "") -> None:
    """Show service, release, traffic and deployment."""
    from samjhadoo_ops.deployment.status import fields, lines, read_status
    from samjhadoo_ops.tasks.session import open_sessions

    for number, session in enumerate(open_sessions(env, service=service)):
        found = read_status(session.context)
        if session.console.mode == "json":
            named = {"key": session.env.key} if session.env.key else {}
            session.console.event("status", **fields(found), **named)
            continue
        headline(session, first=not number)
        for line in lines(found, session.clock):
            session.console.show(line)
