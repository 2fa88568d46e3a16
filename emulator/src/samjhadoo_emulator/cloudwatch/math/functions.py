"""The functions of metric math, as the user guide lists them, but for SEARCH and anomaly detection."""

from __future__ import annotations

import itertools
import math
import statistics
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudwatch.math.evaluation import Scope, Series, Value, each_point
from samjhadoo_emulator.cloudwatch.math.expression import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from samjhadoo_emulator.cloudwatch.math.evaluation import Points

    Function = Callable[..., Value]


def _series(value: Value) -> Series:
    if not isinstance(value, Series):
        raise ExpressionError("A time series is expected")
    return value


def _number(value: Value) -> float:
    if not isinstance(value, (int, float)):
        raise ExpressionError("A number is expected")
    return float(value)


def _over(value: Value, change: Callable[[Points], Points]) -> Value:
    """Apply a change to a time series, or to each of a list."""
    if isinstance(value, list):
        return [Series(change(each.points), each.label) for each in value]
    return Series(change(_series(value).points), _series(value).label)


# --- aggregation: of a list by period, of one series to a scalar


def _aggregate(reduce: Callable[[list[float]], float]) -> Function:
    def function(_: Scope, value: Value) -> Value:
        if isinstance(value, list):
            times = sorted({at for each in value for at in each.points})
            return Series(
                {at: reduce([each.points[at] for each in value if at in each.points]) for at in times}
            )
        if isinstance(value, Series):
            return reduce(list(value.points.values())) if value.points else math.nan
        return _number(value)

    return function


def _point(function: Callable[[float], float]) -> Function:
    return lambda _, value: each_point(function, value)


def _end(index: int) -> Function:
    def function(_: Scope, value: Value) -> Value:
        if isinstance(value, list):
            return value[index]
        points = _series(value).points
        return points[sorted(points)[index]] if points else math.nan

    return function


# --- changes from one point to the next


def _steps(step: Callable[[float, float], float]) -> Function:
    def change(points: Points) -> Points:
        pairs = itertools.pairwise(sorted(points))
        return {at: step(points[at] - points[before], at - before) for before, at in pairs}

    return lambda _, value: _over(value, change)


def _running_sum(_: Scope, value: Value) -> Value:
    def change(points: Points) -> Points:
        total, result = 0.0, {}
        for at in sorted(points):
            total += points[at]
            result[at] = total
        return result

    return _over(value, change)


# --- missing points and choices


def _fill(scope: Scope, value: Value, filler: Value) -> Value:
    if filler == "REPEAT":
        return _over(value, lambda points: _repeated(points, scope))
    if filler == "LINEAR":
        return _over(value, lambda points: _between(points, scope))
    if isinstance(filler, Series):
        others = filler.points
        return _over(value, lambda points: _sorted({**others, **points}))
    fixed = _number(filler)
    return _over(value, lambda points: {at: points.get(at, fixed) for at in scope.grid})


def _repeated(points: Points, scope: Scope) -> Points:
    last, result = None, {}
    for at in scope.grid:
        last = points.get(at, last)
        if last is not None:
            result[at] = last
    return result


def _between(points: Points, scope: Scope) -> Points:
    result: Points = {}
    known = sorted(points)
    for before, after in itertools.pairwise(known):
        slope = (points[after] - points[before]) / (after - before)
        result |= {at: points[before] + slope * (at - before) for at in scope.grid if before <= at < after}
    return result | {at: points[at] for at in known[-1:]}


def _sorted(points: Points) -> Points:
    return {at: points[at] for at in sorted(points)}


def _if(_: Scope, condition: Value, then: Value, otherwise: Value | None = None) -> Value:
    if not isinstance(condition, Series):
        chosen = then if _number(condition) else otherwise
        return Series({}) if chosen is None else chosen

    def pick(value: Value | None, at: int) -> float | None:
        if value is None:
            return None
        return value.points.get(at) if isinstance(value, Series) else _number(value)

    picked = {at: pick(then if truth else otherwise, at) for at, truth in condition.points.items()}
    return Series({at: value for at, value in picked.items() if value is not None})


def _metrics(scope: Scope, pattern: Value = "") -> Value:
    if not isinstance(pattern, str):
        raise ExpressionError("METRICS takes a text")
    return [
        each
        for each in scope.values.values()
        if isinstance(each, Series) and each.metric and (pattern in each.id)
    ]


def _slice(_: Scope, value: Value, first: Value, last: Value | None = None) -> Value:
    if not isinstance(value, list):
        raise ExpressionError("SLICE takes a list of time series")
    start, end = int(_number(first)), None if last is None else int(_number(last))
    if end is None:
        return value[start]
    return value[start:end]


def _sort(_: Scope, value: Value, key: Value, order: Value, limit: Value | None = None) -> Value:
    if not isinstance(value, list):
        raise ExpressionError("SORT takes a list of time series")
    if not isinstance(key, str) or key not in REDUCTIONS:
        raise ExpressionError(f"SORT does not know {key!r}")
    reduce = REDUCTIONS[key]
    ranked = sorted(
        value, key=lambda each: reduce(list(each.points.values()) or [0.0]), reverse=order == "DESC"
    )
    return ranked if limit is None else ranked[: int(_number(limit))]


# --- time


def _clock(read: Callable[[datetime], float]) -> Function:
    def function(_: Scope, value: Value) -> Value:
        return _over(value, lambda points: {at: read(datetime.fromtimestamp(at, UTC)) for at in points})

    return function


def _time_series(scope: Scope, value: Value) -> Value:
    return Series(dict.fromkeys(scope.grid, _number(value)))


def _count(values: Iterable[Any]) -> float:
    return float(len(list(values)))


REDUCTIONS: dict[str, Callable[[list[float]], float]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
    "STDDEV": statistics.pstdev,
}

FUNCTIONS: dict[str, Function] = {
    **{name: _aggregate(reduce) for name, reduce in REDUCTIONS.items()},
    "ABS": _point(abs),
    "CEIL": _point(math.ceil),
    "FLOOR": _point(math.floor),
    "LOG": _point(math.log),
    "LOG10": _point(math.log10),
    "DIFF": _steps(lambda difference, _: difference),
    "DIFF_TIME": _steps(lambda _, seconds: float(seconds)),
    "RATE": _steps(lambda difference, seconds: difference / seconds),
    "RUNNING_SUM": _running_sum,
    "FILL": _fill,
    "FIRST": _end(0),
    "LAST": _end(-1),
    "IF": _if,
    "METRICS": _metrics,
    "METRIC_COUNT": lambda _, value: _count(value) if isinstance(value, list) else 1.0,
    "DATAPOINT_COUNT": _aggregate(_count),
    "PERIOD": lambda scope, _: float(scope.period),
    "REMOVE_EMPTY": lambda _, value: [each for each in value if each.points],
    "SLICE": _slice,
    "SORT": _sort,
    "TIME_SERIES": _time_series,
    "EPOCH": _clock(datetime.timestamp),
    "MINUTE": _clock(lambda at: float(at.minute)),
    "HOUR": _clock(lambda at: float(at.hour)),
    "DAY": _clock(lambda at: float(at.isoweekday())),
    "DATE": _clock(lambda at: float(at.day)),
    "MONTH": _clock(lambda at: float(at.month)),
    "YEAR": _clock(lambda at: float(at.year)),
}
