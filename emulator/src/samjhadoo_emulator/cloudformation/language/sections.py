"""The sections of a template: what CloudFormation says of those that are malformed. No I/O."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

from samjhadoo_emulator.cloudformation.language import parameter_types
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_RESOURCES: Final = 500
MOST_OTHERS: Final = 200
"""How many parameters, mappings and outputs a template can have."""
LONGEST_DESCRIPTION: Final = 1024
LONGEST_VALUE: Final = 4096
LONGEST_NAME: Final = 255
_VERSION: Final = "2010-09-09"
_ALPHANUMERIC: Final = re.compile(r"[A-Za-z0-9]+")
_MAPS: Final = (
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Rules",
    "Resources",
    "Outputs",
    "Globals",
)
_SECTIONS: Final = (*_MAPS, "AWSTemplateFormatVersion", "Description", "Transform", "Hooks")
_PARAMETER_KEYS: Final = frozenset(
    {
        "AllowedPattern",
        "AllowedValues",
        "ConstraintDescription",
        "Default",
        "Description",
        "MaxLength",
        "MaxValue",
        "MinLength",
        "MinValue",
        "NoEcho",
        "Type",
    }
)
_RESOURCE_KEYS: Final = frozenset(
    {
        "Condition",
        "CreationPolicy",
        "DeletionPolicy",
        "DependsOn",
        "Description",
        "Metadata",
        "Properties",
        "Type",
        "UpdatePolicy",
        "UpdateReplacePolicy",
        "Version",
    }
)
_OBJECTS: Final = ("Properties", "Metadata", "CreationPolicy", "UpdatePolicy")
_POLICIES: Final = {
    "DeletionPolicy": ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot"),
    "UpdateReplacePolicy": ("Delete", "Retain", "Snapshot"),
}
EXTENSIONS: Final = "AWS::LanguageExtensions"
SERVERLESS: Final = "AWS::Serverless-2016-10-31"
_SERVERLESS_KEYS: Final = frozenset({"Connectors", "IgnoreGlobals"})


def transforms(document: dict[str, Any]) -> tuple[str, ...]:
    """Return the names in the section Transform; a macro may be written with parameters.

    Raises:
        AwsError: The section is malformed.
    """
    given = document.get("Transform", [])
    named = given if isinstance(given, list) else [given]
    names = []
    for each in named:
        name = each.get("Name") if isinstance(each, dict) else each
        if not isinstance(name, str):
            raise validation_error("Key Name of transform definition must be a string.")
        names.append(name)
    return tuple(names)


def check(document: dict[str, Any], *, looped: bool = False) -> None:
    """Check the form of a template's sections.

    Args:
        looped: Whether loops, which are not in the document any more, may give it resources.

    Raises:
        AwsError: One is malformed, in AWS's words.
    """
    names = transforms(document)
    unknown = [name for name in document if name not in _SECTIONS or (name == "Globals" and not names)]
    if unknown:
        raise validation_error(f"Invalid template property or properties [{', '.join(unknown)}]")
    for place in _nulls(document, ""):
        raise validation_error(f"[{place}] 'null' values are not allowed in templates")
    for section in _MAPS:
        if not isinstance(document.get(section, {}), dict):
            _malformed("unsupported structure.")
    _check_head(document)
    if not document.get("Resources") and not looped:
        _malformed("At least one Resources member must be defined.")
    for section, most, each in _MEMBERS:
        members = document.get(section, {})
        if len(members) > most:
            _malformed(
                f"Number of {section.lower()}, {len(members)}, is greater than maximum allowed, {most}"
            )
        for name, member in members.items():
            each(name, member, names)
    common = [name for name in document.get("Resources", {}) if name in document.get("Parameters", {})]
    if common:
        raise validation_error(
            "Template error: all resources and parameters must have unique names. "
            f"Common name(s):[{', '.join(common)}]"
        )


def _malformed(what: str) -> NoReturn:
    raise validation_error(f"Template format error: {what}")


def _nulls(value: Any, place: str) -> Iterator[str]:
    if value is None:
        yield place
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _nulls(member, f"{place}/{name}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _nulls(member, f"{place}/{index}")


def _check_head(document: dict[str, Any]) -> None:
    if document.get("AWSTemplateFormatVersion", _VERSION) != _VERSION:
        _malformed("unsupported value for AWSTemplateFormatVersion.")
    description = document.get("Description", "")
    if not isinstance(description, str):
        _malformed("Description must be a string.")
    if len(description.encode()) > LONGEST_DESCRIPTION:
        _malformed(f"'Description' length is greater than {LONGEST_DESCRIPTION}.")


def _check_name(section: str, name: str) -> None:
    if not _ALPHANUMERIC.fullmatch(name):
        _malformed(f"{section} name {name} is non alphanumeric.")
    if len(name) > LONGEST_NAME:
        _malformed(f"{section} name {name} length is greater than {LONGEST_NAME}.")


def _check_parameter(name: str, declared: Any, _transforms: tuple[str, ...]) -> None:
    _check_name("Parameter", name)
    if not isinstance(declared, dict):
        _malformed("Any Parameters member must be a JSON object.")
    for key in declared:
        if key not in _PARAMETER_KEYS:
            raise validation_error(f"Invalid template parameter property '{key}'")
    kind = declared.get("Type")
    if kind is None:
        _malformed(f"[/Parameters/{name}] Every Parameters object must contain a Type member.")
    if not isinstance(kind, str) or not parameter_types.known(kind):
        _malformed(f"Unrecognized parameter type: {kind}")
    default = declared.get("Default", "")
    if isinstance(default, dict | list):
        _malformed("Every Default member must be a string.")
    if len(str(default).encode()) > LONGEST_VALUE:
        _malformed(f"Parameter '{name}' default value '[****]' length is greater than {LONGEST_VALUE}.")
    if not isinstance(declared.get("AllowedValues", []), list):
        _malformed("Every AllowedValues member must be a list.")


def _check_mapping(name: str, mapping: Any, _transforms: tuple[str, ...]) -> None:
    if not isinstance(mapping, dict):
        _malformed(f"Every Mappings member {name} must be a map")
    for key, attributes in mapping.items():
        if not isinstance(attributes, dict):
            _malformed(f"Every Mappings member {key} must be a map")
        if any(isinstance(value, dict) for value in attributes.values()):
            _malformed("Every Mappings attribute must be a String or a List.")


def _check_condition(_name: str, expression: Any, _transforms: tuple[str, ...]) -> None:
    if not isinstance(expression, dict):
        _malformed("Conditions can only be boolean operations on parameters and other conditions")


def _check_rule(name: str, rule: Any, _transforms: tuple[str, ...]) -> None:
    if not isinstance(rule, dict) or not isinstance(rule.get("Assertions"), list):
        _malformed(f"Rule {name} must contain a list of Assertions.")


def _check_resource(name: str, declared: Any, transforms: tuple[str, ...]) -> None:
    _check_name("Resource", name)
    if not isinstance(declared, dict):
        _malformed(f"[/Resources/{name}] resource definition is malformed")
    for key in declared:
        if key not in _RESOURCE_KEYS and not (SERVERLESS in transforms and key in _SERVERLESS_KEYS):
            raise validation_error(f"Invalid template resource property '{key}'")
    if not isinstance(declared.get("Type"), str):
        _malformed(f"[/Resources/{name}] Every Resources object must contain a Type member.")
    for key in _OBJECTS:
        if not isinstance(declared.get(key, {}), dict):
            _malformed(f"Any {key} member must be a JSON object.")
    if not isinstance(declared.get("Condition", ""), str):
        _malformed(f"[/Resources/{name}/Condition] Every Condition member must be a string.")
    depends_on = declared.get("DependsOn", [])
    needs = [depends_on] if isinstance(depends_on, str) else depends_on
    if not isinstance(needs, list) or not all(isinstance(each, str) for each in needs):
        _malformed("DependsOn must be a string or list of strings.")
    _check_policies(name, declared, extended=EXTENSIONS in transforms)


def _check_policies(name: str, declared: dict[str, Any], *, extended: bool) -> None:
    for key, values in _POLICIES.items():
        policy = declared.get(key, values[0])
        if not isinstance(policy, str) and not (extended and isinstance(policy, dict)):
            _malformed(f"Every {key} member must be a string.")
        if isinstance(policy, str) and policy not in values:
            _malformed(f"Unrecognized {key} {policy} for resource {name}")


def _check_output(name: str, declared: Any, _transforms: tuple[str, ...]) -> None:
    if not _ALPHANUMERIC.fullmatch(name):
        _malformed(f"Outputs name '{name}' is non alphanumeric.")
    if not isinstance(declared, dict) or "Value" not in declared:
        _malformed("Every Outputs member must contain a Value object")
    export = declared.get("Export", {"Name": ""})
    if not isinstance(export, dict) or "Name" not in export:
        _malformed(
            f"Output {name} is malformed. The Name field of every Export member must be specified and "
            "consist only of alphanumeric characters, colons, or hyphens."
        )
    if not isinstance(declared.get("Condition", ""), str):
        _malformed(f"[/Outputs/{name}/Condition] Every Condition member must be a string.")


_MEMBERS: Final[tuple[tuple[str, int, Callable[[str, Any, tuple[str, ...]], None]], ...]] = (
    ("Parameters", MOST_OTHERS, _check_parameter),
    ("Mappings", MOST_OTHERS, _check_mapping),
    ("Conditions", MOST_OTHERS, _check_condition),
    ("Rules", MOST_OTHERS, _check_rule),
    ("Resources", MOST_RESOURCES, _check_resource),
    ("Outputs", MOST_OTHERS, _check_output),
)
