"""Operations on metrics."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudwatch import queries
from samjhadoo_emulator.cloudwatch.base import CloudWatchBase
from samjhadoo_emulator.cloudwatch.sample import Sample
from samjhadoo_emulator.cloudwatch.statistics import SIMPLE, compute, known
from samjhadoo_emulator.cloudwatch.store import DAY, LISTED, MINUTE, RECENT, SECOND, grouped
from samjhadoo_emulator.errors import AwsError, validation_error
from samjhadoo_emulator.pagination import CLOUDWATCH
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.service import Params, Result

MOST_DATA = 1000
MOST_DATAPOINTS_OF_STATISTICS = 1440
MOST_DATAPOINTS = 100_800
invalid = partial(AwsError, "InvalidParameterValueException")
missing = partial(AwsError, "MissingRequiredParameterException")
contradictory = partial(AwsError, "InvalidParameterCombinationException")
LIST_PAGE = 500
MOST_DIMENSIONS = 30
GREATEST = 2.0**360
OLDEST = timedelta(days=14)
YOUNGEST = timedelta(hours=2)
FIVE_MINUTES_AFTER, HOUR_AFTER = 15 * DAY, 63 * DAY


class Metrics(CloudWatchBase):
    """Data points are put at times of the emulated clock; without one, it is now."""

    @operation("PutMetricData")
    async def put_metric_data(self, params: Params) -> Result:
        namespace = params["Namespace"]
        if namespace.startswith(":"):
            raise invalid("The value  for parameter Namespace is invalid.")
        data = list(params.get("MetricData") or [])
        for entity in params.get("EntityMetricData") or []:
            data += entity.get("MetricData") or []
        if not data:
            raise missing("The parameter MetricData is required.")
        if len(data) > MOST_DATA:
            raise invalid("The collection MetricData must not have a size greater than 1000.")
        now, faults = self.clock.now(), self.host.faults
        points = [_point(each, index, now) for index, each in enumerate(data, 1)]
        time = now.timestamp()
        for datum, (at, sample) in zip(data, points, strict=True):
            resolution = SECOND if datum.get("StorageResolution") == SECOND else MINUTE
            key = queries.metric_key(datum, namespace)
            unit = datum.get("Unit") or "None"
            late = faults.metrics_late(namespace, datum["MetricName"]) if faults else 0
            if late == 0:
                self.store.add(key, unit, at.timestamp(), sample, resolution=resolution, now=time)
            elif late < math.inf:
                self.store.add_later(time + late, key, unit, at.timestamp(), sample, resolution=resolution)
        return {}

    @operation("GetMetricStatistics")
    async def get_metric_statistics(self, params: Params) -> Result:
        statistics, extended = params.get("Statistics") or [], params.get("ExtendedStatistics") or []
        _check_statistics(statistics, extended)
        if _second(params["StartTime"]) >= _second(params["EndTime"]):
            raise invalid("The parameter StartTime must be less than the parameter EndTime.")
        start, end, period = self._range(params, params["Period"])
        if (end - start) / period > MOST_DATAPOINTS_OF_STATISTICS:
            raise contradictory(
                f"You have requested up to {math.ceil((end - start) / period):,} datapoints, which exceeds "
                "the limit of 1,440. You may reduce the datapoints requested by increasing Period, or "
                "decreasing the time range."
            )
        points = []
        for unit, series in self.store.units(queries.metric_key(params), params.get("Unit")).items():
            for at, sample in grouped([series], start=start, end=end, period=period).items():
                point: dict[str, Any] = {"Timestamp": _time(at), "Unit": unit}
                point |= {name: SIMPLE[name](sample) for name in statistics}
                found = {name: value for name in extended if (value := compute(sample, name)) is not None}
                if found:
                    point["ExtendedStatistics"] = found
                if found or statistics:
                    points.append(point)
        return {"Label": params["MetricName"], "Datapoints": points}

    @operation("GetMetricData")
    async def get_metric_data(self, params: Params) -> Result:
        wanted = params["MetricDataQueries"]
        if len(wanted) > queries.MOST_QUERIES:
            raise validation_error("The collection MetricDataQueries must not have a size greater than 500.")
        queries.check(wanted)
        begin, until = _second(params["StartTime"]), _second(params["EndTime"])
        if begin > until:
            raise validation_error("The parameter EndTime must be greater than StartTime.")
        if begin == until:
            raise validation_error("The parameter StartTime must not equal parameter EndTime.")
        longest = max(queries.periods(wanted).values(), default=MINUTE)
        start, end, _ = self._range(params, longest)
        found = queries.answer(self.store, wanted, start=start, end=end)
        descending = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        size = int(params.get("MaxDatapoints") or MOST_DATAPOINTS)
        first = CLOUDWATCH.position(params)
        results, left = [], 0
        for query in wanted:
            if query.get("ReturnData", True):
                for series in found.series[query["Id"]]:
                    points = sorted(series.points.items(), reverse=descending)
                    left = max(left, len(points) - first - size)
                    results.append(_result(query["Id"], series.label, points[first : first + size]))
                if query["Id"] in found.failures:
                    results.append(_failure(query, found.failures[query["Id"]]))
        more = CLOUDWATCH.member(first + size) if left > 0 else {}
        for result in results:
            if left > 0 and result["StatusCode"] == "Complete":
                result["StatusCode"] = "PartialData"
        return {"MetricDataResults": results, "Messages": [], **more}

    @operation("ListMetrics")
    async def list_metrics(self, params: Params) -> Result:
        now = self.clock.timestamp()
        self.store.arrive(now)
        self.store.forget(now)
        since = now - (RECENT if params.get("RecentlyActive") else LISTED)
        filters = params.get("Dimensions") or []
        found = [
            {
                "Namespace": namespace,
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
            }
            for namespace, name, dimensions in self.store.keys(since=since)
            if namespace == params.get("Namespace", namespace)
            and name == params.get("MetricName", name)
            and all(_matches(each, dict(dimensions)) for each in filters)
        ]
        return CLOUDWATCH.answer("Metrics", found, params, default=LIST_PAGE)

    def _range(self, params: Params, period: int) -> tuple[int, int, int]:
        """Return a request's start, rounded down as AWS does, end and period; what is due arrives first."""
        self.store.arrive(self.clock.timestamp())
        start, end = _utc(params["StartTime"]).timestamp(), _utc(params["EndTime"]).timestamp()
        queries.check_period(period)
        age = self.clock.timestamp() - start
        unit = min(period, MINUTE)
        unit = 3600 if age > HOUR_AFTER else 300 if age > FIVE_MINUTES_AFTER else unit
        return int(start // unit) * unit, math.ceil(end), period


def _point(datum: dict[str, Any], index: int, now: datetime) -> tuple[datetime, Sample]:
    """Return a datum's time and observations, or refuse it as AWS does."""
    where = f"MetricData.member.{index}"
    at = _utc(datum["Timestamp"]) if "Timestamp" in datum else now
    if not now - OLDEST <= at <= now + YOUNGEST:
        raise invalid(
            f"The parameter {where}.Timestamp must specify a time no more than two weeks in the past "
            "and no more than two hours in the future."
        )
    if len(datum.get("Dimensions") or []) > MOST_DIMENSIONS:
        raise invalid(f"The collection {where}.Dimensions must not have a size greater than 30.")
    given = [name for name in ("Value", "Values", "StatisticValues") if datum.get(name) is not None]
    if not given:
        raise missing(
            f"At least one of the parameters {where}.Value, {where}.Values or {where}.StatisticValues "
            "must be specified."
        )
    if len(given) > 1:
        raise contradictory(
            f"The parameters {where}.{given[0]} and {where}.{given[1]} are mutually exclusive and you have "
            "specified both."
        )
    return at, _sample(datum, where)


def _sample(datum: dict[str, Any], where: str) -> Sample:
    if (value := datum.get("Value")) is not None:
        if not -GREATEST <= value <= GREATEST:  # nor if it is no number
            _check_numbers([value], f"{where}.Value")
        return Sample.single(float(value))
    if (values := datum.get("Values")) is not None:
        counts = datum.get("Counts") or [1.0] * len(values)
        if len(counts) != len(values) or not values:
            raise invalid(f"The parameters {where}.Values and {where}.Counts must be of the same size.")
        _check_numbers([*values, *counts], f"{where}.Values")
        seen: dict[float, float] = {}
        for number, count in zip(values, counts, strict=True):
            seen[float(number)] = seen.get(float(number), 0.0) + float(count)
        return Sample.of(seen)
    found = datum["StatisticValues"]
    numbers = [float(found[name]) for name in ("SampleCount", "Sum", "Minimum", "Maximum")]
    _check_numbers(numbers, f"{where}.StatisticValues")
    count, total, low, high = numbers
    if count <= 0 or low > high:
        raise invalid(f"The parameter {where}.StatisticValues is not a valid statistic set.")
    return Sample(count, total, low, high)


def _check_numbers(numbers: list[float], where: str) -> None:
    for each in numbers:
        if not math.isfinite(each):
            shown = "NaN" if math.isnan(each) else str(each).replace("inf", "Infinity")
            raise invalid(f"The value {shown} for parameter {where} is invalid.")
        if abs(each) > GREATEST:
            raise invalid(f"The value {each:g} for parameter {where} must be between -2^360 and 2^360.")


def _check_statistics(statistics: list[str], extended: list[str]) -> None:
    if not statistics and not extended:
        raise contradictory("Must specify either Statistics or ExtendedStatistics")
    if statistics and extended:
        raise contradictory("Statistics and ExtendedStatistics cannot both be specified in one request.")
    for name in itertools.chain(statistics, extended):
        if (name in extended and name in SIMPLE) or not known(name):
            raise invalid(f"The value {name} for parameter ExtendedStatistics is not supported.")
        if name in statistics and name not in SIMPLE:
            raise invalid(
                f"The value {name} for parameter Statistics.member.1 must be one of {list(SIMPLE)}."
            )


def _result(identity: str, label: str, points: list[tuple[int, float]]) -> dict[str, Any]:
    return {
        "Id": identity,
        "Label": label,
        "Timestamps": [_time(at) for at, _ in points],
        "Values": [value for _, value in points],
        "StatusCode": "Complete",
    }


def _failure(query: dict[str, Any], why: str) -> dict[str, Any]:
    return {
        **_result(query["Id"], query.get("Label") or query["Id"], []),
        "StatusCode": "InternalError",
        "Messages": [{"Code": "ArithmeticError", "Value": why}],
    }


def _matches(wanted: dict[str, str], dimensions: dict[str, str]) -> bool:
    return (
        wanted["Name"] in dimensions
        and wanted.get("Value", dimensions[wanted["Name"]]) == (dimensions[wanted["Name"]])
    )


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
