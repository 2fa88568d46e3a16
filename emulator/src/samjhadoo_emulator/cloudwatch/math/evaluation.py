"""The value of a metric math expression: a scalar, a time series, or a list of time series.

A time series maps the start of a period to a value. Where an operand has no point, neither has the result; a
division by zero has none either.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from samjhadoo_emulator.cloudwatch.math.expression import (
    Array,
    Call,
    ExpressionError,
    Name,
    Node,
    Number,
    Operation,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Points = dict[int, float]


@dataclass(frozen=True)
class Series:
    """A time series with its label and where it came from."""

    points: Points
    label: str = ""
    id: str = ""
    metric: bool = False


Value = float | str | Series | list[Series]


@dataclass(frozen=True)
class Scope:
    """What an expression may name.

    Attributes:
        values: The values of ids.
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
                return each_point(operator.neg, values[0])
            return combine(_OPERATORS[symbol], values[0], values[1])
        case Call(name, arguments):
            return _called(name, [evaluate(each, scope) for each in arguments], scope)


def _called(name: str, arguments: list[Value], scope: Scope) -> Value:
    from samjhadoo_emulator.cloudwatch.math.functions import FUNCTIONS

    if name not in FUNCTIONS:
        raise ExpressionError(f"The function {name} is not known")
    try:
        return FUNCTIONS[name](scope, *arguments)
    except TypeError as error:
        raise ExpressionError(f"The function {name} does not take these arguments") from error


def each_point(function: Callable[[float], float], value: Value) -> Value:
    """Apply a function to every point."""
    if isinstance(value, list):
        return [_applied(function, each) for each in value]
    if isinstance(value, Series):
        return _applied(function, value)
    if isinstance(value, str):
        raise ExpressionError("A number or a time series is expected, not a text")
    return _or_nan(function, value)


def combine(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Apply an operator, point by point where operands are time series."""
    if isinstance(left, str) or isinstance(right, str):
        raise ExpressionError("A number or a time series is expected, not a text")
    if isinstance(left, list):
        if isinstance(right, list):
            raise ExpressionError("Two lists of time series cannot be combined")
        return [_one(combine(function, each, right)) for each in left]
    if isinstance(right, list):
        return [_one(combine(function, left, each)) for each in right]
    if isinstance(left, Series) and isinstance(right, Series):
        other = right.points
        pairs = {at: (value, other[at]) for at, value in left.points.items() if at in other}
        return Series(_finite({at: _or_nan(function, *pair) for at, pair in pairs.items()}), left.label)
    if isinstance(left, Series):
        fixed = right if isinstance(right, float) else 0.0
        return _applied(lambda value: function(value, fixed), left)
    if isinstance(right, Series):
        return _applied(lambda value: function(left, value), right)
    return _or_nan(function, left, right)


def _applied(function: Callable[[float], float], series: Series) -> Series:
    points = {at: _or_nan(function, value) for at, value in series.points.items()}
    return Series(_finite(points), series.label)


def _or_nan(function: Callable[..., float], *operands: float) -> float:
    try:
        result = function(*operands)
    except (ArithmeticError, ValueError):
        return math.nan
    return result if isinstance(result, (int, float)) else math.nan


def _finite(points: Points) -> Points:
    return {at: value for at, value in points.items() if math.isfinite(value)}


def _one(value: Value) -> Series:
    if not isinstance(value, Series):
        raise ExpressionError("A time series is expected")
    return value


def _flat(values: Sequence[Value]) -> list[Series]:
    result: list[Series] = []
    for value in values:
        if isinstance(value, list):
            result.extend(value)
        elif isinstance(value, Series):
            result.append(value)
        else:
            raise ExpressionError("A list holds time series only")
    return result
