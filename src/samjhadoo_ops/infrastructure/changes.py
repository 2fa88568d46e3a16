"""What an update of a stack would do, as CloudFormation's change set describes it; no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.infrastructure.templates import DATA_STORES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LATER = "(known after apply)"
_UNKNOWN = "{{changeSet:KNOWN_AFTER_APPLY}}"
_LISTENING = frozenset({"AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::ListenerRule"})
INTERRUPTING: Mapping[str, frozenset[str]] = {
    "AWS::RDS::DBInstance": frozenset(
        {
            "AutoMinorVersionUpgrade",
            "BackupRetentionPeriod",
            "DBInstanceClass",
            "EngineVersion",
            "MonitoringInterval",
            "StorageType",
        }
    ),
}
"""Properties whose update interrupts a resource for a while without replacing it ("Some interruptions").

A change set does not show this, and no resource schema has it; CloudFormation's template reference does.
"""


class Impact(Enum):
    """What happens to a resource, with the symbol and the words for it."""

    ADD = ("+", "new")
    CHANGE = ("~", "changed")
    MAY_REPLACE = ("±", "changed, perhaps replaced")
    REPLACE = ("±", "replaced")
    DELETE = ("-", "deleted")
    RELEASE = ("-", "left alone: it stays, outside the stack")

    @property
    def symbol(self) -> str:
        """Return the symbol in front of the resource."""
        return self.value[0]

    @property
    def words(self) -> str:
        """Return what happens, in words."""
        return self.value[1]


@dataclass(frozen=True)
class PropertyChange:
    """A changed property with its values, as far as they are known."""

    path: str
    before: str
    after: str
    recreation: str = "Never"

    def __str__(self) -> str:
        why = {"Always": "  (needs replacement)", "Conditionally": "  (may need replacement)"}
        return f"{self.path}: {_shown(self.before)} → {_shown(self.after)}{why.get(self.recreation, '')}"


@dataclass(frozen=True)
class ResourceChange:
    """What happens to one resource.

    Attributes:
        id: Its name in the template.
        type: Its type, such as `AWS::S3::Bucket`.
        physical: Its name at AWS; empty for a new one.
        snapshot: Whether CloudFormation takes a snapshot before it deletes it.
    """

    id: str
    type: str
    physical: str
    effect: Impact
    properties: tuple[PropertyChange, ...] = ()
    snapshot: bool = False

    @property
    def loses_data(self) -> bool:
        """Return whether a data store is, or may be, replaced or deleted."""
        return self.type in DATA_STORES and self.effect in {Impact.DELETE, Impact.REPLACE, Impact.MAY_REPLACE}

    @property
    def is_traffic(self) -> bool:
        """Return whether it changes where requests go."""
        if self.type not in _LISTENING or self.effect is Impact.ADD:
            return False
        tags_only = bool(self.properties) and all(each.path.startswith("Tags") for each in self.properties)
        return not (self.effect is Impact.CHANGE and tags_only)

    @property
    def interrupts(self) -> bool:
        """Return whether the resource does not serve for a while."""
        names = {each.path.split(".")[0] for each in self.properties}
        interrupting = INTERRUPTING.get(self.type, frozenset())
        return self.effect in {Impact.CHANGE, Impact.MAY_REPLACE} and bool(names & interrupting)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return what a person has to know about it."""
        lost = "a snapshot is taken, then its data is gone" if self.snapshot else "its data is lost"
        return (
            *((f"DATA: {lost}",) if self.loses_data else ()),
            *(("TRAFFIC: it decides where requests go",) if self.is_traffic else ()),
            *(("interrupted for a while",) if self.interrupts else ()),
        )

    @property
    def fields(self) -> dict[str, Any]:
        """Return it as the fields of an event."""
        return {
            "resource": self.id,
            "type": self.type,
            "physical": self.physical,
            "effect": self.effect.name.lower(),
            "properties": [
                {"path": each.path, "before": each.before, "after": each.after, "recreation": each.recreation}
                for each in self.properties
            ],
            "loses_data": self.loses_data,
            "traffic": self.is_traffic,
            "interrupts": self.interrupts,
        }


def resource_changes(changes: Iterable[Mapping[str, Any]]) -> tuple[ResourceChange, ...]:
    """Return the changes of DescribeChangeSet that have an effect.

    CloudFormation also lists resources whose values turn out to be equal; they are left out.
    """
    found = (_resource_change(change["ResourceChange"]) for change in changes if "ResourceChange" in change)
    return tuple(change for change in found if change is not None)


