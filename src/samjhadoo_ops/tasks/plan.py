from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ExitCode
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context

    from samjhadoo_ops.deployment.consent import Consent
    from samjhadoo_ops.tasks.session import Session


@ops_task(
    help={
        "override": 'Pass a closed gate, as deploy would: GATE="reason" (repeatable).',
        "emergency": "Why the deploy could not wait for the deployment window.",
        "approved_by": "The manager who approved the emergency.",
    }
)
def plan(
    _c: Context,
    *,
    env: str = "local",
    override: tuple[str, ...] = (),
    emergency: str = "",
    approved_by: str = "",
) -> None:
    """Show what a deploy would change, and change nothing."""
    from samjhadoo_ops.deployment.consent import read_consent
    from samjhadoo_ops.tasks.session import open_session

    show_plan(open_session(env), read_consent(override, emergency, approved_by))


def show_plan(session: Session, consent: Consent) -> None:
    """Show the plan of a deploy; it ends with 0 whether or not something would change."""
    from samjhadoo_ops.deployment.plan import lines, make_plan

    made = make_plan(session.site, consent)
    for line in lines(made):
        session.console.show(line, plan=line)
    outcome = "refused" if made.refused else "planned" if made.changes else "unchanged"
    code = ExitCode.REFUSED if made.refused else ExitCode.SUCCEEDED
    session.console.result(outcome, code, made.summary, changes=made.changes)
