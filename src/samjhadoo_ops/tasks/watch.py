from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.tasks.services import WHICH
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(
    help={
        **WHICH,
        "deploy": "Id of the deploy, from invoke history (default: the latest).",
        "until": "Return when this phase begins: canary, bake or done (default).",
        "lock_wait": "Wait up to this long for another run's lock, for example 15m.",
    },
    example="invoke watch --until bake",
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
    """Watch a running deployment to its end."""
    from samjhadoo_ops.deployment.resume import watch as watch_deploy
    from samjhadoo_ops.tasks.session import check_until, open_session, seconds, show_deployed

    check_until(until)
    patience = seconds("--lock-wait", lock_wait)
    session = open_session(env, service=service)
    with session.counted():
        deployed = watch_deploy(session.context, deploy, until=until, lock_wait=patience)
    show_deployed(session, deployed)
