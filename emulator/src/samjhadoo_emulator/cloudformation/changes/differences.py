"""What an update of a stack would do to each of its resources. No I/O.

`differences` answers it before anything is done, for change sets and for "No updates are to be performed".
When the engine comes to a resource, it asks `property_changes.compare` with the values that are known then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.changes.causes import Cause, Changing, Evaluation, Fate, Source, causes
from samjhadoo_emulator.cloudformation.changes.property_changes import (
    ABSENT,
    PropertyChange,
    Recreation,
    compare,
    recreation,
    same,
)
from samjhadoo_emulator.cloudformation.language import dependencies
from samjhadoo_emulator.cloudformation.language.functions import evaluate
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from samjhadoo_emulator.cloudformation.changes.property_changes import CreateOnly, Path
    from samjhadoo_emulator.cloudformation.language.context import Context
    from samjhadoo_emulator.cloudformation.language.template import Template, TemplateResource
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Resource

STACK: Final = "AWS::CloudFormation::Stack"
_ATTRIBUTES: Final = (
    ("Metadata", "metadata"),
    ("CreationPolicy", "creation_policy"),
    ("UpdatePolicy", "update_policy"),
    ("DeletionPolicy", "deletion_policy"),
    ("UpdateReplacePolicy", "update_replace_policy"),
)
"""A resource's attributes beside its properties, by their names in templates and in `TemplateResource`."""


class Action(StrEnum):
    """What happens to a resource."""

    ADD = "Add"
    MODIFY = "Modify"
    REMOVE = "Remove"


class Replacement(StrEnum):
    """Whether a change makes a new resource in the old one's place."""

    NO = "False"
    CONDITIONAL = "Conditional"
    YES = "True"


@dataclass(frozen=True)
class Existing:
    """A resource that a stack has.

    Attributes:
        entry: Its entry in the template that made it.
        resource: Its physical id and attributes.
        properties: Its properties, evaluated; dynamic references are still text.
    """

    entry: TemplateResource
    resource: Resource
    properties: Properties


@dataclass(frozen=True)
class Before:
    """A stack as it is.

    Attributes:
        resources: By logical id.
        parameters: Their values (`Parameter.value`), by name.
        tags: The stack's tags.
    """

    resources: Mapping[str, Existing] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class After:
    """A stack as it is wanted.

    Attributes:
        context: The new parameters, conditions, mappings, exports …; its resources are not looked at.
        tags: The stack's new tags.
    """

    template: Template
    context: Context
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Detail:
    """One change of a resource, for one reason.

    Attributes:
        attribute: `Properties`, `Tags`, `Metadata` …
        name: The property's name, if it is one.
        change: The values, if they are looked at and it is a property.
    """

    attribute: str
    name: str
    recreation: Recreation
    evaluation: Evaluation
    source: Source
    cause: str = ""
    change: PropertyChange | None = None


@dataclass(frozen=True)
class Difference:
    """What happens to one resource.

    Attributes:
        id: The physical id that it has so far.
        replacement: None unless it is modified.
        before: Its entry so far, evaluated, as DescribeChangeSet's context; None if it is added.
        after: Its new entry; None if it is removed.
    """

    action: Action
    logical_id: str
    type: str
    id: str = ""
    replacement: Replacement | None = None
    details: tuple[Detail, ...] = ()
    policy_action: str = ""
    before: Properties | None = None
    after: Properties | None = None

    @property
    def scope(self) -> list[str]:
        """The kinds of attributes that change."""
        return list(dict.fromkeys(detail.attribute for detail in self.details))


def differences(
    before: Before, after: After, schema: Callable[[str], CreateOnly | None], *, values: bool = True
) -> tuple[Difference, ...]:
    """Return what an update does to each resource that it touches, in the order of logical ids.

    AWS looks at a template in two ways. With values, it compares what properties evaluate to, where the
    attributes of resources that stay are what they are now. Without, any reference to an attribute of a
    changed resource counts as a change, too, as its value may end up different.

    Args:
        schema: Returns a type's schema.
        values: Whether values are compared (DescribeChangeSet's IncludePropertyValues).

    Raises:
        AwsError: The new template is not consistent, or gives a resource another type.
    """
    _refuse_other_types(before, after)
    needed = dependencies.order(after.template, after.context.conditions)
    found = [_removal(name, existing) for name, existing in before.resources.items() if name not in needed]
    comparison = _Comparison(before, after, schema, values=values)
    found += filter(None, map(comparison.of, needed))
    return tuple(sorted(found, key=lambda each: each.logical_id))