def added_resources(resources: Mapping[str, Mapping[str, Any]]) -> tuple[ResourceChange, ...]:
    """Return a template's resources as those of a new stack; conditions may leave some of them out."""
    return tuple(
        ResourceChange(name, str(resource.get("Type", "")), "", Impact.ADD)
        for name, resource in resources.items()
    )


def listed(changes: Sequence[ResourceChange], *, new: bool, all_of_it: bool) -> list[str]:
    """Return the lines that show a stack's changes; a new stack's resources are counted by type.

    Args:
        all_of_it: Whether new resources are listed one by one as well.
    """
    if new and not all_of_it:
        return [f"+ {text}" for text in counted(changes)]
    lines: list[str] = []
    for change in changes:
        mark = "! " if change.loses_data or change.is_traffic else ""
        is_name = change.physical not in ("", change.id) and not change.physical.startswith("arn:")
        name = f" {change.physical}" if is_name else ""
        remarks = "; ".join((change.effect.words, *change.remarks))
        lines.append(f"{mark}{change.effect.symbol} {change.id} ({change.type}){name}: {remarks}")
        lines += [f"    {each}" for each in change.properties]
    return lines


def counted(changes: Sequence[ResourceChange]) -> list[str]:
    """Return how many resources there are of each type, as `3 AWS::EC2::Subnet`."""
    numbers: dict[str, int] = {}
    for change in changes:
        numbers[change.type] = numbers.get(change.type, 0) + 1
    return [f"{number} {kind}" for kind, number in numbers.items()]


def summary(changes: Sequence[ResourceChange]) -> str:
    """Return in a few words what happens, such as `2 changed, 1 replaced`."""
    numbers: dict[str, int] = {}
    for change in changes:
        words = change.effect.words.partition(":")[0]
        numbers[words] = numbers.get(words, 0) + 1
    return (
        ", ".join(f"{number} {words}" for words, number in numbers.items())
        or "only outputs or settings of the stack"
    )


def _resource_change(change: Mapping[str, Any]) -> ResourceChange | None:
    properties = tuple(_properties(change.get("Details", ())))
    effect = _effect(change)
    if effect is None or (effect is Impact.CHANGE and change.get("Details") and not properties):
        return None
    return ResourceChange(
        id=change["LogicalResourceId"],
        type=change.get("ResourceType", ""),
        physical=change.get("PhysicalResourceId", ""),
        effect=effect,
        properties=properties if effect is not Impact.ADD else (),
        snapshot="Snapshot" in change.get("PolicyAction", ""),
    )


def _effect(change: Mapping[str, Any]) -> Impact | None:
    """Return the effect of a change; None for one that this version of the tool does not know."""
    action, policy = change["Action"], change.get("PolicyAction", "")
    if action == "Modify":
        replacement = {"True": Impact.REPLACE, "Conditional": Impact.MAY_REPLACE}
        return replacement.get(change.get("Replacement", ""), Impact.CHANGE)
    if action == "Remove":
        return Impact.RELEASE if policy == "Retain" else Impact.DELETE
    # A dynamic change is one of a nested stack, whose own change set shows what happens.
    return {"Add": Impact.ADD, "Import": Impact.ADD}.get(action, Impact.CHANGE)


def _properties(details: Iterable[Mapping[str, Any]]) -> Iterable[PropertyChange]:
    """Return the changed properties, each once: a changed parameter, for example, has two details."""
    found: dict[str, PropertyChange] = {}
    for detail in details:
        target = detail.get("Target", {})
        path = _path(target)
        before, after = target.get("BeforeValue", ""), target.get("AfterValue", "")
        if "BeforeValue" in target and "AfterValue" in target and before == after:
            continue
        known = found.get(path)
        if known is None or (not known.before and not known.after):
            recreation = target.get("RequiresRecreation", "Never")
            found[path] = PropertyChange(path, before, LATER if after == _UNKNOWN else after, recreation)
    return found.values()


def _path(target: Mapping[str, Any]) -> str:
    path = str(target.get("Path", "")).removeprefix("/Properties/").strip("/").replace("/", ".")
    return path or str(target.get("Name") or target.get("Attribute", ""))


def _shown(value: str) -> str:
    return value or "(none)"
