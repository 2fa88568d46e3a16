from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.console import current_console
from samjhadoo_ops.tasks.services import ALL
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(help=ALL)
def config(_c: Context, *, env: str = "local", service: str = "") -> None:
    """Show the effective settings and their sources."""
    from samjhadoo_ops.environment import load_environment
    from samjhadoo_ops.environment.view import rows

    environment = load_environment(env, service=service)
    # Values come last, because long ones would move the sources out of sight.
    shown = [(key, source, value) for key, value, source in rows(environment)]
    current_console().table(["Key", "Source", "Value"], shown, event="setting")
