"""What makes a value of a template change: parameters and resources that it refers to. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VARIABLE: Final = re.compile(r"\$\{([^!${}][^${}]*)\}")


class Source(StrEnum):
    """DescribeChangeSet's ChangeSource."""

    PARAMETER = "ParameterReference"
    RESOURCE = "ResourceReference"
    ATTRIBUTE = "ResourceAttribute"
    DIRECT = "DirectModification"
    AUTOMATIC = "Automatic"


class Evaluation(StrEnum):
    """Whether a value is known to change, or only when the change set is executed."""

    STATIC = "Static"
    DYNAMIC = "Dynamic"


class Fate(StrEnum):
    """What happens to a resource that others refer to."""

    NEW = "added or replaced"
    PERHAPS_NEW = "replaced under some conditions"
    UPDATED = "changed in place"


@dataclass(frozen=True)
class Cause:
    """One reason why a value changes.

    Attributes:
        entity: The parameter, the resource, or the resource's attribute (`Topic.Arn`) that it refers to.
    """

    source: Source
    entity: str
    evaluation: Evaluation


@dataclass(frozen=True)
class Changing:
    """What changes besides the value itself.

    Attributes:
        parameters: The parameters whose values change.
        resources: What happens to the resources, by logical id; those that stay as they are are left out.
        conditions: The values of the conditions, which choose the branch of an `Fn::If`.
    """

    parameters: frozenset[str] = frozenset()
    resources: Mapping[str, Fate] = field(default_factory=dict)
    conditions: Mapping[str, bool] = field(default_factory=dict)


def causes(expression: Any, changing: Changing) -> list[Cause]:
    """Return why an expression's value changes, each reason once, in the order of the expression.

    The expression has been evaluated before, so its functions have the form that they need.
    """
    return list(dict.fromkeys(_causes(expression, changing)))


def _causes(expression: Any, changing: Changing) -> Iterator[Cause]:
    if isinstance(expression, list):
        for member in expression:
            yield from _causes(member, changing)
    elif isinstance(expression, dict):
        if len(expression) == 1:
            ((function, argument),) = expression.items()
            if function == "Fn::If":
                condition, then, otherwise = argument
                expression = {"chosen": then if changing.conditions[condition] else otherwise}
            else:
                yield from _referred(function, argument, changing)
        for member in expression.values():
            yield from _causes(member, changing)


def _referred(function: str, argument: Any, changing: Changing) -> Iterator[Cause]:
    if function == "Ref":
        yield from _by_name(str(argument), changing)
    elif function == "Fn::GetAtt":
        name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        yield from _by_attribute(name, str(attribute), changing)
    elif function == "Fn::Sub":
        text, variables = argument if isinstance(argument, list) else (argument, {})
        for variable in map(str.strip, _VARIABLE.findall(str(text))):
            if variable in variables:
                continue
            name, _, attribute = variable.partition(".")
            yield from _by_attribute(name, attribute, changing) if attribute else _by_name(name, changing)


def _by_name(name: str, changing: Changing) -> Iterator[Cause]:
    """Yield the cause of a `Ref`: a resource's id changes only when it is replaced."""
    if name in changing.parameters:
        yield Cause(Source.PARAMETER, name, Evaluation.STATIC)
    fate = changing.resources.get(name)
    if fate is Fate.NEW:
        yield Cause(Source.RESOURCE, name, Evaluation.STATIC)
    elif fate is Fate.PERHAPS_NEW:
        yield Cause(Source.RESOURCE, name, Evaluation.DYNAMIC)


def _by_attribute(name: str, attribute: str, changing: Changing) -> Iterator[Cause]:
    """Yield the cause of an `Fn::GetAtt`: any change of a resource may change its attributes."""
    fate = changing.resources.get(name)
    if fate is not None:
        evaluation = Evaluation.STATIC if fate is Fate.NEW else Evaluation.DYNAMIC
        yield Cause(Source.ATTRIBUTE, f"{name}.{attribute}", evaluation)
