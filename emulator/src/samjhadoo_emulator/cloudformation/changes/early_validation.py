"""Pre-deployment validation: mistakes of a template that are found before anything is made.

CreateStack, UpdateStack and CreateChangeSet run it (since 2026-06-30). What it finds is answered by
DescribeEvents only; the change set or the stack just names the checks that failed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.changes.differences import Action, Replacement
from samjhadoo_emulator.cloudformation.language import schemas
from samjhadoo_emulator.cloudformation.language.functions import is_unknown
from samjhadoo_emulator.cloudformation.language.template import TemplateResource
from samjhadoo_emulator.cloudformation.model import StackResource
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.scheduling import Cancellation
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from samjhadoo_emulator.cloudformation.changes.differences import Difference
    from samjhadoo_emulator.cloudformation.events import StackEvents
    from samjhadoo_emulator.cloudformation.model import Stack
    from samjhadoo_emulator.cloudformation.provisioning import Provider
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties

PROPERTIES: Final = "PROPERTY_VALIDATION"
NAME_CONFLICT: Final = "NAME_CONFLICT_VALIDATION"
_HOOKS: Final = {
    PROPERTIES: "AWS::EarlyValidation::PropertyValidation",
    NAME_CONFLICT: "AWS::EarlyValidation::ResourceExistenceCheck",
}
_WORDS: Final = {
    "required": "Required property [{}] not found",
    "additionalProperties": "Unsupported property [{}]",
}
"""What early validation says of a schema's keyword, where it has words of its own."""


@dataclass(frozen=True)
class Mistake:
    """One mistake.

    Attributes:
        check: The name of the validation that found it.
        path: Where it is in the template.
        id: The physical id of the resource that is in the way, if one is.
    """

    check: str
    logical_id: str
    type: str
    path: str
    reason: str
    id: str = ""

    @property
    def details(self) -> dict[str, str]:
        """The members of DescribeEvents's answer."""
        return {
            "ValidationName": self.check,
            "ValidationFailureMode": "FAIL",
            "ValidationStatus": "FAILED",
            "ValidationStatusReason": self.reason,
            "ValidationPath": self.path,
            "ResourceType": self.type,
            **({"PhysicalResourceId": self.id} if self.id else {}),
        }


def failure(mistakes: Iterable[Mistake]) -> str:
    """Return the reason that a change set or a stack gives for having failed."""
    hooks = sorted({_HOOKS[mistake.check] for mistake in mistakes})
    return (
        f"The following hook(s)/validation failed: [{', '.join(hooks)}]. To troubleshoot Early Validation "
        "errors, use the DescribeEvents API for detailed failure information."
    )


class EarlyValidation:
    """Validates what operations would make, and records what it finds.

    Args:
        provider: Makes requests for resource types.
        events: Where mistakes are recorded.
    """

    def __init__(self, provider: Provider, events: StackEvents) -> None:
        self._provider = provider
        self._events = events

    async def run(self, stack: Stack, differences: Iterable[Difference]) -> list[Mistake]:
        """Return the mistakes in what an operation on a stack would make; they are in its events, too."""

        async def exists(difference: Difference, name: str) -> bool:
            return await self._exists(stack, difference, name)

        mistakes = await find_mistakes(differences, exists)
        for mistake in mistakes:
            self._events.validation(stack, mistake.details, logical_id=mistake.logical_id)
        return mistakes

    async def _exists(self, stack: Stack, difference: Difference, name: str) -> bool:
        """Return whether AWS has a resource of a difference's type with this physical id."""
        entry = TemplateResource(difference.type)
        record = StackResource(difference.logical_id, entry, resource=Resource(name))
        try:
            request = await self._provider.request(stack, record, Cancellation())
            return await self._provider.type_of(record).read(request) is not None
        except AwsError:
            return False  # the resource's creation shows what is wrong


async def find_mistakes(
    differences: Iterable[Difference], exists: Callable[[Difference, str], Awaitable[bool]]
) -> list[Mistake]:
    """Return the mistakes in what an update would make.

    Args:
        exists: Returns whether AWS has a resource of the difference's type with this physical id.
    """
    made = [each for each in differences if each.after is not None]
    wrong = [mistake for each in made for mistake in _wrong_properties(each)]
    taken = await asyncio.gather(*(_name_conflict(each, exists) for each in made))
    return [*wrong, *filter(None, taken)]


def _wrong_properties(difference: Difference) -> Iterator[Mistake]:
    properties = schemas.coerce(difference.type, _properties(difference))
    for problem in schemas.problems(difference.type, properties):
        path = ("Resources", difference.logical_id, "Properties", *problem.path)
        words = _WORDS.get(problem.keyword)
        yield Mistake(
            PROPERTIES,
            difference.logical_id,
            difference.type,
            "".join(f"/{step}" for step in path),
            words.format(problem.subject) if words else problem.text,
        )


async def _name_conflict(
    difference: Difference, exists: Callable[[Difference, str], Awaitable[bool]]
) -> Mistake | None:
    """Find a resource that has the name which a new one is to get."""
    if difference.action is not Action.ADD and difference.replacement is not Replacement.YES:
        return None
    name = _given_name(difference.type, _properties(difference))
    if not name or name == difference.id or not await exists(difference, name):
        return None
    return Mistake(
        NAME_CONFLICT,
        difference.logical_id,
        difference.type,
        f"/Resources/{difference.logical_id}",
        f"Resource of type '{difference.type}' with identifier '{name}' already exists.",
        id=name,
    )


def _given_name(type_name: str, properties: Properties) -> str:
    """Return the physical id that a template gives a resource; empty if AWS makes one up.

    A type that is identified by what it belongs to, as a bucket policy by its bucket, has no name of its own.
    """
    schema = schemas.schema(type_name)
    if schema is None or len(schema.primary_identifier) != 1:
        return ""
    (identifier,) = schema.primary_identifier
    if not identifier.endswith(("Name", "Identifier", f"{type_name.rpartition('::')[2]}Id")):
        return ""
    name: Any = properties.get(identifier)
    known = isinstance(name, str) and not is_unknown(name) and "{{resolve:" not in name
    return name if known and identifier not in schema.read_only else ""


def _properties(difference: Difference) -> Properties:
    found: Properties = (difference.after or {}).get("Properties", {})
    return found
