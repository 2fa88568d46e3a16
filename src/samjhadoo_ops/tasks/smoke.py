from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ExitCode
from samjhadoo_ops.tasks.services import WHICH
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(
    help={
        **WHICH,
        "url": "URL to test (default: the production listener).",
        "version": "Version that must be running (default: the deployed one; any with --url).",
    },
    example="invoke smoke --env staging",
)
def smoke(_c: Context, *, env: str = "local", service: str = "", url: str = "", version: str = "") -> None:
    """Test health, dependencies, version and webhooks."""
    from samjhadoo_ops.checks import payments
    from samjhadoo_ops.checks.smoke import inspect, refuse
    from samjhadoo_ops.deployment.status import fields, read_status
    from samjhadoo_ops.streams import short
    from samjhadoo_ops.tasks.session import open_session

    session = open_session(env, service=service)
    wanted = version or ("" if url else fields(read_status(session.context))["release"])
    report = inspect(session.resolved, url or session.production, version=wanted)
    console = session.console
    rows = [
        (check.name, "yes" if check.ok else "no", check.status or "", check.milliseconds, check.detail)
        for check in report.checks
    ]
    columns = ("Check", "Ok", "Status", "Milliseconds", "Detail")
    console.records(columns, rows, event="check")
    if console.verbose:
        console.grid(columns, rows)
    refuse(report)
    webhooks = payments(session.resolved, session.aws, report.url)
    for check in webhooks:
        show = console.event if console.verbose else console.state
        show("check", str(check), check=check.name, ok=check.ok, status=check.status)
    release = short(report.version) or "a release without a version endpoint"
    passed = len(report.checks) + len(webhooks)
    text = f"{report.url} serves {release}: {passed} checks passed"
    console.result("succeeded", ExitCode.SUCCEEDED, text, url=report.url, version=report.version)
