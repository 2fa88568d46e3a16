"""The facts gates look at, read once for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.consent import Consent
from samjhadoo_ops.deployment.ecs import has_served

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.database import Inspection
    from samjhadoo_ops.deployment.ecs import EcsService
    from samjhadoo_ops.deployment.journal import Entry
    from samjhadoo_ops.deployment.lock import Holder
    from samjhadoo_ops.deployment.traffic import Listening
    from samjhadoo_ops.environment import Environment


@dataclass(frozen=True)
class Image:
    """The release's image in the registry.

    Attributes:
        digest: Empty while it is not there.
        fresh: Whether it was pushed just now, so that its scan may still run.

    """

    version: str
    digest: str = ""
    fresh: bool = False


@dataclass(frozen=True)
class Ground:
    """What is known before a deployment.

    Attributes:
        service: The DescribeServices document; None before the first deployment.
        deployments: The latest service deployments, brief, the newest first.
        render: Renders the task definition as it will be registered.
        revisions: The service's current revisions by ARN.
        rules: The production and the test rule by ARN.
        entries: Reads the journal, the newest first.
        holder: Reads who else holds the deployment lock; None when nobody does.
        inspection: What Flyway found; None until it has looked.
        image: The release's image; None until it is known.

    """

    env: Environment
    aws: Aws
    ecs: EcsService
    service: dict[str, Any] | None
    deployments: list[dict[str, Any]]
    listening: Listening
    render: Callable[[], dict[str, Any]] = field(repr=False)
    revisions: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    rules: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    entries: Callable[[], list[Entry]] = field(default=list, repr=False)
    holder: Callable[[], Holder | None] = field(default=lambda: None, repr=False)
    clock: Clock = field(default_factory=Clock)
    consent: Consent = field(default_factory=Consent)
    inspection: Inspection | None = None
    image: Image | None = None

    @property
    def first(self) -> bool:
        """Tell whether no deployment has ever succeeded."""
        return not has_served(self.service, self.deployments)

    @property
    def now(self) -> datetime:
        """Return now, on the clock."""
        return self.clock.now().astimezone(UTC)

    @property
    def balancer(self) -> str:
        """Return the load balancer as CloudWatch names it: `app/<name>/<id>`."""
        return "/".join(self.listening.production_rule.split("/")[1:4])
