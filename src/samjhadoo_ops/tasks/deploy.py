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
        "plan": "Show what would change, and change nothing.",
        "until": "Return at the canary or the bake, leaving the rest to invoke watch: canary, bake, done.",
        "resume": "Go on with a deploy whose run died: the last one, or the id that invoke history shows.",
        "lock_wait": "Wait so long for the lock of another run, such as 15m.",
        "override": 'Pass a closed gate, with the reason for the record: GATE="reason" (repeatable).',
        "emergency": "Why this cannot wait for the deployment window.",
        "approved_by": "The manager who approved the emergency.",
        "yes": "Don't ask for confirmation.",
    },
    optional=("resume",),
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
    yes: bool = False,
) -> None:
    """Build, push, migrate and roll out a release."""
    from samjhadoo_ops.deployment.consent import read_consent
    from samjhadoo_ops.deployment.deploy import Deploy
    from samjhadoo_ops.deployment.reattach import resume as go_on
    from samjhadoo_ops.tasks.plan import show_plans
    from samjhadoo_ops.tasks.services import deploy_all, one_for_image, passed_on
    from samjhadoo_ops.tasks.session import open_session, open_sessions
    from samjhadoo_ops.tasks.waiting import known_until, seconds, show_deployed

    known_until(until)
    if image and resume:
        raise ConfigurationError("--resume goes on with the image of the run that died: leave --image out")
    patience = seconds("--lock-wait", lock_wait)
    consent = read_consent(override, emergency, approved_by)
    if plan or c.config.run.dry:
        show_plans(open_sessions(env, service=service), consent, image=image)
        return
    session = open_session(env, service=service, start=not resume, common=True)
    session.confirm(f"Deploy to {session.env.title}?", yes=yes)
    if session.env.services:
        if image:
            one_for_image(list(session.env.services))
        deploy_all(
            session, resume=resume, arguments=passed_on(until, lock_wait, override, emergency, approved_by)
        )
        return
    with session.counted():
        if resume:
            name = resume if isinstance(resume, str) else ""
            deployed = go_on(session.site, name, until=until, lock_wait=patience)
        else:
            work = Deploy(session.site, until=until, lock_wait=patience, consent=consent, image=image)
            deployed = work.run()
    show_deployed(session, deployed)
