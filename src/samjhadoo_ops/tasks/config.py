from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.console import current_console
from samjhadoo_ops.tasks.services import ALL
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(help=ALL, example="invoke config --env production")
def config(_c: Context, *, env: str = "local", service: str = "") -> None:
    """Show the effective settings and their sources."""
    from samjhadoo_ops.environment import load_environment
    from samjhadoo_ops.environment.loading import FOLDER
    from samjhadoo_ops.environment.view import rows

    environment = load_environment(env, service=service)
    # Values come last, because long ones would move the sources out of sight.
    found = [(key, source, value) for key, value, source in rows(environment)]
    columns = ("Key", "Source", "Value")
    current_console().records(columns, found, event="setting")
    folder = f"{FOLDER}/"
    current_console().grid(
        columns, [(key, source.removeprefix(folder), value) for key, source, value in found]
    )
