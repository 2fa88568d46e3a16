"""What a service's task definition names, and its stack makes: roles and the log group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.release import render_task_definition

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment

MEMBERS = ("execution_role", "task_role", "log_group")
"""What `task_definition` may name in a template."""
_ROLES = {"execution_role": "executionRoleArn", "task_role": "taskRoleArn"}


def named_in_task_definition(env: Environment, member: str) -> str:
    """Return the name of a role or of the container's log group; empty if the task definition names none.

    Args:
        member: One of `MEMBERS`.

    Raises:
        ConfigurationError: The task definition is missing or malformed.
    """
    document = render_task_definition(env, "unbuilt", "unbuilt")
    if member in _ROLES:
        return str(document.get(_ROLES[member], "")).rpartition("/")[2]
    container = next(
        each for each in document["containerDefinitions"] if each["name"] == env.service.container
    )
    return str(container.get("logConfiguration", {}).get("options", {}).get("awslogs-group", ""))
