"""Metrics as clients see them: put, listed, read back as statistics and as metric data."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.cloudwatch import queries

if TYPE_CHECKING:
    from collections.abc import Callable

_names = itertools.count()


@pytest.fixture
def cloudwatch(noop_emulator: Any) -> Any:
    return noop_emulator.client("cloudwatch")


@pytest.fixture
def namespace() -> str:
    return f"Test/{next(_names)}"


@pytest.fixture
def minute(noop_emulator: Any) -> Callable[[int], datetime]:
    """Give the start of a minute of the emulated clock, so many minutes ago."""
    now = noop_emulator.ask("GET", "health")["clock"]["now"] // 60 * 60

    def ago(minutes: int) -> datetime:
        return datetime.fromtimestamp(now, UTC) - timedelta(minutes=minutes)

    return ago


def put(cloudwatch: Any, namespace: str, *data: dict[str, Any]) -> None:
    cloudwatch.put_metric_data(
        Namespace=namespace, MetricData=[{"MetricName": "latency", **each} for each in data]
    )


def stat(namespace: str, statistic: str, *, name: str = "latency", period: int = 60) -> dict[str, Any]:
    return {
        "Metric": {"Namespace": namespace, "MetricName": name},
        "Period": period,
        "Stat": statistic,
    }


def values(cloudwatch: Any, minute: Any, *queries: dict[str, Any], minutes: int = 5, **options: Any) -> Any:
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=list(queries),
        StartTime=minute(minutes),
        EndTime=minute(0),
        ScanBy="TimestampAscending",
        **options,
    )
    return {each["Id"]: each["Values"] for each in answer["MetricDataResults"]}


def test_a_period_gives_the_five_statistics(cloudwatch: Any, namespace: str, minute: Any) -> None:
    put(cloudwatch, namespace, *({"Value": value, "Timestamp": minute(3)} for value in (1.0, 2.0, 6.0)))
    answer = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName="latency",
        StartTime=minute(5),
        EndTime=minute(0),
        Period=60,
        Statistics=["SampleCount", "Average", "Sum", "Minimum", "Maximum"],
    )
    assert answer["Label"] == "latency"
    assert answer["Datapoints"] == [
        {
            "Timestamp": minute(3),
            "SampleCount": 3.0,
            "Average": 3.0,
            "Sum": 9.0,
            "Minimum": 1.0,
            "Maximum": 6.0,
            "Unit": "None",
        }
    ]


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("p0", 1.0),
        ("p50", 50.5),
        ("p99", 99.01),
        ("p100", 100.0),
        ("tm90", 45.5),
        ("TM(10%:90%)", 50.5),
        ("wm90", 49.9),
        ("tc90", 90.0),
        ("TC(50:)", 50.0),
        ("TS(98:)", 199.0),
        ("PR(:25)", 25.0),
        ("PR(10:20)", 10.0),
        ("IQM", 50.5),
    ],
)
def test_an_extended_statistic_is_of_the_true_distribution(
    cloudwatch: Any, namespace: str, minute: Any, statistic: str, expected: float
) -> None:
    put(
        cloudwatch,
        namespace,
        {"Values": [float(value) for value in range(1, 101)], "Counts": [1.0] * 100, "Timestamp": minute(2)},
    )
    found = values(cloudwatch, minute, {"Id": "m", "MetricStat": stat(namespace, statistic)})
    assert found["m"] == [pytest.approx(expected, rel=0.002)]


def test_thousands_of_values_keep_their_percentiles_within_a_percent(
    cloudwatch: Any, namespace: str, minute: Any
) -> None:
    for start in range(0, 3000, 150):
        put(
            cloudwatch,
            namespace,
            {"Values": [(start + each) / 3000 for each in range(1, 151)], "Timestamp": minute(2)},
        )
    found = values(cloudwatch, minute, {"Id": "m", "MetricStat": stat(namespace, "p95")})
    assert found["m"] == [pytest.approx(0.95, rel=0.01)]


def test_a_statistic_set_has_no_percentiles(cloudwatch: Any, namespace: str, minute: Any) -> None:
    statistics = {"SampleCount": 3.0, "Sum": 9.0, "Minimum": 1.0, "Maximum": 6.0}
    put(cloudwatch, namespace, {"StatisticValues": statistics, "Timestamp": minute(2)})
    found = values(
        cloudwatch,
        minute,
        {"Id": "p", "MetricStat": stat(namespace, "p95")},
        {"Id": "a", "MetricStat": stat(namespace, "Average")},
    )
    assert found == {"p": [], "a": [3.0]}


def test_high_resolution_metrics_are_read_by_the_second(cloudwatch: Any, namespace: str, minute: Any) -> None:
    for second in (0, 5, 10):
        at = minute(2) + timedelta(seconds=second)
        put(cloudwatch, namespace, {"Value": float(second), "Timestamp": at, "StorageResolution": 1})
    query = {"Id": "m", "MetricStat": stat(namespace, "Sum", period=5)}
    assert values(cloudwatch, minute, query)["m"] == [0.0, 5.0, 10.0]
    query = {"Id": "m", "MetricStat": stat(namespace, "Sum", period=60)}
    assert values(cloudwatch, minute, query)["m"] == [15.0]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("100 * e / r", [50.0, 25.0], id="only where both have points"),
        pytest.param("IF(r > 2, e, 7)", [7.0, 1.0, 7.0], id="a choice at every point"),
        pytest.param("100 * FILL(e, 0) / r", [50.0, 25.0, 0.0], id="filled"),
        pytest.param("FILL(e, REPEAT)", [1.0, 1.0, 1.0, 1.0], id="filled with the last"),
        pytest.param("SUM(METRICS())", [3.0, 5.0, 2.0], id="over all metrics"),
        pytest.param('MAX(METRICS("e"))', [1.0, 1.0], id="over metrics by id"),
        pytest.param("SUM([e, r])", [3.0, 5.0, 2.0], id="over a list"),
        pytest.param("r + SUM(e)", [4.0, 6.0, 4.0], id="a series sums to a scalar"),
        pytest.param("RATE(r)", [2 / 60, -2 / 60], id="per second"),
        pytest.param("DIFF(r)", [2.0, -2.0], id="differences"),
        pytest.param("ABS(-r)", [2.0, 4.0, 2.0], id="absolute"),
        pytest.param("-r ^ 2", [-4.0, -16.0, -4.0], id="powers bind most"),
        pytest.param("r > 3 AND r < 9 || r == 2", [1.0, 1.0, 1.0], id="logic"),
        pytest.param("1 / (r - 2)", [0.5], id="a division by zero has no point"),
        pytest.param("r - 1 - 1", [0.0, 2.0, 0.0], id="from left to right"),
        pytest.param("MIN(r) * AVG(r) + STDDEV(r) * 0", [16 / 3] * 5, id="a scalar stands in every period"),
    ],
)
def test_metric_math_gives_the_results_of_the_guide(
    cloudwatch: Any, namespace: str, minute: Any, expression: str, expected: list[float]
) -> None:
    for ago, requests in ((4, 2.0), (3, 4.0), (2, 2.0)):
        put(cloudwatch, namespace, {"MetricName": "r", "Value": requests, "Timestamp": minute(ago)})
    for ago in (4, 3):
        put(cloudwatch, namespace, {"MetricName": "e", "Value": 1.0, "Timestamp": minute(ago)})
    found = values(
        cloudwatch,
        minute,
        {"Id": "x", "Expression": expression},
        {"Id": "r", "MetricStat": stat(namespace, "Sum", name="r"), "ReturnData": False},
        {"Id": "e", "MetricStat": stat(namespace, "Sum", name="e"), "ReturnData": False},
    )
    assert found == {"x": pytest.approx(expected)}


@pytest.mark.parametrize(
    "expression", ["r +", "SUM(r", "nothing", "SEARCH('x', 'Sum', 60)", "r $ 2", "(" * 80 + "r" + ")" * 80]
)
def test_a_wrong_expression_is_refused(cloudwatch: Any, namespace: str, minute: Any, expression: str) -> None:
    with pytest.raises(cloudwatch.exceptions.ClientError, match="ValidationError"):
        values(
            cloudwatch,
            minute,
            {"Id": "x", "Expression": expression},
            {"Id": "r", "MetricStat": stat(namespace, "Sum")},
        )


def test_results_come_newest_first_with_labels_and_in_pages(
    cloudwatch: Any, namespace: str, minute: Any
) -> None:
    for ago in (4, 3, 2):
        put(cloudwatch, namespace, {"Value": float(ago), "Timestamp": minute(ago)})
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[{"Id": "m", "MetricStat": stat(namespace, "Sum"), "Label": "Late"}],
        StartTime=minute(5),
        EndTime=minute(0),
        MaxDatapoints=2,
    )
    found = [each["MetricDataResults"][0] for each in pages]
    assert [(each["Label"], each["Values"], each["StatusCode"]) for each in found] == [
        ("Late", [2.0, 3.0], "PartialData"),
        ("Late", [4.0], "Complete"),
    ]


def test_metrics_are_listed_by_namespace_name_and_dimensions(cloudwatch: Any, namespace: str) -> None:
    for zone in ("a", "b"):
        put(
            cloudwatch,
            namespace,
            {"Value": 1.0, "Dimensions": [{"Name": "Zone", "Value": zone}, {"Name": "App", "Value": "x"}]},
        )
    put(cloudwatch, namespace, {"Value": 1.0})
    dimensions = [
        {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        for metric in cloudwatch.list_metrics(Namespace=namespace)["Metrics"]
    ]
    assert dimensions == [{}, {"App": "x", "Zone": "a"}, {"App": "x", "Zone": "b"}]
    for filters, amount in (([{"Name": "Zone"}], 2), ([{"Name": "Zone", "Value": "b"}], 1)):
        found = cloudwatch.list_metrics(Namespace=namespace, MetricName="latency", Dimensions=filters)
        assert len(found["Metrics"]) == amount


def test_listing_goes_by_pages_of_five_hundred(cloudwatch: Any, namespace: str) -> None:
    for start in (0, 300):
        names = [f"m{start + index}" for index in range(300)]
        put(cloudwatch, namespace, *({"MetricName": name, "Value": 1.0} for name in names))
    pages = list(cloudwatch.get_paginator("list_metrics").paginate(Namespace=namespace))
    assert [len(each["Metrics"]) for each in pages] == [500, 100]


def test_units_are_kept_apart(cloudwatch: Any, namespace: str, minute: Any) -> None:
    for unit in ("Seconds", "Count"):
        put(cloudwatch, namespace, {"Value": 1.0, "Unit": unit, "Timestamp": minute(2)})
    of_unit = {"Id": "m", "MetricStat": {**stat(namespace, "Sum"), "Unit": "Count"}}
    other = {"Id": "n", "MetricStat": {**stat(namespace, "Sum"), "Unit": "Bytes"}}
    found = values(cloudwatch, minute, of_unit, other, {"Id": "o", "MetricStat": stat(namespace, "Sum")})
    assert found == {"m": [1.0], "n": [], "o": [2.0]}


@pytest.mark.parametrize(
    ("datum", "code"),
    [
        ({}, "MissingParameter"),
        ({"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombination"),
        ({"Values": [1.0], "Counts": [1.0, 2.0]}, "InvalidParameterValue"),
        ({"Value": float("inf")}, "InvalidParameterValue"),
        ({"Value": 1.0, "Timestamp": datetime(2020, 1, 1, tzinfo=UTC)}, "InvalidParameterValue"),
    ],
)
def test_data_that_aws_would_refuse_is_refused(
    cloudwatch: Any, namespace: str, datum: dict[str, Any], code: str
) -> None:
    with pytest.raises(cloudwatch.exceptions.ClientError) as refused:
        put(cloudwatch, namespace, datum)
    assert refused.value.response["Error"]["Code"] == code


def test_too_many_datapoints_are_refused(cloudwatch: Any, namespace: str, minute: Any) -> None:
    with pytest.raises(cloudwatch.exceptions.ClientError, match="exceeds the limit of 1,440"):
        cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName="latency",
            StartTime=minute(2000),
            EndTime=minute(0),
            Period=60,
            Statistics=["Sum"],
        )


@pytest.mark.parametrize(
    ("stats", "expected"),
    [
        ([("Sum", 60)], ["m"]),
        ([("Sum", 60), ("Sum", 60)], ["m", "m"]),
        ([("Sum", 60), ("Average", 60)], ["m Sum", "m Average"]),
        ([("Sum", 60), ("Sum", 120)], ["m 60", "m 120"]),
        ([("Sum", 60), ("p99", 120)], ["m Sum 60", "m p99 120"]),
    ],
)
def test_labels_name_what_differs_between_the_metrics_of_a_request(
    stats: list[tuple[str, int]], expected: list[str]
) -> None:
    wanted: list[dict[str, Any]] = [
        {
            "Id": f"q{number}",
            "MetricStat": {"Metric": {"Namespace": "n", "MetricName": "m"}, "Stat": name, "Period": period},
        }
        for number, (name, period) in enumerate(stats)
    ]
    wanted += [{"Id": "sum", "Expression": "q0 * 2"}, {"Id": "named", "Expression": "q0", "Label": "Mine"}]
    assert list(queries.labels(wanted).values()) == [*expected, "sum", "Mine"]


@pytest.mark.parametrize(
    ("start", "end", "statistics", "data"),
    [
        (0, 0, "less than", "must not equal"),
        (1, 0, "less than", "must be greater"),
        (0.1, 0.9, "less than", "must not equal"),
    ],
    ids=["the same time", "the wrong order", "within a second"],
)
def test_each_operation_refuses_a_time_range_in_its_own_words(
    cloudwatch: Any, start: float, end: float, statistics: str, data: str
) -> None:
    base = datetime.now(UTC).replace(microsecond=0)
    times = {"StartTime": base + timedelta(seconds=start), "EndTime": base + timedelta(seconds=end)}
    with pytest.raises(cloudwatch.exceptions.InvalidParameterValueException, match=statistics):
        cloudwatch.get_metric_statistics(
            Namespace="n", MetricName="m", Period=60, Statistics=["Sum"], **times
        )
    query = {"Id": "q", "MetricStat": {"Metric": {"Namespace": "n", "MetricName": "m"}, "Stat": "Sum"}}
    query["MetricStat"]["Period"] = 60  # type: ignore[index]
    with pytest.raises(cloudwatch.exceptions.ClientError, match=rf"ValidationError.*{data}"):
        cloudwatch.get_metric_data(MetricDataQueries=[query], **times)


def test_an_invalid_number_is_named(cloudwatch: Any, namespace: str) -> None:
    for value, shown in ((float("nan"), "NaN"), (float("-inf"), "-Infinity")):
        with pytest.raises(cloudwatch.exceptions.InvalidParameterValueException) as refused:
            cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "m", "Value": value}])
        wanted = f"The value {shown} for parameter MetricData.member.1.Value is invalid."
        assert refused.value.response["Error"]["Message"] == wanted
