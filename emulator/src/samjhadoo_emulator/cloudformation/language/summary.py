"""What a template needs and holds, as ValidateTemplate and GetTemplateSummary tell it. No I/O."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.language import schemas
from samjhadoo_emulator.cloudformation.language.parameters import plain
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from samjhadoo_emulator.cloudformation.language.template import Template

_NESTED: Final = "AWS::CloudFormation::Stack"
_SERVERLESS: Final = "AWS::Serverless::"
_IAM_NAMES: Final = {
    "AWS::IAM::AccessKey": "",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::GroupPolicy": "",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": "",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::RolePolicy": "",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::UserPolicy": "",
    "AWS::IAM::UserToGroupAddition": "",
}
"""The types that need a capability, and the property that gives a resource a name of its own."""
_IAM, _NAMED_IAM, _EXPAND = "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"


def required_capabilities(template: Template) -> list[str]:
    """Return the capabilities that a caller must acknowledge to make a stack of a template."""
    needs = [
        _NAMED_IAM if _IAM_NAMES[each.type] in each.properties else _IAM
        for each in template.resources.values()
        if each.type in _IAM_NAMES
    ]
    found = [_NAMED_IAM] if _NAMED_IAM in needs else [_IAM] if needs else []
    return found + ([_EXPAND] if template.transforms else [])


def check_capabilities(template: Template, given: Iterable[str], *, change_set: bool = False) -> None:
    """Refuse a template whose needs the caller does not acknowledge.

    Args:
        change_set: Whether a change set is asked for: it shows what transforms made, so that they need no
            acknowledgement.

    Raises:
        AwsError: InsufficientCapabilitiesException.
    """
    granted = set(given)
    granted |= {_IAM} if _NAMED_IAM in granted else set()
    granted |= {_EXPAND} if change_set else set()
    missing = [each for each in required_capabilities(template) if each not in granted]
    if missing:
        raise AwsError("InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(missing)}]")


def validation(template: Template) -> dict[str, Any]:
    """Return the answer of ValidateTemplate."""
    return {
        "Parameters": [
            {
                **_shared_declaration(name, declared),
                **({"DefaultValue": plain(declared["Default"])} if "Default" in declared else {}),
            }
            for name, declared in template.parameters.items()
        ],
        **_shared(template),
    }


def summary(template: Template) -> dict[str, Any]:
    """Return the answer of GetTemplateSummary."""
    types = list(dict.fromkeys(each.type for each in template.resources.values()))
    unknown = [name for name in types if schemas.schema(name) is None and not name.startswith(_SERVERLESS)]
    return {
        "Parameters": [_declaration(name, declared) for name, declared in template.parameters.items()],
        **_shared(template),
        "ResourceTypes": types,
        "ResourceIdentifierSummaries": [_identifiers(template, name) for name in types],
        **({"Version": template.version} if template.version else {}),
        **({"Metadata": json.dumps(template.metadata)} if template.metadata else {}),
        **({"Warnings": {"UnrecognizedResourceTypes": unknown}} if unknown else {}),
    }


def _shared(template: Template) -> dict[str, Any]:
    needed = required_capabilities(template)
    types = list(dict.fromkeys(each.type for each in template.resources.values()))
    reasons = [name for name in types if name in _IAM_NAMES or name == _NESTED]
    if _NESTED in types:  # what a nested template needs is not known before it is read
        needed = [_NAMED_IAM, _EXPAND]
    answer: dict[str, Any] = {}
    if template.description:
        answer["Description"] = template.description
    if template.transforms:
        answer["DeclaredTransforms"] = list(template.transforms)
    if needed:
        answer["Capabilities"] = needed
    if reasons:
        answer["CapabilitiesReason"] = (
            f"The following resource(s) require capabilities: [{', '.join(reasons)}]"
        )
    return answer


def _shared_declaration(name: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    described = {"Description": str(declared["Description"])} if "Description" in declared else {}
    return {
        "ParameterKey": name,
        "NoEcho": plain(declared.get("NoEcho", False)).lower() == "true",
        **described,
    }


def _declaration(name: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    allowed = [plain(each) for each in declared.get("AllowedValues", ())]
    return {
        **_shared_declaration(name, declared),
        **({"DefaultValue": plain(declared["Default"])} if "Default" in declared else {}),
        "ParameterType": declared["Type"],
        "ParameterConstraints": {"AllowedValues": allowed} if allowed else {},
    }


def _identifiers(template: Template, type_name: str) -> dict[str, Any]:
    known = schemas.schema(type_name)
    return {
        "ResourceType": type_name,
        "LogicalResourceIds": [name for name, each in template.resources.items() if each.type == type_name],
        **({"ResourceIdentifiers": list(known.primary_identifier)} if known else {}),
    }
