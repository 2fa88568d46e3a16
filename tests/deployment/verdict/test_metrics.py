"""Counts from CloudWatch: the one call, and what its answer means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator

from samjhadoo_ops.deployment.outcome import Observation
from samjhadoo_ops.deployment.verdict.counts import Counts
from samjhadoo_ops.deployment.verdict.metrics import ReleaseSource, TrafficMetrics, TrafficSources, sources_of
from samjhadoo_ops.environment.schema import PaymentMetrics

PREFIX = "arn:aws:elasticloadbalancing:ap-south-1:000000000000"
SOURCES = TrafficSources(
    "app/alb/1",
    ReleaseSource("targetgroup/green/2", "arn:revision/c/s/22", "arn:task-definition/backend:8"),
    ReleaseSource("targetgroup/blue/3", "arn:revision/c/s/21", "arn:task-definition/backend:7"),
)
PAID = PaymentMetrics(
    namespace="Samjhadoo/Payments",
    deliveries="WebhookDeliveries",
    failures="WebhookFailures",
    dimensions={"Release": "$task_definition", "Service": "backend"},
    expected_percent=1.0,
    failed_percent=10.0,
)


class Revisions:
    """An ECS that knows two revisions; roles of the target groups as resolved, not as configured."""

    def __init__(self, **changes: Any) -> None:
        self.changes = changes

    def revisions(self, arns: list[str]) -> dict[str, Any]:
        def revision(arn: str, group: str) -> dict[str, Any]:
            rule = f"{PREFIX}:listener-rule/app/alb/1/listener/rule"
            resolved = [{"targetGroupArn": f"{PREFIX}:targetgroup/{group}", "productionListenerRule": rule}]
            return {
                "serviceRevisionArn": arn,
                "taskDefinition": f"arn:task-definition/{arn}",
                "loadBalancers": [{"targetGroupArn": f"{PREFIX}:targetgroup/swapped/0"}],
                "resolvedConfiguration": {"loadBalancers": resolved},
                **self.changes,
            }

        known = {"new": revision("new", "green/2"), "old": revision("old", "blue/3")}
        return {arn: known[arn] for arn in arns if arn in known}


class CloudWatch:
    """Answers in pages, and remembers what it was asked."""

    def __init__(self, values: dict[str, list[float]], *, pages: int = 1) -> None:
        self.values, self.pages = values, pages
        self.asked: list[dict[str, Any]] = []

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        shape = Session().get_service_model("cloudwatch").operation_model("GetMetricData").input_shape
        assert ParamValidator().validate(request, shape).generate_report() == ""
        page = len(self.asked) - 1
        times = [datetime.fromtimestamp(60.0 * (page + 1), UTC)]
        results = [
            {"Id": name, "Timestamps": times, "Values": values[page : page + 1]}
            for name, values in self.values.items()
        ]
        return {"MetricDataResults": results, **({"NextToken": "n"} if page + 1 < self.pages else {})}


def test_the_metric_sources_are_those_of_the_resolved_revisions() -> None:
    observed = Observation("d", "IN_PROGRESS", target_revision="new", source_revisions=("old",))
    places = sources_of(Revisions(), observed)
    assert places == TrafficSources(
        "app/alb/1",
        ReleaseSource("targetgroup/green/2", "new", "arn:task-definition/new"),
        ReleaseSource("targetgroup/blue/3", "old", "arn:task-definition/old"),
    )


@pytest.mark.parametrize(
    ("ecs", "observed"),
    [
        (Revisions(), Observation("d", "IN_PROGRESS", target_revision="forgotten")),
        (Revisions(resolvedConfiguration={}), Observation("d", "IN_PROGRESS", target_revision="new")),
    ],
    ids=["a revision ECS has forgotten", "no load balancer"],
)
def test_without_a_load_balancer_there_is_nothing_to_read(ecs: Revisions, observed: Observation) -> None:
    assert sources_of(ecs, observed) is None


def test_counts_are_read_in_one_call_and_mean_what_aws_documents() -> None:
    client = CloudWatch(
        {
            "lost": [2.0],
            "c_requests": [10.0],
            "c_two": [5.0],
            "c_five": [2.0],
            "c_refused": [1.0],
            "c_slow": [4.0],
            "c_deliveries": [3.0],
            "c_failures": [1.0],
            "b_requests": [90.0],
            "b_two": [60.0],
            "b_three": [20.0],
            "b_four": [10.0],
        }
    )
    metrics = TrafficMetrics(client, SOURCES, slow_above=0.5, payments=PAID)
    found = metrics.read(60.0, 120.0)
    assert found.keys() == {60.0}
    assert found[60.0].canary == Counts(
        requests=10, errors=3, slow=4, unanswered=3, refused=1, deliveries=3, failures=1
    )
    assert found[60.0].baseline == Counts(requests=90)
    assert (found[60.0].lost, metrics.calls) == (2, 1)
    asked = {query["Id"]: query["MetricStat"] for query in client.asked[0]["MetricDataQueries"]}
    assert asked["c_slow"]["Stat"] == "TC(0.5:)"
    assert {each["Value"] for each in asked["c_five"]["Metric"]["Dimensions"]} == {
        "app/alb/1",
        "targetgroup/green/2",
    }
    assert asked["b_deliveries"]["Metric"]["Dimensions"] == [
        {"Name": "Release", "Value": "backend:7"},
        {"Name": "Service", "Value": "backend"},
    ]
    assert asked["lost"]["Metric"]["Dimensions"] == [{"Name": "LoadBalancer", "Value": "app/alb/1"}]


def test_an_answer_in_pages_is_read_to_its_end() -> None:
    metrics = TrafficMetrics(CloudWatch({"c_requests": [4.0, 5.0]}, pages=2), SOURCES, slow_above=0.5)
    found = metrics.read(60.0, 180.0)
    assert {at: reading.canary.requests for at, reading in found.items()} == {60.0: 4, 120.0: 5}
    assert metrics.calls == 2
