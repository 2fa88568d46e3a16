"""What must hold before anything is changed. A gate is one small module with one read-only function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.gates import (
    last_deployment,
    nothing_running,
    production_traffic,
    secrets_resolvable,
    service_steady,
    task_definition,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_ops.deployment.gates.finding import Finding
    from samjhadoo_ops.deployment.gates.ground import Ground

GATES: Mapping[str, Callable[[Ground], Finding]] = {
    "no deployment in progress": nothing_running.check,
    "last deployment ended well": last_deployment.check,
    "service is steady": service_steady.check,
    "production traffic is where ECS expects it": production_traffic.check,
    "task definition renders": task_definition.check,
    "secrets are there": secrets_resolvable.check,
}
