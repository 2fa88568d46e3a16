"""The change sets of nested stacks, which a change set with IncludeNestedStacks has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.changes.causes import Source
from samjhadoo_emulator.cloudformation.changes.change_shapes import KNOWN_AFTER_APPLY
from samjhadoo_emulator.cloudformation.changes.differences import STACK, Action
from samjhadoo_emulator.cloudformation.language.context import UNKNOWN
from samjhadoo_emulator.cloudformation.language.functions import as_text, is_unknown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from samjhadoo_emulator.cloudformation.changes.change_sets import ChangeSet
    from samjhadoo_emulator.cloudformation.changes.differences import Difference


def nested(differences: Iterable[Difference]) -> list[Difference]:
    """Return the differences that make or change a nested stack whose template is known."""
    return [
        each
        for each in differences
        if each.type == STACK
        and each.action is not Action.REMOVE
        and isinstance(_properties(each).get("TemplateURL"), str)
    ]


def request(difference: Difference, parent: ChangeSet) -> dict[str, Any]:
    """Return the parameters of CreateChangeSet for a nested stack.

    Values that are not known yet are the text that DescribeChangeSet shows for them.
    """
    properties = _properties(difference)
    given: dict[str, Any] = properties.get("Parameters") or {}
    return {
        "StackName": difference.id or difference.logical_id,
        "ChangeSetName": f"{parent.name}-{difference.logical_id}",
        "TemplateURL": properties["TemplateURL"],
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": _text(value)} for name, value in given.items()
        ],
        "Capabilities": list(parent.definition.capabilities),
        "NotificationARNs": list(parent.definition.notification_arns),
        "Tags": [{"Key": key, "Value": value} for key, value in parent.definition.tags.items()],
        "IncludeNestedStacks": True,
    }


def without_unchanged(
    differences: Iterable[Difference], unchanged: Collection[str]
) -> tuple[Difference, ...]:
    """Return differences without nested stacks that might have changed, and have not."""
    return tuple(each for each in differences if each.logical_id not in unchanged or not _might_change(each))


def _might_change(difference: Difference) -> bool:
    sources = {detail.source for detail in difference.details}
    return difference.action is Action.MODIFY and sources == {Source.AUTOMATIC}


def _properties(difference: Difference) -> dict[str, Any]:
    found: dict[str, Any] = (difference.after or {}).get("Properties", {})
    return found


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return KNOWN_AFTER_APPLY if value is UNKNOWN or is_unknown(value) else as_text(value) or ""
