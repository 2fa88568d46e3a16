"""A canary deployment runs all tasks twice; an account without room for them stops half way."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused, skipped, unknown
from samjhadoo_ops.deployment.gates.gate import Gate
from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.gates.ground import Ground

_UNITS = 1024.0


def check(ground: Ground) -> Finding:
    """Refuse when the account's quota of Fargate vCPUs has no room for a second set of tasks."""
    from botocore.exceptions import ClientError

    try:
        cpu = ground.render().get("cpu", "")
    except OpsError:
        return skipped("the task definition doesn't render")
    if not str(cpu).isdigit():
        return skipped("the task definition doesn't tell its cpu units")
    tasks = (ground.service or {}).get("desiredCount") or ground.env.service.desired_count
    code = ground.env.gates.capacity.quota
    try:
        quota = ground.aws.client("service-quotas").get_service_quota(ServiceCode="fargate", QuotaCode=code)[
            "Quota"
        ]
    except ClientError as error:
        return unknown(f"the quota {code} is not told ({error.response['Error']['Code']})")
    used = _used(ground, quota.get("UsageMetric") or {})
    return decide(limit=float(quota["Value"]), used=used, needed=tasks * int(cpu) / _UNITS)


def decide(*, limit: float, used: float | None, needed: float) -> Finding:
    """Return the finding for numbers of vCPUs; `used` is None when nobody tells it."""
    if used is None and needed <= limit:
        return unknown(f"{needed:g} vCPUs more are needed of {limit:g}; how many are in use is not told")
    free = limit - (used or 0.0)
    if needed > free:
        return refused(
            f"{needed:g} vCPUs more are needed, {free:g} of {limit:g} are free",
            remedy="ask AWS for a higher quota (Service Quotas, Fargate), or free some",
        )
    return ok(f"{needed:g} vCPUs more are needed, {free:g} of {limit:g} are free")


def _used(ground: Ground, metric: dict[str, Any]) -> float | None:
    if not metric.get("MetricName"):
        return None
    dimensions = [
        {"Name": name, "Value": value} for name, value in metric.get("MetricDimensions", {}).items()
    ]
    statistic = metric.get("MetricStatisticRecommendation") or "Maximum"
    answer = ground.aws.client("cloudwatch").get_metric_statistics(
        Namespace=metric["MetricNamespace"],
        MetricName=metric["MetricName"],
        Dimensions=dimensions,
        StartTime=ground.now - timedelta(hours=1),
        EndTime=ground.now,
        Period=300,
        Statistics=[statistic],
    )
    points = sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])
    return float(points[-1][statistic]) if points else None


GATE = Gate("vcpu_quota", "the account has room for all tasks twice", check)
