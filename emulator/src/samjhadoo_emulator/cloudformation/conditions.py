"""The section Conditions: which of a template's conditions hold. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.functions import arguments, as_text, evaluate
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_emulator.cloudformation.context import Context

FEWEST, MOST = 2, 10
"""How many operands `Fn::And` and `Fn::Or` have."""


def evaluate_conditions(declared: Mapping[str, Any], context: Context) -> dict[str, bool]:
    """Return each condition's value, with the context's parameters, mappings and pseudo parameters.

    Raises:
        AwsError: A condition is malformed, or depends on itself or on one that is not declared.
    """
    found: dict[str, bool] = {}
    for name in declared:
        _named(name, declared, context, found, ())
    return {name: found[name] for name in declared}


def _named(
    name: Any, declared: Mapping[str, Any], context: Context, found: dict[str, bool], path: tuple[str, ...]
) -> bool:
    if not isinstance(name, str) or name not in declared:
        raise validation_error(
            f"Template format error: Unresolved condition dependency {name} "
            "in the Conditions block of the template"
        )
    if name in path:
        raise validation_error(
            f"Template format error: Circular dependencies between conditions: [{', '.join(sorted(path))}]"
        )
    if name not in found:
        found[name] = holds(
            declared[name], context, lambda other: _named(other, declared, context, found, (*path, name))
        )
    return found[name]


def holds(expression: Any, context: Context, named: Callable[[Any], bool]) -> bool:
    """Return a condition's value.

    Args:
        named: Returns the value of another condition, by name.
    """
    name, argument = _function(expression)
    if name == "Condition":
        return named(argument)
    if name == "Fn::Equals":
        return _equals(argument, context)
    if name == "Fn::Not":
        operand = arguments(argument, 1)
        if operand is None:
            raise validation_error("Template error: every Fn::Not object requires one boolean parameter.")
        return not holds(operand[0], context, named)
    if name in {"Fn::And", "Fn::Or"}:
        if not isinstance(argument, list) or not FEWEST <= len(argument) <= MOST:
            raise validation_error(
                f"Template error: every {name} object requires a list of at least {FEWEST} and "
                f"at most {MOST} boolean parameters."
            )
        combine = all if name == "Fn::And" else any
        return combine([holds(each, context, named) for each in argument])
    raise validation_error(
        "Template error: Every Condition member must be a string or an object with one of the functions "
        "Fn::And, Fn::Equals, Fn::Not, Fn::Or"
    )


def _function(expression: Any) -> tuple[str, Any]:
    if isinstance(expression, dict) and len(expression) == 1:
        ((name, argument),) = expression.items()
        return name, argument
    return "", expression


def _equals(argument: Any, context: Context) -> bool:
    pair = arguments(argument, 2)
    if pair is None:
        raise validation_error(
            "Template error: every Fn::Equals object requires a list of 2 string parameters."
        )
    first, second = (evaluate(each, context) for each in pair)
    return bool((as_text(first) or first) == (as_text(second) or second))
