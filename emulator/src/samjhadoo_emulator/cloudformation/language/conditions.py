"""The section Conditions: which of a template's conditions hold. No I/O."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.language import shapes
from samjhadoo_emulator.cloudformation.language.functions import as_text, evaluate
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_emulator.cloudformation.language.context import Context


def with_conditions(declared: Mapping[str, Any], context: Context) -> Context:
    """Return the context with the values of a template's conditions.

    Raises:
        AwsError: A condition is malformed, or depends on itself or on one that is not declared.
    """
    return dataclasses.replace(context, conditions=evaluate_conditions(declared, context))


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
    if name not in declared:
        raise validation_error(f"Template error: unresolved condition dependency {name} in Condition")
    if name in path:
        raise validation_error(
            f"Template error: Found circular condition dependency: [{', '.join(sorted(path))}]"
        )
    if name not in found:
        found[name] = holds(
            declared[name], context, lambda other: _named(other, declared, context, found, (*path, name))
        )
    return found[name]


def holds(expression: Any, context: Context, named: Callable[[str], bool]) -> bool:
    """Return a condition's value.

    Args:
        named: Returns the value of another condition, by name.
    """
    name, argument = shapes.function_of(expression)
    if name == "Condition":
        return named(shapes.condition(argument))
    if name == "Fn::Equals":
        first, second = (evaluate(each, context) for each in shapes.equals(argument))
        return (as_text(first) or first) == (as_text(second) or second)
    if name in {"Fn::Not", "Fn::And", "Fn::Or"}:
        operands = [holds(each, context, named) for each in shapes.SHAPES[name](argument)]
        return not operands[0] if name == "Fn::Not" else (all if name == "Fn::And" else any)(operands)
    raise validation_error(
        "Template format error: Conditions can only be boolean operations on parameters and other conditions"
    )
