"""What a template's functions refer to: names that do not exist, and arguments that are none. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation import shapes
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from samjhadoo_emulator.cloudformation.template import Template

PSEUDO: Final = frozenset(
    f"AWS::{name}"
    for name in (
        "AccountId",
        "NoValue",
        "NotificationARNs",
        "Partition",
        "Region",
        "StackId",
        "StackName",
        "URLSuffix",
    )
)


def check_references(template: Template) -> None:
    """Check the functions in all sections of a template.

    Raises:
        AwsError: One is unknown or misused, or refers to a resource, parameter, condition or mapping that
            the template does not have.
    """
    parameters = template.parameters.keys() | PSEUDO
    _check_condition_section(template, parameters)
    resources = template.resources
    values = [
        (each.properties, each.creation_policy, each.update_policy, each.metadata)
        for each in resources.values()
    ]
    missing = [need for each in resources.values() for need in each.depends_on if need not in resources]
    missing += _check_values(values, template, parameters | resources.keys())
    _refuse(missing, "Resources")
    _check_condition_names(template, (each.condition for each in resources.values()), "Resources")
    outputs = template.outputs.values()
    missing = _check_values(list(outputs), template, parameters | resources.keys())
    _refuse(missing, "Outputs")
    _check_condition_names(template, (each.get("Condition", "") for each in outputs), "Outputs")


def _check_condition_section(template: Template, parameters: Iterable[str]) -> None:
    missing = _check_values(list(template.conditions.values()), template, parameters)
    if missing:
        raise validation_error(
            f"Template format error: Unresolved dependencies {_listed(missing)}. "
            "Cannot reference resources in the Conditions block of the template"
        )
    for function, argument in functions(template.conditions):
        if function == "Condition" and argument not in template.conditions:
            raise validation_error(f"Template error: unresolved condition dependency {argument} in Condition")


def _check_values(value: Any, template: Template, names: Iterable[str]) -> list[str]:
    """Return the names that `Ref` and `Fn::Sub` refer to and that are none of these."""
    missing = []
    for function, argument in functions(value):
        if function not in shapes.SHAPES:
            shapes.unsupported(function)
        if function == "Condition":
            continue
        shape = shapes.SHAPES[function](argument)
        if function == "Ref" and shape not in names:
            missing.append(shape)
        elif function == "Fn::GetAtt" and shape[0] not in template.resources:
            raise validation_error(
                f"Template error: instance of Fn::GetAtt references undefined resource {shape[0]}"
            )
        elif function == "Fn::Sub":
            missing += _missing_variables(shape, template, names)
        elif function == "Fn::If" and shape[0] not in template.conditions:
            raise validation_error(f"Template error: unresolved condition dependency {shape[0]} in Fn::If")
        elif function == "Fn::FindInMap":
            _check_mapping(shape, template)
    return missing


def _missing_variables(
    parts: tuple[str, dict[str, Any]], template: Template, names: Iterable[str]
) -> Iterator[str]:
    text, own = parts
    for variable in map(str.strip, shapes.VARIABLE.findall(text)):
        if variable.startswith("!") or variable in own:
            continue
        if "." not in variable:
            if variable not in names:
                yield variable
        elif variable.split(".")[0] not in template.resources:
            raise validation_error(
                f"Template error: instance of Fn::Sub references invalid resource attribute {variable}"
            )


def _check_mapping(parts: list[Any], template: Template) -> None:
    name = parts[0]
    if isinstance(name, str) and name not in template.mappings and not parts[shapes.MAP_KEYS :]:
        raise validation_error(
            f"Template error: Mapping named '{name}' is not present in the 'Mappings' section of template."
        )


def _check_condition_names(template: Template, names: Iterable[str], section: str) -> None:
    for name in names:
        if name and name not in template.conditions:
            raise validation_error(
                f"Template format error: Unresolved condition dependency {name} "
                f"in the {section} block of the template"
            )


def _refuse(missing: list[str], section: str) -> None:
    if missing:
        raise validation_error(
            f"Template format error: Unresolved resource dependencies {_listed(missing)} "
            f"in the {section} block of the template"
        )


def _listed(names: list[str]) -> str:
    return f"[{', '.join(dict.fromkeys(names))}]"


def functions(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield all functions in a value, with their arguments as written, outer ones first."""
    if isinstance(value, dict):
        function, argument = shapes.function_of(value)
        if function:
            yield function, argument
        for member in value.values():
            yield from functions(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from functions(member)
