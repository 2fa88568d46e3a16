from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.tasks.services import WHICH
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(
    help={**WHICH, "deploy": "Id of the deploy, from invoke history (default: the latest)."},
    example="invoke verdict --verbose",
)
def verdict(_c: Context, *, env: str = "local", service: str = "", deploy: str = "") -> None:
    """Judge a past canary with the current settings."""
    from samjhadoo_ops.deployment.verdict import thresholds_of
    from samjhadoo_ops.deployment.verdict.replay import CHANGES, COLUMNS, changes, find, replay, rows
    from samjhadoo_ops.errors import ExitCode
    from samjhadoo_ops.tasks.session import open_session

    session = open_session(env, service=service)
    entry, minutes = find(session.context.journal, deploy)
    thresholds = thresholds_of(session.resolved)
    verdicts = replay(minutes, thresholds)
    console = session.console
    found = rows(minutes, verdicts)
    console.records(COLUMNS, found, event="minute")
    if console.verbose:
        console.grid(COLUMNS, found)
    else:
        console.grid(CHANGES, changes(minutes, verdicts))
    last = verdicts[-1]
    numbers = {key: value for key, value in last.numbers().items() if key != "opinion"}
    session.console.result(
        last.opinion.name.lower(),
        ExitCode.SUCCEEDED,
        f"{entry.deploy} ({entry.outcome}): {last.opinion.name}: {last.reason}",
        deploy=entry.deploy,
        **numbers,
    )
