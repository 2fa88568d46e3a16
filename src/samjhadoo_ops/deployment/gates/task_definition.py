"""A task definition that doesn't render is found before anything is built or migrated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused
from samjhadoo_ops.deployment.gates.gate import Gate
from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.gates.ground import Ground


def check(ground: Ground) -> Finding:
    """Refuse when the task definition can't be rendered or lacks the service's container."""
    path = ground.env.service.task_definition
    try:
        document = ground.render()
    except OpsError as error:
        return refused(error.message, remedy=error.hint or f"correct {path}")
    names = [container.get("name") for container in document.get("containerDefinitions", ())]
    if ground.env.service.container not in names:
        return refused(
            f"{path} has no container {ground.env.service.container!r} (service.container), only {names}",
            remedy="name the container that serves",
        )
    return ok(path)


GATE = Gate("task_definition", "the task definition renders", check)
