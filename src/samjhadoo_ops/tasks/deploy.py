from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.tasks.services import ALL, IMAGE
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(
    help={
        **ALL,
        "image": IMAGE,
        "plan": "Show what would change, without changing anything.",
        "until": "Return when this phase begins: canary, bake or done (default).",
        "resume": "Resume a deploy whose process died: the last one, or this id (see history).",
        "lock_wait": "Wait up to this long for another run's lock, for example 15m.",
        "override": 'Pass a gate that refuses, for a reason that is recorded: GATE="reason". Repeatable.',
        "emergency": "Deploy outside the deployment window, for this reason (recorded).",
        "approved_by": "Manager who approved the emergency.",
        "load": "Send this many requests per second meanwhile (local stacks only), and watch the canary "
        "until they decide.",
        "yes": "Skip the confirmation.",
    },
    optional=("resume",),
    example="invoke deploy --load 50",
)
def deploy(
    c: Context,
    *,
    env: str = "local",
    service: str = "",
    image: str = "",
    plan: bool = False,
    until: str = "done",
    resume: str = "",
    lock_wait: str = "",
    override: tuple[str, ...] = (),
    emergency: str = "",
    approved_by: str = "",
    load: int = 0,
    yes: bool = False,
) -> None:
    """Build, push, migrate and deploy a release."""
    from samjhadoo_ops.deployment.deploy import Deploy
    from samjhadoo_ops.deployment.preflight import read_overrides
    from samjhadoo_ops.deployment.resume import resume as resume_deploy
    from samjhadoo_ops.tasks.load import under_load
    from samjhadoo_ops.tasks.plan import show_before_asking, show_plans
    from samjhadoo_ops.tasks.services import deploy_all, one_for_image, service_options
    from samjhadoo_ops.tasks.session import check_until, open_session, open_sessions, seconds, show_deployed

    check_until(until)
    if image and resume:
        raise ConfigurationError(
            "--resume deploys the image of the run that died: do not combine it with --image"
        )
    patience = seconds("--lock-wait", lock_wait)
    overrides = read_overrides(override, emergency, approved_by)
    if plan or c.config.run.dry:
        show_plans(open_sessions(env, service=service), overrides, image=image)
        return
    session = open_session(env, service=service, start=not resume, common=True)

    def show() -> None:
        if not resume:
            show_before_asking(
                open_sessions(env, service=service), overrides, image=image, waits=bool(patience)
            )

    session.confirm(f"Deploy to {session.env.title}?", yes=yes, show=show)
    if session.env.services:
        if image:
            one_for_image(list(session.env.services))
        deploy_all(
            session,
            resume=resume,
            arguments=service_options(
                override,
                until=until,
                lock_wait=lock_wait,
                emergency=emergency,
                approved_by=approved_by,
                load=load,
            ),
        )
        return
    with under_load(session, load) as session, session.counted():
        if resume:
            name = resume if isinstance(resume, str) else ""
            deployed = resume_deploy(session.context, name, until=until, lock_wait=patience)
        else:
            work = Deploy(session.context, until=until, lock_wait=patience, overrides=overrides, image=image)
            deployed = work.run()
    show_deployed(session, deployed)
