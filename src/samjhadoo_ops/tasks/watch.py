from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.tasks.services import WHICH
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(
    help={
        **WHICH,
        "deploy": "The deploy to watch, by the id that invoke history shows; the last one by default.",
        "until": "Return at the canary, at the bake or at the end: canary, bake, done.",
        "lock_wait": "Wait so long for the lock of another run, such as 15m.",
    }
)
def watch(
    _c: Context,
    *,
    env: str = "local",
    service: str = "",
    deploy: str = "",
    until: str = "done",
    lock_wait: str = "",
) -> None:
    """Attend a running deployment to its end."""
    from samjhadoo_ops.deployment.reattach import watch as attend
    from samjhadoo_ops.tasks.session import open_session
    from samjhadoo_ops.tasks.waiting import known_until, seconds, show_deployed

    known_until(until)
    patience = seconds("--lock-wait", lock_wait)
    session = open_session(env, service=service)
    with session.counted():
        deployed = attend(session.site, deploy, until=until, lock_wait=patience)
    show_deployed(session, deployed)
