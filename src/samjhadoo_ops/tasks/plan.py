from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ExitCode
from samjhadoo_ops.tasks.services import ALL, IMAGE, headline
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from invoke.context import Context

    from samjhadoo_ops.deployment.gates.gate import Finding, Overrides
    from samjhadoo_ops.deployment.plan import DeployPlan
    from samjhadoo_ops.tasks.session import Session


@ops_task(
    help={
        **ALL,
        "image": IMAGE,
        "override": 'Pass a gate that refuses, as in deploy: GATE="reason". Repeatable.',
        "emergency": "Plan a deploy outside the deployment window, for this reason.",
        "approved_by": "Manager who approved the emergency.",
    },
    example="invoke plan --env production",
)
def plan(
    _c: Context,
    *,
    env: str = "local",
    service: str = "",
    image: str = "",
    override: tuple[str, ...] = (),
    emergency: str = "",
    approved_by: str = "",
) -> None:
    """Show what a deploy would change."""
    from samjhadoo_ops.deployment.preflight import read_overrides
    from samjhadoo_ops.tasks.session import open_sessions

    overrides = read_overrides(override, emergency, approved_by)
    show_plans(open_sessions(env, service=service), overrides, image=image)


def show_plans(sessions: Sequence[Session], overrides: Overrides, *, image: str = "") -> None:
    """Show the plan of each service's deploy; the exit code is 0 whether or not anything would change.

    Raises:
        ConfigurationError: An image is given, although there are several services.
    """
    plans = _plans(sessions, overrides, image)
    refused = any(made.refused for made in plans.values())
    changes = sum(made.changes for made in plans.values())
    summary = "; ".join(f"{key}: {made.summary}" if key else made.summary for key, made in plans.items())
    unknown = any(made.inspection is None for made in plans.values())
    outcome = "refused" if refused else "planned" if changes or unknown else "unchanged"
    code = ExitCode.REFUSED if refused else ExitCode.SUCCEEDED
    sessions[0].console.result(outcome, code, summary, changes=changes)


def show_before_asking(
    sessions: Sequence[Session], overrides: Overrides, *, image: str = "", waits: bool = False
) -> None:
    """Show the plan of each service's deploy to the person who has to confirm it.

    Args:
        waits: Whether the deploy waits for the lock, so that what refuses now may not refuse then.

    Raises:
        Refused: A gate refuses, so there is nothing to confirm.
    """
    from samjhadoo_ops.deployment.preflight import require_passed

    _plans(sessions, overrides, image, refuse=None if waits else require_passed)


def _plans(
    sessions: Sequence[Session],
    overrides: Overrides,
    image: str,
    *,
    refuse: Callable[[Mapping[str, Finding]], None] | None = None,
) -> dict[str, DeployPlan]:
    """Make and show the plan of each service's deploy; `refuse` may refuse what its gates found."""
    from samjhadoo_ops.deployment.plan import for_people, lines, make_plan
    from samjhadoo_ops.tasks.services import one_for_image

    if image and len(sessions) > 1:
        one_for_image([session.env.key for session in sessions])
    plans: dict[str, DeployPlan] = {}
    for session in sessions:
        headline(session, first=not plans)
        plans[session.env.key] = made = make_plan(session.context, overrides, image=image)
        if refuse:
            refuse(made.findings)
        named = {"service": session.env.key} if session.env.key else {}
        if session.console.mode == "json":
            for line in lines(made):
                session.console.show(line, plan=line, **named)
        for line in for_people(made, verbose=session.console.verbose):
            session.console.show(line)
    return plans
