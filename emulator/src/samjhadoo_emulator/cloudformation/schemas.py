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
from typing import Any, Final

from samjhadoo_emulator.errors import validation_error

REGION: Final = "us-east-1"
"""The region whose types are looked at: the one with all of them."""


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
        attributes: What `Fn::GetAtt` can return.
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


@cache
def schema(type_name: str) -> Schema | None:
    """Return the schema of a type; None if AWS has no such type."""
    digest = _digests().get(type_name)
    if digest is None:
        return None
    document = json.loads((_folder() / "resources" / f"{digest}.json").read_bytes())
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


def check(type_name: str, properties: dict[str, Any], logical_id: str = "") -> None:
    """Check properties against their type's schema.

    Raises:
        AwsError: They do not match, in AWS's words.
    """
    known = schema(type_name)
    if known is None:
        raise validation_error(f"Template format error: Unrecognized resource types: [{type_name}]")
    problems = [f"#: required key [{name}] not found" for name in known.required if name not in properties]
    problems += [
        f"#: extraneous key [{name}] is not permitted"
        for name in properties
        if name not in known.document["properties"]
    ]
    if problems:
        raise validation_error(
            f"Properties validation failed for resource {logical_id} with message:\n" + "\n".join(problems)
        )
