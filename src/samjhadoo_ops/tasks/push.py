from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ExitCode
from samjhadoo_ops.tasks.services import WHICH
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(help={**WHICH, "yes": "Skip the confirmation."}, example="invoke push --env staging")
def push(c: Context, *, env: str = "local", service: str = "", yes: bool = False) -> None:
    """Push the image, building it first if needed."""
    from samjhadoo_ops.release import build
    from samjhadoo_ops.release import push as push_image
    from samjhadoo_ops.tasks.build import show_wanted
    from samjhadoo_ops.tasks.session import open_session

    if c.config.run.dry:
        show_wanted(open_session(env, service=service))
        return
    session = open_session(env, service=service, start=True)
    session.aws.account_guard()
    session.confirm(f"Push an image to {session.env.build.repository}?", yes=yes)
    built = build(session.resolved, session.aws, session.console)
    image = push_image(session.resolved, session.aws, session.console, built)
    outcome = "unchanged" if built.reused else "pushed"
    text = f"{outcome}: {image.reference}"
    session.console.result(outcome, ExitCode.SUCCEEDED, text, reference=image.reference, digest=image.digest)
