from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task()
def status(_c: Context, *, env: str = "local") -> None:
    """Show service, release, traffic and deployment."""
    from samjhadoo_ops.deployment.status import fields, lines, look
    from samjhadoo_ops.tasks.session import open_session

    session = open_session(env)
    found = look(session.site)
    if session.console.mode == "json":
        session.console.event("status", **fields(found))
        return
    for line in lines(found):
        session.console.show(line)
