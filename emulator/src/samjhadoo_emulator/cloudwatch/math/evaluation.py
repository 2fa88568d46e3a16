"""The value of a metric math expression: a scalar, a time series, or a list of time series.

A time series maps the start of a period to a value. Where an operand has no point, neither has the result; a
division by zero has none either.
"""

from __future__ import annotations

import itertools
import math
import operator
import statistics
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from samjhadoo_emulator.cloudwatch.math.expression import (
    Array,
    ExpressionError,
    FunctionCall,
    Name,
    Node,
    Number,
    Operation,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Points = dict[int, float]


@dataclass(frozen=True)
class TimeSeries:
    """A time series with its label and where it came from."""

    points: Points
    label: str = ""
    id: str = ""
    metric: bool = False


Value = float | str | TimeSeries | list[TimeSeries]
Function: TypeAlias = "Callable[..., Value]"


@dataclass(frozen=True)
class Scope:
    """What an expression may name.

    Attributes:
        grid: The start of every period, in order: what FILL fills.
        period: Seconds of a period.
    """

    values: dict[str, Value]
    grid: Sequence[int]
    period: int


_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "<": lambda a, b: float(a < b),
    ">": lambda a, b: float(a > b),
    "<=": lambda a, b: float(a <= b),
    ">=": lambda a, b: float(a >= b),
    "&&": lambda a, b: float(bool(a) and bool(b)),
    "||": lambda a, b: float(bool(a) or bool(b)),
}


def evaluate(node: Node, scope: Scope) -> Value:
    """Return an expression's value.

    Raises:
        ExpressionError: A name or function is not known, or an operand is of the wrong kind.
    """
    match node:
        case Number(value) | Text(value):
            return value
        case Name(value):
            if value.isupper():
                return value  # a constant (REPEAT, DESC): ids begin with a lower case letter
            if value not in scope.values:
                raise ExpressionError(f"The id {value!r} is not known")
            return scope.values[value]
        case Array(items):
            return _flat([evaluate(each, scope) for each in items])
        case Operation(symbol, operands):
            values = [evaluate(each, scope) for each in operands]
            if len(values) == 1:
                return _each_point(operator.neg, values[0])
            return _combine(_OPERATORS[symbol], values[0], values[1])
        case FunctionCall(name, arguments):
            return _called(name, [evaluate(each, scope) for each in arguments], scope)


def _called(name: str, arguments: list[Value], scope: Scope) -> Value:
    if name not in FUNCTIONS:
        raise ExpressionError(f"The function {name} is not known")
    try:
        return FUNCTIONS[name](scope, *arguments)
    except TypeError as error:
        raise ExpressionError(f"The function {name} does not take these arguments") from error


def _each_point(function: Callable[[float], float], value: Value) -> Value:
    """Apply a function to every point."""
    if isinstance(value, list):
        return [_applied(function, each) for each in value]
    if isinstance(value, TimeSeries):
        return _applied(function, value)
    if isinstance(value, str):
        raise ExpressionError("A number or a time series is expected, not a string")
    return _or_nan(function, value)


