from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ExitCode
from samjhadoo_ops.tasks.services import WHICH
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context

    from samjhadoo_ops.tasks.session import Session


@ops_task(help=WHICH, example="invoke build --env staging")
def build(c: Context, *, env: str = "local", service: str = "") -> None:
    """Build the image unless the registry has it."""
    from samjhadoo_ops.release import build as build_image
    from samjhadoo_ops.tasks.session import open_session

    if c.config.run.dry:
        show_wanted(open_session(env, service=service))
        return
    session = open_session(env, service=service, start=True)
    image = build_image(session.resolved, session.aws, session.console)
    outcome = "unchanged" if image.reused else "built"
    text = f"{outcome}: release {image.version} {image.digest}".rstrip()
    session.console.result(outcome, ExitCode.SUCCEEDED, text, version=image.version, digest=image.digest)


def show_wanted(session: Session) -> None:
    """Show which release would be built, and whether the registry already has it; change nothing."""
    from samjhadoo_ops.release import wanted

    image = wanted(session.resolved, session.aws)
    state = "is already in the registry" if image.reused else "would be built"
    session.console.result(
        "unchanged" if image.reused else "planned",
        ExitCode.SUCCEEDED,
        f"release {image.version} {state} ({image.repository_uri})",
        version=image.version,
        digest=image.digest,
    )
