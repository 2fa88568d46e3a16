"""The schemas of CloudFormation's resource types.

They are the JSON files that cfn-lint carries: what AWS publishes in its registry of types, and for older
types what AWS's documentation says. Only the data is read: importing cfn-lint would cost seconds and 80 MB.
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.language import shapes
from samjhadoo_emulator.cloudformation.language.schema_walk import Problem, SchemaWalk
from samjhadoo_emulator.cloudformation.language.template import functions
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_emulator.cloudformation.language.template import Template

REGION: Final = "us-east-1"
"""The region whose types are looked at: the one with all of them."""
CUSTOM: Final = "AWS::CloudFormation::CustomResource"
_CUSTOM_PREFIX: Final = "Custom::"
_FREE: Final = frozenset({CUSTOM, "AWS::CloudFormation::Stack"})
"""Types whose attributes a template or a function decides."""


@dataclass(frozen=True)
class Schema:
    """What a resource type's properties are. Paths have dots: `LoggingConfiguration.Bucket`, `Volumes.*.Id`.

    Attributes:
        type_name: The type's name.
        document: The whole JSON schema.
        create_only: Properties whose change replaces the resource.
        conditional_create_only: Properties whose change may replace the resource.
        read_only: What only AWS sets.
        write_only: What AWS never answers.
        required: Properties that a template must have.
        attributes: What `Fn::GetAtt` can return for sure; some types also return other properties.
        primary_identifier: The properties that identify a resource.
        tagging: How the type has tags: `taggable`, `tagProperty` …
        registered: Whether the type is one of AWS's registry, rather than an older one of CloudFormation's.
    """

    type_name: str
    document: dict[str, Any] = field(repr=False)
    create_only: frozenset[str]
    conditional_create_only: frozenset[str]
    read_only: frozenset[str]
    write_only: frozenset[str]
    required: tuple[str, ...]
    attributes: frozenset[str]
    primary_identifier: tuple[str, ...]
    tagging: dict[str, Any]
    registered: bool

    def has_attribute(self, name: str) -> bool:
        """Return whether `Fn::GetAtt` may return something for a name."""
        first = name.split(".", maxsplit=1)[0]
        return (
            self.type_name in _FREE or name in self.attributes or first in self.document.get("properties", {})
        )

    @property
    def tag_property(self) -> str:
        """The property that holds tags; empty if the type has none."""
        if not self.tagging.get("taggable", "Tags" in self.document.get("properties", {})):
            return ""
        return str(self.tagging.get("tagProperty", "/properties/Tags")).removeprefix("/properties/")


@cache
def schema(type_name: str) -> Schema | None:
    """Return the schema of a type; None if AWS has no such type."""
    if type_name.startswith(_CUSTOM_PREFIX):
        type_name = CUSTOM
    digest = _digests().get(type_name)
    if digest is None:
        return None
    text = (_folder() / "resources" / f"{digest}.json").read_bytes()
    document: dict[str, Any] = json.loads(text, object_hook=_without_description)
    if type_name == CUSTOM:
        document["additionalProperties"] = True
    read_only = _paths(document, "readOnlyProperties")
    return Schema(
        type_name=type_name,
        document=document,
        create_only=frozenset(_paths(document, "createOnlyProperties")),
        conditional_create_only=frozenset(_paths(document, "conditionalCreateOnlyProperties")),
        read_only=frozenset(read_only),
        write_only=frozenset(_paths(document, "writeOnlyProperties")),
        required=tuple(document.get("required", ())),
        attributes=frozenset(path for path in read_only if "*" not in path),
        primary_identifier=tuple(_paths(document, "primaryIdentifier")),
        tagging=document.get("tagging", {}),
        registered="handlers" in document,
    )


def _without_description(part: dict[str, Any]) -> dict[str, Any]:
    """Drop texts that are more than half of a schema's size."""
    if isinstance(part.get("description"), str):
        del part["description"]
    return part


@cache
def _digests() -> dict[str, str]:
    digests: dict[str, str] = json.loads((_folder() / "providers" / f"{REGION}.json").read_bytes())
    return digests


@cache
def _folder() -> Path:
    found = importlib.util.find_spec("cfnlint")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("cfn-lint is not installed", name="cfnlint")
    return Path(found.origin).parent / "data" / "schemas"


def _paths(document: dict[str, Any], member: str) -> list[str]:
    return [pointer.removeprefix("/properties/").replace("/", ".") for pointer in document.get(member, ())]


def check_types(template: Template) -> None:
    """Check that AWS has the types of a template's resources, and the attributes that it gets of them.

    Raises:
        AwsError: It has not.
    """
    types = {each.type for each in template.resources.values()}
    unknown = sorted(name for name in types if schema(name) is None)
    if unknown:
        raise validation_error(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")
    for function, argument in functions([template.document.get(name) for name in ("Resources", "Outputs")]):
        if function != "Fn::GetAtt":
            continue
        name, attribute = shapes.get_att(argument)
        known = schema(template.resources[name].type) if name in template.resources else None
        if known and isinstance(attribute, str) and not known.has_attribute(attribute):
            raise validation_error(
                f"Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt"
            )


def problems(type_name: str, properties: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with properties by their type's schema; none if AWS has no such type.

    Values that are not known yet (`UNKNOWN`), and dynamic references, match everything.
    """
    known = schema(type_name)
    if known is None:
        return []
    found = list(SchemaWalk(known.document).problems(dict(properties)))
    return found + [
        Problem((), "additionalProperties", f"extraneous key [{name}] is not permitted", name)
        for name in properties
        if name in known.read_only and name not in known.required
    ]


def check(type_name: str, properties: Mapping[str, Any], logical_id: str) -> None:
    """Check evaluated properties against their type's schema.

    Raises:
        AwsError: They do not match, in AWS's words.
    """
    found = problems(type_name, properties)
    if not found:
        return
    known = schema(type_name)
    if known is not None and not known.registered:
        raise validation_error(_older_text(found[0]))
    raise validation_error(
        f"Properties validation failed for resource {logical_id} with message:\n" + "\n".join(map(str, found))
    )


def _older_text(problem: Problem) -> str:
    """Return the words of the types that CloudFormation has had since before its registry."""
    place = "/".join(problem.path)
    if problem.keyword == "required":
        return f"Property {problem.subject} cannot be empty."
    if problem.keyword == "additionalProperties":
        return f"Encountered unsupported property {problem.subject}"
    if problem.keyword == "type":
        kind = problem.text.removeprefix("expected type: ").split(",")[0]
        wanted = {"JSONArray": "List of String", "JSONObject": "an object"}.get(kind, kind)
        return f"Value of property {place} must be {wanted if wanted == 'an object' else f'of type {wanted}'}"
    return f"Value of property {place}: {problem.text}"


def coerce(type_name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return properties with the types that the schema wants: "true" as a boolean, 80 as text, and so on."""
    known = schema(type_name)
    if known is None:
        return properties
    coerced: dict[str, Any] = SchemaWalk(known.document).coerced(properties)
    return coerced