def _refuse_other_types(before: Before, after: After) -> None:
    entries = after.template.resources
    other = [
        name
        for name, existing in before.resources.items()
        if name in entries and entries[name].type != existing.entry.type
    ]
    if other:
        raise validation_error(
            "Update of resource type is not permitted. The new template modifies resource type of the "
            f"following resources: [{', '.join(sorted(other))}]"
        )


def _removal(name: str, existing: Existing) -> Difference:
    return Difference(
        Action.REMOVE,
        name,
        existing.entry.type,
        id=existing.resource.id,
        policy_action=deletion_policy(existing.entry, existing.properties),
        before=_context_of(existing.entry, existing.properties),
    )


def _fate(difference: Difference) -> Fate:
    if difference.action is Action.ADD or difference.replacement is Replacement.YES:
        return Fate.NEW
    return Fate.PERHAPS_NEW if difference.replacement is Replacement.CONDITIONAL else Fate.UPDATED


class _Comparison:
    """Compares resources, each one after those that it needs."""

    def __init__(
        self, before: Before, after: After, schema: Callable[[str], CreateOnly | None], *, values: bool
    ) -> None:
        self._before = before
        self._after = after
        self._schema = schema
        self._values = values
        # What is known before anything is done: resources that are new have no ids yet.
        self._known = {name: existing.resource for name, existing in before.resources.items()}
        self._context = replace(after.context, resources=self._known, unknown_resources=True)
        self._fates: dict[str, Fate] = {}
        old, new = before.parameters, after.context.parameters
        changed = frozenset(name for name in new if name in old and not same(old[name], new[name]))
        self._changing = Changing(changed, self._fates, after.context.conditions)

    def of(self, name: str) -> Difference | None:
        """Return what happens to a resource; None if it stays as it is."""
        difference = self._compare(name)
        if difference is not None:
            fate = _fate(difference)
            if fate is Fate.NEW:
                self._known.pop(name, None)
            if fate is Fate.NEW or not self._values:
                self._fates[name] = fate
        return difference

    def _compare(self, name: str) -> Difference | None:
        entry = self._after.template.resources[name]
        wanted = evaluate(entry.properties, self._context) or {}
        existing = self._before.resources.get(name)
        if existing is None:
            return Difference(Action.ADD, name, entry.type, after=_context_of(entry, wanted))
        details = tuple(self._details(existing, entry, wanted))
        if not details:
            return None
        replacement = _replacement(details)
        return Difference(
            Action.MODIFY,
            name,
            entry.type,
            id=existing.resource.id,
            replacement=replacement,
            details=details,
            policy_action=_replace_action(entry, wanted) if replacement is not Replacement.NO else "",
            before=_context_of(existing.entry, existing.properties),
            after=_context_of(entry, wanted),
        )

    def _details(self, existing: Existing, entry: TemplateResource, wanted: Properties) -> Iterator[Detail]:
        compared = self._by_value if self._values else self._by_name
        properties = list(compared(existing, entry, wanted))
        yield from properties
        yield from _of_attributes(existing.entry, entry)
        if not same(dict(self._before.tags), dict(self._after.tags)) and _takes_tags(
            self._schema(entry.type)
        ):
            yield Detail("Tags", "", Recreation.NEVER, Evaluation.STATIC, Source.DIRECT)
        if entry.type == STACK and not properties:
            yield Detail("Properties", "", Recreation.NEVER, Evaluation.DYNAMIC, Source.AUTOMATIC)

    def _by_value(self, existing: Existing, entry: TemplateResource, wanted: Properties) -> Iterator[Detail]:
        for change in compare(existing.properties, wanted, self._schema(entry.type)):
            found = causes(_at(entry.properties, change.path), self._changing)
            yield from _explained(found, change.name, change.recreation, change, direct=bool(found))

    def _by_name(self, existing: Existing, entry: TemplateResource, wanted: Properties) -> Iterator[Detail]:
        changing, schema = self._changing, self._schema(entry.type)
        for name in dict.fromkeys((*wanted, *existing.properties)):
            changes = compare(_only(name, existing.properties), _only(name, wanted), schema)
            expression = entry.properties.get(name)
            found = [
                cause
                for cause in causes(expression, changing)
                if changes or cause.source is not Source.PARAMETER
            ]
            if not found and not changes:
                continue
            worst = (
                _worst(change.recreation for change in changes) if changes else recreation((name,), schema)
            )
            rewritten = expression != existing.entry.properties.get(name)
            by_parameter = any(cause.source is Source.PARAMETER for cause in found)
            yield from _explained(found, name, worst, None, direct=rewritten or by_parameter)


