"""In which order resources are made: what each of a template's resources needs. No I/O."""

from __future__ import annotations

import graphlib
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.language import shapes
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samjhadoo_emulator.cloudformation.language.template import Template, TemplateResource


def made(template: Template, conditions: Mapping[str, bool]) -> dict[str, TemplateResource]:
    """Return the resources whose condition holds."""
    return {
        name: resource
        for name, resource in template.resources.items()
        if not resource.condition or conditions[resource.condition]
    }


def order(template: Template, conditions: Mapping[str, bool]) -> dict[str, set[str]]:
    """Return what each resource needs, in an order in which they can be made.

    Resources and outputs whose condition does not hold are left out, and so is what only the other branch
    of an `Fn::If` refers to.

    Raises:
        AwsError: Resources depend on each other in a circle, or on one that is not made.
    """
    wanted = made(template, conditions)
    needs: dict[str, set[str]] = {}
    missing: set[str] = set()
    for name, resource in wanted.items():
        found = set(_needed(resource, conditions)) & template.resources.keys()
        missing |= found - wanted.keys()
        needs[name] = found | (set(resource.depends_on) & wanted.keys())
    _refuse(missing, "Resources")
    shown = [
        each
        for each in template.outputs.values()
        if not each.get("Condition") or conditions[each["Condition"]]
    ]
    _refuse(set(references(shown, conditions)) & (template.resources.keys() - wanted.keys()), "Outputs")
    return _sorted(needs)


def _refuse(missing: set[str], section: str) -> None:
    if missing:
        raise validation_error(
            f"Template format error: Unresolved resource dependencies [{', '.join(sorted(missing))}] "
            f"in the {section} block of the template"
        )


def _needed(resource: TemplateResource, conditions: Mapping[str, bool]) -> Iterator[str]:
    for part in (resource.properties, resource.creation_policy, resource.update_policy, resource.metadata):
        yield from references(part, conditions)


def _sorted(needs: dict[str, set[str]]) -> dict[str, set[str]]:
    try:
        return {name: needs[name] for name in graphlib.TopologicalSorter(needs).static_order()}
    except graphlib.CycleError as error:
        circle = sorted(set(error.args[1]))
        raise validation_error(f"Circular dependency between resources: [{', '.join(circle)}]") from None


def references(value: Any, conditions: Mapping[str, bool] | None = None) -> Iterator[str]:
    """Yield the names that a value refers to by Ref, Fn::GetAtt and Fn::Sub: resources and parameters.

    Args:
        conditions: If given, only the branch of an `Fn::If` that they choose is looked at.
    """
    if isinstance(value, list):
        for member in value:
            yield from references(member, conditions)
    elif isinstance(value, dict):
        function, argument = shapes.function_of(value)
        yield from _referred(function, argument)
        if function == "Fn::If" and conditions is not None:
            name, then, otherwise = shapes.if_(argument)
            yield from references(then if conditions.get(name, True) else otherwise, conditions)
        else:
            for member in value.values():
                yield from references(member, conditions)


def _referred(function: str, argument: Any) -> Iterator[str]:
    if function == "Ref":
        yield shapes.ref(argument)
    elif function == "Fn::GetAtt":
        yield shapes.get_att(argument)[0]
    elif function == "Fn::Sub":
        text, variables = shapes.sub(argument)
        for variable in map(str.strip, shapes.VARIABLE.findall(text)):
            if not variable.startswith("!") and variable not in variables:
                yield variable.split(".")[0]
