"""Which capabilities a template needs: what its caller has to acknowledge. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Collection

    from samjhadoo_emulator.cloudformation.template import Template

NAMED_IAM: Final = "CAPABILITY_NAMED_IAM"
IAM: Final = "CAPABILITY_IAM"
AUTO_EXPAND: Final = "CAPABILITY_AUTO_EXPAND"
EXPANDING: Final = "AWS::LanguageExtensions"
_NAMES: Final[dict[str, str]] = {
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": "",
    "AWS::IAM::GroupPolicy": "",
    "AWS::IAM::RolePolicy": "",
    "AWS::IAM::UserPolicy": "",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::AccessKey": "",
    "AWS::IAM::UserToGroupAddition": "",
}
"""The types that need a capability, and the property that names such a resource."""


def required(template: Template) -> dict[str, list[str]]:
    """Return the capabilities that a template needs, each with the logical ids or transforms it is for."""
    iam = [name for name, resource in template.resources.items() if resource.type in _NAMES]
    named = [name for name in iam if _is_named(template, name)]
    found: dict[str, list[str]] = {}
    if named:
        found[NAMED_IAM] = named
    elif iam:
        found[IAM] = iam
    return found


def _is_named(template: Template, logical_id: str) -> bool:
    resource = template.resources[logical_id]
    properties: dict[str, Any] = resource.properties
    name = _NAMES[resource.type]
    return bool(name) and name in properties


def reason(template: Template) -> str:
    """Return why a template needs capabilities, as ValidateTemplate says it; empty if it needs none."""
    named = [name for names in required(template).values() for name in names]
    types = list(dict.fromkeys(template.resources[name].type for name in named))
    return f"The following resource(s) require capabilities: [{', '.join(types)}]" if types else ""


def check(template: Template, acknowledged: Collection[str]) -> None:
    """Check that the caller has acknowledged what a template needs.

    Raises:
        AwsError: A capability is missing.
    """
    missing = [name for name in required(template) if not _covers(name, acknowledged)]
    if missing:
        raise AwsError("InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(missing)}]")


def _covers(capability: str, acknowledged: Collection[str]) -> bool:
    return capability in acknowledged or (capability == IAM and NAMED_IAM in acknowledged)