def _explained(
    found: Sequence[Cause], name: str, worst: Recreation, change: PropertyChange | None, *, direct: bool
) -> Iterator[Detail]:
    """Yield a detail for each cause, and one for the template's own part in it.

    Args:
        direct: Whether there is such a part although there are causes.
    """
    for cause in found:
        yield Detail("Properties", name, worst, cause.evaluation, cause.source, cause.entity, change)
    if direct or not found:
        evaluation = Evaluation.DYNAMIC if found else Evaluation.STATIC
        yield Detail("Properties", name, worst, evaluation, Source.DIRECT, change=change)


def _of_attributes(old: TemplateResource, new: TemplateResource) -> Iterator[Detail]:
    for attribute, field_name in _ATTRIBUTES:
        if getattr(old, field_name) != getattr(new, field_name):
            yield Detail(attribute, "", Recreation.NEVER, Evaluation.STATIC, Source.DIRECT)


def _replacement(details: Sequence[Detail]) -> Replacement:
    if any(each.recreation is Recreation.ALWAYS and each.evaluation is Evaluation.STATIC for each in details):
        return Replacement.YES
    if any(each.recreation is not Recreation.NEVER for each in details):
        return Replacement.CONDITIONAL
    return Replacement.NO


def _worst(found: Iterator[Recreation]) -> Recreation:
    return max(found, key=list(Recreation).index)


def _at(expression: Any, path: Path) -> Any:
    """Return the part of an expression that a value comes from: the first function on its way, at most."""
    for step in path:
        if isinstance(expression, dict) and step in expression:
            expression = expression[step]
        elif isinstance(expression, list) and step.isdecimal() and int(step) < len(expression):
            expression = expression[int(step)]
        else:
            break
    return expression


def _only(name: str, properties: Properties) -> Properties:
    return {name: properties[name]} if properties.get(name, ABSENT) is not ABSENT else {}


def _takes_tags(schema: CreateOnly | None) -> bool:
    tagging = getattr(schema, "tagging", None)
    return bool(tagging and tagging.get("taggable", True))


def _context_of(entry: TemplateResource, properties: Properties) -> Properties:
    """Return a resource's entry as DescribeChangeSet's contexts show it."""
    others = {attribute: getattr(entry, field_name) for attribute, field_name in _ATTRIBUTES}
    return {"Properties": properties, **{name: value for name, value in others.items() if value}}


def deletion_policy(entry: TemplateResource, properties: Properties) -> str:
    """Return what happens to a resource that leaves its stack: Delete, Retain or Snapshot."""
    return _policy(entry.deletion_policy, entry.type, properties)


def replacement_policy(entry: TemplateResource, properties: Properties) -> str:
    """Return what happens to a resource that is replaced: Delete, Retain or Snapshot."""
    return _policy(entry.update_replace_policy, entry.type, properties)


def _policy(declared: str, type_name: str, properties: Properties) -> str:
    if declared == "RetainExceptOnCreate":
        return "Retain"
    if declared:
        return declared
    alone = type_name == "AWS::RDS::DBInstance" and "DBClusterIdentifier" not in properties
    return "Snapshot" if alone or type_name == "AWS::RDS::DBCluster" else "Delete"


def _replace_action(entry: TemplateResource, wanted: Properties) -> str:
    return f"ReplaceAnd{replacement_policy(entry, wanted)}"
