"""`AWS/ApplicationELB` metrics of real traffic."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.elbv2.data_plane.traffic import RequestKind, TrafficCounts, parse

if TYPE_CHECKING:
    from collections.abc import Callable

_numbers = itertools.count(1)


class Metrics:
    """Reads a load balancer's metrics over the last hours."""

    def __init__(self, emulator: Any, balancer: str, eventually: Callable[..., Any]) -> None:
        self.emulator = emulator
        self.cloudwatch = emulator.client("cloudwatch")
        self.balancer = balancer.partition(":loadbalancer/")[2]
        self.since = self.now()
        self.eventually = eventually

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.emulator.ask("GET", "health")["clock"]["now"] // 60 * 60, UTC)

    def read(self, name: str, statistic: str = "Sum", group: str = "", *, whole: bool = True) -> list[float]:
        dimensions = [{"Name": "LoadBalancer", "Value": self.balancer}] if whole else []
        if group:
            dimensions.append({"Name": "TargetGroup", "Value": group.rpartition(":")[2]})
        metric = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": dimensions}
        answer = self.cloudwatch.get_metric_data(
            MetricDataQueries=[
                {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": statistic}},
            ],
            StartTime=self.since - timedelta(minutes=2),
            EndTime=self.now() + timedelta(minutes=1),
        )
        found: list[float] = answer["MetricDataResults"][0]["Values"]
        return found

    def wait(self, name: str, total: float, group: str = "") -> None:
        self.eventually(lambda: sum(self.read(name, group=group)) == total)


@pytest.fixture
def balancer(noop_emulator: Any, network: tuple[str, list[str]]) -> str:
    """The ARN of a load balancer of the test's own, for which nothing has been counted yet."""
    elbv2, name = noop_emulator.client("elbv2"), f"counted{next(_numbers)}"
    created = elbv2.create_load_balancer(Name=name, Subnets=network[1])
    return str(created["LoadBalancers"][0]["LoadBalancerArn"])


@pytest.fixture
def metrics(noop_emulator: Any, balancer: str, eventually: Callable[..., Any]) -> Metrics:
    return Metrics(noop_emulator, balancer, eventually)


@pytest.mark.rule("A.12.metrics")
def test_requests_are_counted_by_target_group_and_status(balancing, backends, to, browse, metrics) -> None:
    good, bad = backends(), backends()
    bad.server.status = 500
    groups = balancing.group(good), balancing.group(bad)
    _, port = balancing.listener(to(*groups, weights=(1, 1)))
    balancing.wait_healthy(*groups)
    browser = browse(port)
    answers = [browser.get().status for _ in range(40)]
    failed = answers.count(500)
    metrics.wait("RequestCount", 40)
    metrics.wait("RequestCount", failed, groups[1])
    assert sum(metrics.read("HTTPCode_Target_5XX_Count")) == failed
    assert sum(metrics.read("HTTPCode_Target_5XX_Count", group=groups[1])) == failed
    assert metrics.read("HTTPCode_Target_5XX_Count", group=groups[0]) == []
    assert sum(metrics.read("HTTPCode_Target_2XX_Count", group=groups[0])) == 40 - failed
    assert metrics.read("HTTPCode_ELB_5XX_Count") == []
    assert set(metrics.read("RequestCount", "Average")) == {1.0}
    per_target = metrics.read("RequestCountPerTarget", group=groups[0], whole=False)
    assert sum(per_target) == 40 - failed


def test_response_times_have_true_percentiles(balancing, backends, to, browse, metrics) -> None:
    quick, slow = backends(), backends()
    slow.server.delay = 0.5
    groups = balancing.group(quick), balancing.group(slow)
    _, port = balancing.listener(to(*groups, weights=(9, 1)))
    balancing.wait_healthy(*groups)
    browser = browse(port)
    for _ in range(40):
        browser.get()
    metrics.wait("RequestCount", 40)
    metrics.eventually(lambda: metrics.read("TargetResponseTime", "p50", groups[1]))
    assert min(metrics.read("TargetResponseTime", "p50", groups[1])) == pytest.approx(0.5, rel=0.2)
    assert max(metrics.read("TargetResponseTime", "p50", groups[0])) < 0.4
    slow_ones = sum(metrics.read("RequestCount", group=groups[1]))
    metrics.eventually(lambda: sum(metrics.read("TargetResponseTime", "TC(0.4:)")) == slow_ones)


@pytest.mark.rule("A.12.metrics")
def test_failed_connections_are_the_load_balancers_errors(balancing, backends, to, browse, metrics) -> None:
    backend = backends()
    group = balancing.group(backend, HealthCheckIntervalSeconds=300, UnhealthyThresholdCount=10)
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    backend.kill()
    assert [browse(port).get().status for _ in range(3)] == [502, 502, 502]
    metrics.wait("HTTPCode_ELB_502_Count", 3)
    assert sum(metrics.read("HTTPCode_ELB_5XX_Count")) == 3
    assert metrics.read("HTTPCode_Target_5XX_Count") == []
    assert sum(metrics.read("TargetConnectionErrorCount", group=group)) == 3
    assert sum(metrics.read("RequestCount", group=group)) == 3


def test_what_a_rule_answers_is_no_error(balancing, browse, metrics) -> None:
    action = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
    _, port = balancing.listener(action)
    assert browse(port).get().status == 503
    metrics.wait("HTTP_Fixed_Response_Count", 1)
    assert metrics.read("HTTPCode_ELB_5XX_Count") == []
    assert metrics.read("RequestCount") == []


@pytest.mark.rule("A.12.metrics")
def test_hosts_are_counted_without_traffic_and_health_checks_are_not(
    balancing, backends, to, metrics, eventually
) -> None:
    alive, sick = backends(), backends()
    sick.server.health_status = 500
    group = balancing.group(alive, sick, UnhealthyThresholdCount=2)
    balancing.listener(to(group))
    eventually(lambda: sorted(balancing.states(group).values()) == ["healthy", "unhealthy"])
    for count in ("HealthyHostCount", "UnHealthyHostCount"):  # one may be known a minute before the other
        eventually(lambda count=count: 1.0 in metrics.read(count, "Maximum", group))
    assert metrics.read("RequestCount", group=group) == []


def test_counts_since_a_reading_survive_a_restart_of_envoy() -> None:
    kind = RequestKind("listener", "group", 200, frozenset())
    before = TrafficCounts({kind: 10}, {"group": {0.1: 4}}, {"group": 1})
    after = TrafficCounts({kind: 12}, {"group": {0.1: 4, 0.2: 1}}, {"group": 1})
    assert after.since(before) == TrafficCounts({kind: 2}, {"group": {0.2: 1}}, {})
    assert TrafficCounts({kind: 3}).since(before).requests == {kind: 3}
    assert not after.since(after)


def test_answers_of_targets_are_counted_apart_from_the_load_balancers_own() -> None:
    def stat(cluster: str, code: int, flags: str) -> str:
        name = f"samjhadoo.requests.listener.app-x-1-2.cluster.{cluster}.code.{code}.flags.{flags}"
        return f'{{"name": "{name}", "value": 1}}'

    rows = [stat("g-1", 500, "-"), stat("g-1", 502, "UF"), stat("g-1", 503, "UH"), stat("", 404, "-")]
    reading = parse(f'{{"stats": [{", ".join(rows)}]}}')
    told = {(kind.cluster, kind.code): (kind.by_target, kind.chose_target) for kind in reading.requests}
    assert told == {
        ("g-1", 500): (True, True),
        ("g-1", 502): (False, True),
        ("g-1", 503): (False, False),
        ("", 404): (False, False),
    }
