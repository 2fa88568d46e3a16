"""Whether a resource that has to be replaced can be: its new one must not need the old one's name. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.changes.property_changes import same

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.language.schemas import Schema
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties

REFUSAL = (
    "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
    "Rename {name} and update the stack again."
)


def kept_name(schema: Schema | None, before: Properties, after: Properties) -> str:
    """Return the name that the old and the new resource would share; empty if there is none.

    Names are the properties of the primary identifier that a template gives, and for types that AWS
    identifies otherwise (by an ARN, for example) the create-only property `Name`, `GroupName` or `TYPEName`.
    """
    if schema is None:
        return ""
    given = [name for name in schema.primary_identifier if name not in schema.read_only]
    if given and len(given) == len(schema.primary_identifier):
        return _shared(given, before, after)
    kind = schema.type_name.rpartition("::")[2]
    names = [name for name in ("Name", "GroupName", f"{kind}Name") if name in schema.create_only]
    return next((found for name in names if (found := _shared([name], before, after))), "")


def _shared(names: list[str], before: Properties, after: Properties) -> str:
    pairs: list[tuple[Any, Any]] = [(before.get(name), after.get(name)) for name in names]
    if all(new is not None and same(old, new) for old, new in pairs):
        return "|".join(str(new) for _, new in pairs)
    return ""
