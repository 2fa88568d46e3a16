from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError, ExitCode
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(
    help={
        "plan": "Show what would change, and change nothing.",
        "until": "Return when the old release is only kept (bake), or when all is done (done).",
        "yes": "Don't ask for confirmation.",
    }
)
def deploy(
    c: Context, *, env: str = "local", plan: bool = False, until: str = "done", yes: bool = False
) -> None:
    """Build, push, migrate and roll out a release."""
    from samjhadoo_ops.deployment.deploy import Deploy
    from samjhadoo_ops.deployment.outcome import Phase
    from samjhadoo_ops.tasks.plan import show_plan
    from samjhadoo_ops.tasks.session import open_session

    stops = {"bake": Phase.BAKING, "done": None}
    if until not in stops:
        raise ConfigurationError(f"--until {until}: expected bake or done")
    if plan or c.config.run.dry:
        show_plan(open_session(env))
        return
    session = open_session(env, start=True)
    session.confirm(f"Deploy to {env}?", yes=yes)
    deployed = Deploy(session.site, until=stops[until]).run()
    session.console.result(
        deployed.outcome,
        ExitCode.SUCCEEDED,
        deployed.told(session.production),
        release=deployed.release,
        digest=deployed.digest,
        deployment=deployed.deployment,
        url=session.production,
        seconds=deployed.seconds,
    )
