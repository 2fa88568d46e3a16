"""The facts gates look at, read once for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.deployment.ecs import EcsService
    from samjhadoo_ops.deployment.traffic import Listening
    from samjhadoo_ops.environment import Environment


@dataclass(frozen=True)
class Ground:
    """What is known before a deployment.

    Attributes:
        service: The DescribeServices document; None before the first deployment.
        deployments: The latest service deployments, brief, the newest first.
        render: Renders the task definition as it will be registered.

    """

    env: Environment
    aws: Aws
    ecs: EcsService
    service: dict[str, Any] | None
    deployments: list[dict[str, Any]]
    listening: Listening
    render: Callable[[], dict[str, Any]] = field(repr=False)

    @property
    def first(self) -> bool:
        """Tell whether no deployment has ever succeeded."""
        return not any(brief["status"] == "SUCCESSFUL" for brief in self.deployments)
