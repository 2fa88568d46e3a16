"""The Invoke namespace, with one module for each task."""

from __future__ import annotations

import os
import sys

import invoke.program
from invoke.collection import Collection

from samjhadoo_ops.tasks import (
    build,
    config,
    deploy,
    history,
    infra,
    migrate,
    plan,
    push,
    rehearse,
    rollback,
    smoke,
    stack,
    status,
    unlock,
    verdict,
    watch,
)
from samjhadoo_ops.tasks.usage import report_usage_errors

__all__ = ["ns"]

report_usage_errors()
ns = Collection()
for task in (
    build.build,
    push.push,
    deploy.deploy,
    watch.watch,
    rollback.rollback,
    smoke.smoke,
    status.status,
    history.history,
    plan.plan,
    verdict.verdict,
    unlock.unlock,
    rehearse.rehearse,
    config.config,
):
    ns.add_task(task)
ns.add_collection(migrate.migrations)
ns.add_collection(infra.collection)
ns.add_collection(stack.collection)

if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
    ns.configure(
        {"run": {"echo_format": "{command}"}}
    )  # Invoke prints bold text even to pipes and with NO_COLOR

if "--complete" in sys.argv:  # Invoke has no hook for the values of options
    from samjhadoo_ops.tasks.completion import with_values

    invoke.program.complete = with_values(invoke.program.complete)  # type: ignore[attr-defined]
