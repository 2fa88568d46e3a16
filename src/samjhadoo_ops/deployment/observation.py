"""A service deployment as ECS shows it, reduced to what decisions are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

AWAITING_ACTION = "AWAITING_ACTION"


@dataclass(frozen=True)
class Hook:
    """One visit of a lifecycle hook.

    Attributes:
        id: Fresh for every visit.
        status: `AWAITING_ACTION` while the deployment is paused by it.
        expires_at: When ECS acts by itself.
        timeout_action: What ECS does then.

    """

    id: str
    status: str
    target_type: str = "PAUSE"
    expires_at: datetime | None = None
    timeout_action: str = "ROLLBACK"

    @property
    def waiting(self) -> bool:
        """Tell whether the hook waits for an answer."""
        return self.status == AWAITING_ACTION and self.target_type == "PAUSE"


@dataclass(frozen=True)
class Observation:
    """One answer of DescribeServiceDeployments.

    Attributes:
        stage: The lifecycle stage; open-ended, never decided upon alone.
        production_weight: Percent of production traffic on the new revision; None when ECS moves none.
        test_weight: Percent of test traffic on the new revision; None when there is no test listener.
        current: The service's current deployment, when it has been asked for.

    """

    arn: str
    status: str
    stage: str = ""
    reason: str = ""
    production_weight: float | None = None
    test_weight: float | None = None
    requested: int = 0
    running: int = 0
    pending: int = 0
    hooks: tuple[Hook, ...] = ()
    target_revision: str = ""
    source_revisions: tuple[str, ...] = ()
    rollback_revision: str = ""
    breaker: str = ""
    failures: int = 0
    alarms: str = ""
    triggered_alarms: tuple[str, ...] = ()
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    current: str | None = None

    @property
    def waiting_hooks(self) -> tuple[Hook, ...]:
        """Return the pause hooks that wait for an answer."""
        return tuple(hook for hook in self.hooks if hook.waiting)


def observe(document: Mapping[str, Any], *, current: str | None = None) -> Observation:
    """Read a ServiceDeployment document of the ECS API.

    Args:
        document: One of `serviceDeployments[]` of DescribeServiceDeployments.
        current: The service's `currentServiceDeployment`, when known.

    """
    target = document.get("targetServiceRevision", {})
    breaker = document.get("deploymentCircuitBreaker", {})
    alarms = document.get("alarms", {})
    rollback = document.get("rollback", {})
    return Observation(
        arn=document["serviceDeploymentArn"],
        status=document.get("status", ""),
        stage=document.get("lifecycleStage", ""),
        reason=document.get("statusReason") or rollback.get("reason", ""),
        production_weight=target.get("requestedProductionTrafficWeight"),
        test_weight=target.get("requestedTestTrafficWeight"),
        requested=target.get("requestedTaskCount", 0),
        running=target.get("runningTaskCount", 0),
        pending=target.get("pendingTaskCount", 0),
        hooks=tuple(_hook(detail) for detail in document.get("lifecycleHookDetails", ())),
        target_revision=target.get("arn", ""),
        source_revisions=tuple(source["arn"] for source in document.get("sourceServiceRevisions", ())),
        rollback_revision=rollback.get("serviceRevisionArn", ""),
        breaker=breaker.get("status", ""),
        failures=breaker.get("failureCount", 0),
        alarms=alarms.get("status", ""),
        triggered_alarms=tuple(alarms.get("triggeredAlarmNames", ())),
        created_at=document.get("createdAt"),
        started_at=document.get("startedAt"),
        finished_at=document.get("finishedAt") or document.get("stoppedAt"),
        current=current,
    )


def _hook(detail: Mapping[str, Any]) -> Hook:
    return Hook(
        id=detail["hookId"],
        status=detail.get("status", ""),
        target_type=detail.get("targetType", "PAUSE"),
        expires_at=detail.get("expiresAt"),
        timeout_action=detail.get("timeoutAction", "ROLLBACK"),
    )
