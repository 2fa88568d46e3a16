"""In which order resources are made: what each of a template's resources needs. No I/O."""

from __future__ import annotations

import graphlib
import re
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.functions import arguments
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samjhadoo_emulator.cloudformation.template import Template, TemplateResource

_VARIABLE: Final = re.compile(r"\$\{([^!${}][^${}]*)\}")


def order(template: Template, conditions: Mapping[str, bool]) -> dict[str, set[str]]:
    """Return what each resource needs, in an order in which they can be made.

    Resources whose condition does not hold are left out, and so is what only the other branch of an
    `Fn::If` refers to.

    Raises:
        AwsError: Resources depend on each other in a circle, or on one that is not made.
    """
    made = {
        name: resource
        for name, resource in template.resources.items()
        if not resource.condition or conditions.get(resource.condition, False)
    }
    needs: dict[str, set[str]] = {}
    missing: set[str] = set()
    for name, resource in made.items():
        found = set(_needed(resource, conditions)) & template.resources.keys()
        missing |= found - made.keys()
        needs[name] = found | (set(resource.depends_on) & made.keys())
    if missing:
        raise validation_error(
            f"Template format error: Unresolved resource dependencies [{', '.join(sorted(missing))}] "
            "in the Resources block of the template"
        )
    return _sorted(needs)


def _needed(resource: TemplateResource, conditions: Mapping[str, bool]) -> Iterator[str]:
    for part in (resource.properties, resource.creation_policy, resource.update_policy, resource.metadata):
        yield from references(part, conditions)


def _sorted(needs: dict[str, set[str]]) -> dict[str, set[str]]:
    try:
        return {name: needs[name] for name in graphlib.TopologicalSorter(needs).static_order()}
    except graphlib.CycleError as error:
        raise validation_error(
            f"Circular dependency between resources: [{', '.join(sorted(set(error.args[1])))}]"
        ) from None


def references(value: Any, conditions: Mapping[str, bool] | None = None) -> Iterator[str]:
    """Yield the names that a value refers to by Ref, Fn::GetAtt and Fn::Sub: resources and parameters.

    Args:
        conditions: If given, only the branch of an `Fn::If` that they choose is looked at.
    """
    if isinstance(value, list):
        for member in value:
            yield from references(member, conditions)
    elif isinstance(value, dict):
        if len(value) == 1:
            ((name, argument),) = value.items()
            yield from _referred(name, argument)
            if name == "Fn::If" and conditions is not None:
                value = {"chosen": _chosen(argument, conditions)}
        for member in value.values():
            yield from references(member, conditions)


def _referred(function: str, argument: Any) -> Iterator[str]:
    if function == "Ref" and isinstance(argument, str):
        yield argument
    elif function == "Fn::GetAtt":
        name = argument.split(".")[0] if isinstance(argument, str) else (argument or [""])[0]
        if isinstance(name, str):
            yield name
    elif function == "Fn::Sub":
        text, variables = arguments(argument, 2) or (argument, {})
        if isinstance(text, str):
            for variable in _VARIABLE.findall(text):
                if variable.strip() not in variables:
                    yield variable.strip().split(".")[0]


def _chosen(argument: Any, conditions: Mapping[str, bool]) -> Any:
    name, then, otherwise = arguments(argument, 3) or ("", argument, argument)
    return then if conditions.get(name, True) else otherwise
