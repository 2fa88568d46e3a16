from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ExitCode, OpsError
from samjhadoo_ops.tasks.services import WHICH
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context

    from samjhadoo_ops.deployment.run import ServiceContext


@ops_task(
    help={
        **WHICH,
        "deployment": "Roll back only this ECS deployment (ARN), running or completed.",
        "to": "Release to roll back to: version, git commit, digest or task definition.",
        "force_schema": "Allow a release that the schema no longer supports, for this reason (recorded).",
        "lock_wait": "Wait up to this long for another run's lock, for example 15m.",
        "yes": "Skip the confirmation.",
    },
    example="invoke rollback --to 3f2a9c1b7d04",
)
def rollback(
    c: Context,
    *,
    env: str = "local",
    service: str = "",
    deployment: str = "",
    to: str = "",
    force_schema: str = "",
    lock_wait: str = "",
    yes: bool = False,
) -> None:
    """Roll back to the last successful release."""
    from samjhadoo_ops.deployment.rollback import planned_rollback, roll_back_deployment
    from samjhadoo_ops.deployment.rollback import rollback as roll_back
    from samjhadoo_ops.streams import short
    from samjhadoo_ops.tasks.session import open_session, seconds

    patience = seconds("--lock-wait", lock_wait)
    session = open_session(env, service=service)
    session.aws.account_guard()
    if c.config.run.dry:
        session.console.result("planned", ExitCode.SUCCEEDED, short(planned_rollback(session.context, to=to)))
        return
    session.confirm(f"Roll {session.env.title} back?", yes=yes)
    with session.counted():
        options = {"to": to, "force_schema": force_schema}
        if deployment:
            result = roll_back_deployment(session.context, deployment, **options, lock_wait=patience)
        else:
            result = roll_back(session.context, **options, lock_wait=patience)
        schema = _schema(session.context)
    stays = f"; the schema stays at V{schema}" if schema else ""
    session.console.result(
        "rolled back",
        ExitCode.SUCCEEDED,
        f"rolled back: {short(result.release)} serves all traffic{stays}",
        how=result.how,
        release=result.release,
        deployment=result.deployment,
        restored=result.restored,
        schema=schema,
    )


def _schema(context: ServiceContext) -> str:
    """Return the schema's version from the journal; empty if it cannot be read."""
    from samjhadoo_ops.aws_errors import aws_errors
    from samjhadoo_ops.deployment.rollback import schema_version

    try:
        with aws_errors():
            return schema_version(context.journal.past())
    except OpsError:
        return ""
