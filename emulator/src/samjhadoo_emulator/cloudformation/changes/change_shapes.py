"""How DescribeChangeSet answers the differences that an update makes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.changes.differences import Action
from samjhadoo_emulator.cloudformation.changes.property_changes import ABSENT
from samjhadoo_emulator.cloudformation.language.context import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Collection

    from samjhadoo_emulator.cloudformation.changes.differences import Detail, Difference

KNOWN_AFTER_APPLY: Final = "{{changeSet:KNOWN_AFTER_APPLY}}"
MASK: Final = "****"


def change(difference: Difference, *, values: bool, secrets: Collection[str] = ()) -> dict[str, Any]:
    """Return botocore's `Change` of one resource.

    Args:
        values: Whether property values are shown.
        secrets: Values of NoEcho parameters: what contains one is masked.
    """
    shown: dict[str, Any] = {
        "Action": difference.action.value,
        "LogicalResourceId": difference.logical_id,
        "ResourceType": difference.type,
        "Scope": difference.scope,
        "Details": [_detail(each, secrets) for each in difference.details],
    }
    if difference.policy_action:
        shown["PolicyAction"] = difference.policy_action
    if difference.id:
        shown["PhysicalResourceId"] = difference.id
    if difference.action is Action.MODIFY and difference.replacement is not None:
        shown["Replacement"] = difference.replacement.value
    if values:
        contexts = {"BeforeContext": difference.before, "AfterContext": difference.after}
        shown |= {
            name: json.dumps(_shown(context, secrets), separators=(",", ":"))
            for name, context in contexts.items()
            if context is not None
        }
    return {"Type": "Resource", "ResourceChange": shown}


def _detail(detail: Detail, secrets: Collection[str]) -> dict[str, Any]:
    target: dict[str, Any] = {
        "Attribute": detail.attribute,
        "RequiresRecreation": detail.recreation.value,
    }
    if detail.name:
        target["Name"] = detail.name
    if detail.change is not None:
        target["Path"] = "/".join(("", "Properties", *detail.change.path))
        target["AttributeChangeType"] = detail.change.kind
        for name, value in (("BeforeValue", detail.change.before), ("AfterValue", detail.change.after)):
            if value is not ABSENT:
                target[name] = as_text(_shown(value, secrets))
    shown = {"Target": target, "Evaluation": detail.evaluation.value, "ChangeSource": detail.source.value}
    return {**shown, "CausingEntity": detail.cause} if detail.cause else shown


def as_text(value: Any) -> str:
    """Return a value as the API shows it: texts as they are, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _shown(value: Any, secrets: Collection[str]) -> Any:
    """Return a value without what is not known yet and without secrets."""
    if isinstance(value, dict):
        return {name: _shown(member, secrets) for name, member in value.items()}
    if isinstance(value, list):
        return [_shown(member, secrets) for member in value]
    if value is UNKNOWN:
        return KNOWN_AFTER_APPLY
    if isinstance(value, str) and any(secret and secret in value for secret in secrets):
        return MASK
    return value
