"""Each minute's counts of both releases, from CloudWatch, in one GetMetricData call.

Source: "CloudWatch metrics for your Application Load Balancer". Errors that the load balancer itself answers
are counted per load balancer only; requests of a target group that got no answer are the part of them that
can be attributed to a release.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Template
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.verdict.counts import Counts, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.deployment.ecs import EcsService
    from samjhadoo_ops.deployment.outcome import Observation
    from samjhadoo_ops.environment.schema import PaymentMetrics

_PERIOD = 60
NAMESPACE = "AWS/ApplicationELB"
_ANSWERED = ("two", "three", "four", "five")
_PER_GROUP = {
    "requests": "RequestCount",
    "two": "HTTPCode_Target_2XX_Count",
    "three": "HTTPCode_Target_3XX_Count",
    "four": "HTTPCode_Target_4XX_Count",
    "five": "HTTPCode_Target_5XX_Count",
    "refused": "TargetConnectionErrorCount",
}


@dataclass(frozen=True)
class ReleaseSource:
    """Where one release's counts are found: its target group's dimension, `targetgroup/name/id`."""

    group: str
    revision: str
    task_definition: str


@dataclass(frozen=True)
class TrafficSources:
    """Where a deployment's counts are found; there is no baseline in a first deployment."""

    balancer: str
    canary: ReleaseSource
    baseline: ReleaseSource | None


def sources_of(ecs: EcsService, observed: Observation) -> TrafficSources | None:
    """Return where a deployment's counts are; None when it has no load balancer, or ECS forgot it.

    The target groups change roles with every deployment: only the revisions show which is which.
    """
    revisions = ecs.revisions([observed.target_revision, *observed.source_revisions])
    target = revisions.get(observed.target_revision)
    balancers = _balancers(target)
    if target is None or not balancers:
        return None
    rule = balancers[0].get("productionListenerRule", "")
    baselines = [_release(revisions[arn]) for arn in observed.source_revisions if arn in revisions]
    canary = _release(target)
    if canary is None or not rule:
        return None
    return TrafficSources(load_balancer_of_rule(rule), canary, baselines[0] if baselines else None)


def load_balancer_of_rule(arn: str) -> str:
    """Return the load balancer's dimension from the ARN of a rule or listener of it."""
    return "/".join(arn.rpartition(":")[2].split("/")[1:4])


def _balancers(revision: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (revision or {}).get("resolvedConfiguration", {}).get("loadBalancers", [])
    return found


def _release(revision: Mapping[str, Any]) -> ReleaseSource | None:
    balancers = _balancers(revision)
    if not balancers:
        return None
    group = str(balancers[0]["targetGroupArn"]).rpartition(":")[2]
    return ReleaseSource(group, str(revision["serviceRevisionArn"]), str(revision.get("taskDefinition", "")))


class TrafficMetrics:
    """The counts of a deployment's releases.

    Args:
        client: A boto3 CloudWatch client.
        slow_above: Seconds above which a request is slow.
        payments: Metrics of payment outcomes; None for none.

    Attributes:
        calls: GetMetricData calls so far.
    """

    def __init__(
        self,
        client: Any,
        sources: TrafficSources,
        *,
        slow_above: float,
        payments: PaymentMetrics | None = None,
    ) -> None:
        self.calls = 0
        self._client = client
        self._queries = list(queries(sources, slow_above=slow_above, payments=payments))

    def read(self, start: float, end: float) -> dict[float, Reading]:
        """Return what was counted, by the beginning of each minute; minutes without any data are left out.

        Args:
            start: Unix seconds on the clock, a whole minute.
            end: The same, not included.
        """
        series: dict[str, dict[float, float]] = defaultdict(dict)
        request: dict[str, Any] = {
            "MetricDataQueries": self._queries,
            "StartTime": datetime.fromtimestamp(start, UTC),
            "EndTime": datetime.fromtimestamp(end, UTC),
            "ScanBy": "TimestampAscending",
        }
        while True:
            self.calls += 1
            answer = self._client.get_metric_data(**request)
            for result in answer["MetricDataResults"]:
                points = zip(result["Timestamps"], result["Values"], strict=True)
                series[result["Id"]] |= {at.timestamp(): value for at, value in points}
            if not answer.get("NextToken"):
                break
            request["NextToken"] = answer["NextToken"]
        times = sorted({at for points in series.values() for at in points})
        return {at: _reading({name: points.get(at, 0.0) for name, points in series.items()}) for at in times}


def queries(sources: TrafficSources, *, slow_above: float, payments: PaymentMetrics | None) -> Any:
    """Yield the metric data queries of a deployment; ids are `c_` for the canary, `b_` for the baseline."""
    whole = [{"Name": "LoadBalancer", "Value": sources.balancer}]
    yield _query("lost", NAMESPACE, "HTTPCode_ELB_5XX_Count", whole, "Sum")
    for prefix, release in (("c", sources.canary), ("b", sources.baseline)):
        if release is None:
            continue
        group = [{"Name": "TargetGroup", "Value": release.group}, *whole]
        for name, metric in _PER_GROUP.items():
            yield _query(f"{prefix}_{name}", NAMESPACE, metric, group, "Sum")
        slow = f"TC({slow_above:g}:)"
        yield _query(f"{prefix}_slow", NAMESPACE, "TargetResponseTime", group, slow)
        if payments:
            own = _dimensions(payments, release)
            yield _query(f"{prefix}_deliveries", payments.namespace, payments.deliveries, own, "Sum")
            yield _query(f"{prefix}_failures", payments.namespace, payments.failures, own, "Sum")


def _dimensions(payments: PaymentMetrics, release: ReleaseSource) -> list[dict[str, str]]:
    known = {
        "target_group": release.group,
        "revision": release.revision.rpartition("/")[2],
        "task_definition": release.task_definition.rpartition("/")[2],
    }
    return [
        {"Name": name, "Value": Template(value).safe_substitute(known)}
        for name, value in payments.dimensions.items()
    ]


def _query(
    name: str, namespace: str, metric: str, dimensions: list[dict[str, str]], stat: str
) -> dict[str, Any]:
    measured = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": measured, "Period": _PERIOD, "Stat": stat}}


def _reading(values: Mapping[str, float]) -> Reading:
    return Reading(_counts(values, "c"), _counts(values, "b"), round(values.get("lost", 0.0)))


def _counts(values: Mapping[str, float], prefix: str) -> Counts:
    def of(name: str) -> int:
        return round(values.get(f"{prefix}_{name}", 0.0))

    requests = of("requests")
    return Counts(
        requests=requests,
        errors=min(requests, of("five") + of("refused")),
        slow=of("slow"),
        unanswered=max(0, requests - sum(of(name) for name in _ANSWERED)),
        refused=of("refused"),
        deliveries=of("deliveries"),
        failures=of("failures"),
    )