def _combine(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Apply an operator, point by point where operands are time series."""
    if isinstance(left, str) or isinstance(right, str):
        raise ExpressionError("A number or a time series is expected, not a string")
    if isinstance(left, list):
        if isinstance(right, list):
            raise ExpressionError("Two lists of time series cannot be combined")
        return [_series(_combine(function, each, right)) for each in left]
    if isinstance(right, list):
        return [_series(_combine(function, left, each)) for each in right]
    if isinstance(left, TimeSeries) and isinstance(right, TimeSeries):
        other = right.points
        pairs = {at: (value, other[at]) for at, value in left.points.items() if at in other}
        return TimeSeries(_finite({at: _or_nan(function, *pair) for at, pair in pairs.items()}), left.label)
    if isinstance(left, TimeSeries):
        fixed = right if isinstance(right, float) else 0.0
        return _applied(lambda value: function(value, fixed), left)
    if isinstance(right, TimeSeries):
        return _applied(lambda value: function(left, value), right)
    return _or_nan(function, left, right)


def _applied(function: Callable[[float], float], series: TimeSeries) -> TimeSeries:
    points = {at: _or_nan(function, value) for at, value in series.points.items()}
    return TimeSeries(_finite(points), series.label)


def _or_nan(function: Callable[..., float], *operands: float) -> float:
    try:
        result = function(*operands)
    except (ArithmeticError, ValueError):
        return math.nan
    return result if isinstance(result, (int, float)) else math.nan


def _finite(points: Points) -> Points:
    return {at: value for at, value in points.items() if math.isfinite(value)}


def _series(value: Value) -> TimeSeries:
    if not isinstance(value, TimeSeries):
        raise ExpressionError("A time series is expected")
    return value


def _number(value: Value) -> float:
    if not isinstance(value, (int, float)):
        raise ExpressionError("A number is expected")
    return float(value)


def _flat(values: Sequence[Value]) -> list[TimeSeries]:
    result: list[TimeSeries] = []
    for value in values:
        if isinstance(value, list):
            result.extend(value)
        elif isinstance(value, TimeSeries):
            result.append(value)
        else:
            raise ExpressionError("A list holds time series only")
    return result


# The functions, as the user guide lists them, but for SEARCH and anomaly detection.


def _over(value: Value, change: Callable[[Points], Points]) -> Value:
    """Apply a change to a time series, or to each of a list."""
    if isinstance(value, list):
        return [TimeSeries(change(each.points), each.label) for each in value]
    return TimeSeries(change(_series(value).points), _series(value).label)


# Aggregation: of a list by period, of one series to a scalar.


def _aggregate(reduce: Callable[[list[float]], float]) -> Function:
    def function(_: Scope, value: Value) -> Value:
        if isinstance(value, list):
            times = sorted({at for each in value for at in each.points})
            return TimeSeries(
                {at: reduce([each.points[at] for each in value if at in each.points]) for at in times}
            )
        if isinstance(value, TimeSeries):
            return reduce(list(value.points.values())) if value.points else math.nan
        return _number(value)

    return function


def _point(function: Callable[[float], float]) -> Function:
    return lambda _, value: _each_point(function, value)


def _end(index: int) -> Function:
    def function(_: Scope, value: Value) -> Value:
        if isinstance(value, list):
            return value[index]
        points = _series(value).points
        return points[sorted(points)[index]] if points else math.nan

    return function


# Changes from one point to the next.


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


# Missing points and choices.


def _fill(scope: Scope, value: Value, filler: Value) -> Value:
    if filler == "REPEAT":
        return _over(value, lambda points: _repeated(points, scope))
    if filler == "LINEAR":
        return _over(value, lambda points: _between(points, scope))
    if isinstance(filler, TimeSeries):
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
    if not isinstance(condition, TimeSeries):
        chosen = then if _number(condition) else otherwise
        return TimeSeries({}) if chosen is None else chosen

    def pick(value: Value | None, at: int) -> float | None:
        if value is None:
            return None
        return value.points.get(at) if isinstance(value, TimeSeries) else _number(value)

    picked = {at: pick(then if truth else otherwise, at) for at, truth in condition.points.items()}
    return TimeSeries({at: value for at, value in picked.items() if value is not None})


def _metrics(scope: Scope, pattern: Value = "") -> Value:
    if not isinstance(pattern, str):
        raise ExpressionError("METRICS takes a string")
    return [
        each
        for each in scope.values.values()
        if isinstance(each, TimeSeries) and each.metric and (pattern in each.id)
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


# Time.


def _clock(read: Callable[[datetime], float]) -> Function:
    def function(_: Scope, value: Value) -> Value:
        return _over(value, lambda points: {at: read(datetime.fromtimestamp(at, UTC)) for at in points})

    return function


def _time_series(scope: Scope, value: Value) -> Value:
    return TimeSeries(dict.fromkeys(scope.grid, _number(value)))


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
