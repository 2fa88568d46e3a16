"""`AWS/ApplicationELB` metrics of one minute, from what Envoy counted. No I/O here.

Source: "CloudWatch metrics for your Application Load Balancer". A count of n is put as n
observations of 1, so that Sum is n and Minimum, Maximum and Average are 1, as on AWS. What a listener answers
by a rule is counted as fixed responses and redirects, not as errors of the load balancer [inference].
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.elbv2.data_plane.clusters import cluster_name
from samjhadoo_emulator.elbv2.data_plane.listeners import listener_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_emulator.elbv2.data_plane.traffic import RequestKind, TrafficCounts
    from samjhadoo_emulator.elbv2.model import RegionState

NAMESPACE = "AWS/ApplicationELB"
CLIENT_CLOSED = 460
PER_TARGET = "RequestCountPerTarget"
"""It has no unit, other than the rest."""

Owner = tuple[str, str]
"""Dimensions: of a load balancer and of a target group; one of them may be empty."""


def load_balancer_dimension(arn: str) -> str:
    """Return a load balancer's dimension, `app/name/id`."""
    return arn.partition(":loadbalancer/")[2]


def target_group_dimension(arn: str) -> str:
    """Return a target group's dimension, `targetgroup/name/id`."""
    return arn.rpartition(":")[2]


class Counting:
    """Metric data being gathered."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Owner], int] = defaultdict(int)
        self._times: dict[Owner, dict[float, int]] = defaultdict(lambda: defaultdict(int))
        self._values: dict[tuple[str, Owner], float] = {}

    def count(self, name: str, amount: int, *owners: Owner) -> None:
        for owner in owners:
            self._counts[name, owner] += amount

    def time(self, times: dict[float, int], *owners: Owner) -> None:
        """Add response times, in seconds."""
        for owner in owners:
            for seconds, amount in times.items():
                self._times[owner][seconds] += amount

    def value(self, name: str, value: float, owner: Owner) -> None:
        """Set a value."""
        self._values[name, owner] = value

    def requests(self, owner: Owner) -> int:
        """Return the requests that were counted for an owner."""
        return self._counts.get(("RequestCount", owner), 0)

    def data(self) -> Iterator[dict[str, Any]]:
        """Yield botocore's `MetricDatum` of each metric, without a time."""
        for (name, owner), amount in self._counts.items():
            yield {
                "MetricName": name,
                "Dimensions": _dimensions(owner),
                "Unit": "Count",
                "Values": [1.0],
                "Counts": [float(amount)],
            }
        for owner, times in self._times.items():
            yield {
                "MetricName": "TargetResponseTime",
                "Dimensions": _dimensions(owner),
                "Unit": "Seconds",
                "Values": list(times),
                "Counts": [float(amount) for amount in times.values()],
            }
        for (name, owner), value in self._values.items():
            unit = "None" if name == PER_TARGET else "Count"
            yield {"MetricName": name, "Dimensions": _dimensions(owner), "Unit": unit, "Value": value}


def traffic(reading: TrafficCounts, state: RegionState) -> Counting:
    """Return what was counted of a region's load balancers."""
    counting = Counting()
    listeners = {listener_name(each.arn): each.load_balancer for each in state.listeners()}
    groups = {cluster_name(arn): arn for arn in state.target_groups}
    for kind, amount in reading.requests.items():
        if kind.listener in listeners:
            balancer = load_balancer_dimension(listeners[kind.listener])
            group = groups.get(kind.cluster, "")
            _count(counting, kind, amount, balancer, target_group_dimension(group) if group else "")
    for cluster, times in reading.times.items():
        for owner in _owners(groups.get(cluster), state):
            counting.time(times, owner)
    for cluster, amount in reading.connect_failures.items():
        counting.count("TargetConnectionErrorCount", amount, *_owners(groups.get(cluster), state))
    for listener, amount in reading.tls_errors.items():
        if listener in listeners:
            owner = (load_balancer_dimension(listeners[listener]), "")
            counting.count("ClientTLSNegotiationErrorCount", amount, owner)
    return counting


def hosts(counting: Counting, balancer: str, group: str, *, healthy: int, unhealthy: int) -> None:
    """Add a target group's targets, and the requests that each of the healthy ones got.

    Args:
        balancer: The load balancer's ARN.
    """
    owner = load_balancer_dimension(balancer), target_group_dimension(group)
    counting.value("HealthyHostCount", healthy, owner)
    counting.value("UnHealthyHostCount", unhealthy, owner)
    requests = counting.requests(owner)
    if requests and healthy:
        counting.value(PER_TARGET, requests / healthy, ("", owner[1]))
        counting.value(PER_TARGET, requests / healthy, owner)


def _count(counting: Counting, kind: RequestKind, amount: int, balancer: str, group: str) -> None:
    owners = [(balancer, ""), *([(balancer, group)] if group else [])]
    if kind.chose_target:
        counting.count("RequestCount", amount, *owners)
    if kind.by_target:
        counting.count(f"HTTPCode_Target_{kind.code // 100}XX_Count", amount, *owners)
        return
    whole = (balancer, "")
    code = kind.code or CLIENT_CLOSED
    if not kind.cluster and not kind.flags:
        rule = "HTTP_Redirect_Count" if code // 100 == 3 else "HTTP_Fixed_Response_Count"  # noqa: PLR2004
        counting.count(rule, amount, whole)
        return
    counting.count(f"HTTPCode_ELB_{code // 100}XX_Count", amount, whole)
    if code in (500, 502, 503, 504):
        counting.count(f"HTTPCode_ELB_{code}_Count", amount, whole)


def _owners(group: str | None, state: RegionState) -> list[Owner]:
    if group is None:
        return []
    name = target_group_dimension(group)
    balancers = [load_balancer_dimension(arn) for arn in state.users().get(group, ())]
    return [owner for balancer in balancers for owner in ((balancer, ""), (balancer, name))]


def _dimensions(owner: Owner) -> list[dict[str, str]]:
    named = zip(("LoadBalancer", "TargetGroup"), owner, strict=True)
    return [{"Name": name, "Value": value} for name, value in named if value]
