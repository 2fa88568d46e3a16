"""Metric data queries, of GetMetricData and of alarms: metrics and expressions to time series. No I/O."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudwatch.math.evaluation import Scope, TimeSeries, Value, evaluate
from samjhadoo_emulator.cloudwatch.math.expression import ExpressionError, calls, names, parse
from samjhadoo_emulator.cloudwatch.statistics import compute, known
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudwatch.sample import Sample
    from samjhadoo_emulator.cloudwatch.store import Key, Store

_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
MOST_QUERIES = 500
DEFAULT_PERIOD = 300
SHORTEST_STANDARD = 60
HIGH_RESOLUTION = (1, 5, 10, 20, 30)


@dataclass
class Found:
    """What queries give.

    Attributes:
        series: The series of each query, by its id.
        samples: The observations behind each metric's points, by the query's id.
        failures: Why a query gave nothing, by its id.
    """

    series: dict[str, list[TimeSeries]] = field(default_factory=dict)
    samples: dict[str, dict[int, Sample]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def metric_key(metric: dict[str, Any], namespace: str = "") -> Key:
    """Return a metric's key in the store from botocore's `Metric`, or from a datum and its namespace."""
    dimensions = sorted([(each["Name"], each["Value"]) for each in metric.get("Dimensions") or ()])
    return namespace or metric["Namespace"], metric["MetricName"], tuple(dimensions)


def check(queries: list[dict[str, Any]]) -> None:
    """Refuse queries that cannot be answered."""
    ids = [query["Id"] for query in queries]
    if len(set(ids)) < len(ids):
        raise validation_error("The values for parameter Id in MetricDataQueries are not unique.")
    for number, query in enumerate(queries, 1):
        identity = query["Id"]
        if not _ID.fullmatch(identity):
            raise validation_error(
                f"The value {identity} for parameter Id is not matching the expected pattern "
                "^[a-z][a-zA-Z0-9_]*$."
            )
        where = f"MetricDataQueries.member.{number}"
        if not query.get("MetricStat") and not query.get("Expression"):
            raise validation_error(f"The parameter {where}.MetricStat is required.\n")
        if query.get("MetricStat") and query.get("Expression"):
            raise validation_error(
                f"The parameters {where}.Expression and {where}.MetricStat are mutually exclusive and you "
                "have specified both."
            )
        if query.get("MetricStat"):
            _check_metric(query["MetricStat"])
        else:
            _check_expression(query, ids)


def _check_metric(stat: dict[str, Any]) -> None:
    for member in ("Namespace", "MetricName"):
        if not stat["Metric"].get(member):
            raise validation_error(
                f"The parameter MetricDataQueries.member.N.MetricStat.Metric.{member} is required."
            )
    if not known(stat["Stat"]):
        raise validation_error(f"The value {stat['Stat']} for parameter MetricStat.Stat is not supported.")
    check_period(stat["Period"])


def check_period(period: int) -> None:
    """Refuse a period that is neither 1, 5, 10, 20, 30 nor a multiple of 60 seconds."""
    if period not in HIGH_RESOLUTION and (period <= 0 or period % SHORTEST_STANDARD):
        raise validation_error("Period must be 1, 5, 10, 20, 30 or a multiple of 60")


def _check_expression(query: dict[str, Any], ids: list[str]) -> None:
    text = query["Expression"]
    try:
        tree = parse(text)
    except ExpressionError as error:
        raise validation_error(f"Error in expression '{query['Id']}': {error}") from error
    for name in ("SEARCH", "ANOMALY_DETECTION_BAND", "INSIGHT_RULE_METRIC"):
        if calls(tree, name):
            raise validation_error(
                f"Error in expression '{query['Id']}': {name} is not supported by this emulator"
            )
    for name in names(tree):
        if not name.isupper() and name not in ids:
            raise validation_error(f"Error in expression '{query['Id']}': The id '{name}' is not defined")


def labels(queries: list[dict[str, Any]]) -> dict[str, str]:
    """Return each query's label: its own, the id of an expression, or the metric's name.

    Where the metrics of a request have several statistics or periods, these follow the name.
    """
    stats = [query["MetricStat"] for query in queries if query.get("MetricStat")]
    differing = [name for name in ("Stat", "Period") if len({stat[name] for stat in stats}) > 1]

    def default(query: dict[str, Any]) -> str:
        stat = query.get("MetricStat")
        if not stat:
            return str(query["Id"])
        return " ".join([stat["Metric"]["MetricName"], *(str(stat[name]) for name in differing)])

    return {query["Id"]: query.get("Label") or default(query) for query in queries}


def periods(queries: list[dict[str, Any]]) -> dict[str, int]:
    """Return each query's period; an expression's is the longest of those it is made of."""
    longest = max(
        (query["MetricStat"]["Period"] for query in queries if query.get("MetricStat")),
        default=DEFAULT_PERIOD,
    )
    return {
        query["Id"]: query["MetricStat"]["Period"]
        if query.get("MetricStat")
        else query.get("Period") or longest
        for query in queries
    }


def answer(store: Store, queries: list[dict[str, Any]], *, start: int, end: int) -> Found:
    """Return the series of every query between two times; periods begin at `start`."""
    return _Answer(queries, start, end).of(store)


class _Answer:
    def __init__(self, queries: list[dict[str, Any]], start: int, end: int) -> None:
        self._queries = {query["Id"]: query for query in queries}
        self._start, self._end = start, end
        self._periods = periods(queries)
        self._labels = labels(queries)
        self._values: dict[str, Value] = {}
        self._begun: set[str] = set()
        self._found = Found()

    def of(self, store: Store) -> Found:
        for identity, query in self._queries.items():
            if query.get("MetricStat"):
                self._read(store, identity, query)
        for identity in self._queries:
            self._compute(identity)
        return self._found

    def _read(self, store: Store, identity: str, query: dict[str, Any]) -> None:
        stat = query["MetricStat"]
        samples = store.read(
            metric_key(stat["Metric"]),
            stat.get("Unit"),
            start=self._start,
            end=self._end,
            period=stat["Period"],
        )
        points = {
            at: value
            for at, sample in samples.items()
            if (value := compute(sample, stat["Stat"])) is not None
        }
        series = TimeSeries(points, self._labels[identity], identity, metric=True)
        self._found.samples[identity] = samples
        self._found.series[identity] = [series]
        self._values[identity] = series
        self._begun.add(identity)

    def _compute(self, identity: str) -> None:
        """Evaluate an expression after those that it names."""
        if identity in self._begun:
            return
        self._begun.add(identity)
        query = self._queries[identity]
        tree = parse(query["Expression"])
        for other in names(tree) & self._queries.keys():
            self._compute(other)
        period = self._periods[identity]
        grid = range(self._start, self._end, period)
        try:
            value = evaluate(tree, Scope(self._values, grid, period))
            series = as_series(value, grid)
        except (ExpressionError, IndexError) as error:
            self._found.failures[identity] = str(error)
            self._found.series[identity] = []
            return
        self._values[identity] = value
        self._found.series[identity] = [
            TimeSeries(each.points, self._labels[identity], identity) for each in series
        ]


def as_series(value: Value, grid: range) -> list[TimeSeries]:
    """Return an expression's value as time series; a scalar has a point in every period."""
    if isinstance(value, list):
        return value
    if isinstance(value, TimeSeries):
        return [value]
    if isinstance(value, str):
        raise ExpressionError("The expression does not return a time series")
    return [TimeSeries(dict.fromkeys(grid, float(value)) if math.isfinite(value) else {})]
