"""A CloudFormation template: its sections, and what CloudFormation says of a text that is none.

Error texts are AWS's, as ValidateTemplate and CreateStack answer them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from samjhadoo_emulator.cloudformation.template_text import load
from samjhadoo_emulator.errors import validation_error


@dataclass(frozen=True)
class TemplateResource:
    """One resource of a template; values still have their functions, in long form."""

    type: str
    properties: dict[str, Any] = field(default_factory=dict)
    condition: str = ""
    depends_on: tuple[str, ...] = ()
    deletion_policy: str = ""
    update_replace_policy: str = ""
    creation_policy: dict[str, Any] = field(default_factory=dict)
    update_policy: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Template:
    """A template's sections; values still have their functions, in long form: `{"Ref": "X"}`."""

    text: str
    description: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    transforms: tuple[str, ...] = ()
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    mappings: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, TemplateResource] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)


_SECTIONS: Final = (
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Transform",
    "Parameters",
    "Mappings",
    "Conditions",
    "Rules",
    "Resources",
    "Outputs",
    "Hooks",
    "Globals",
)


def parse(text: str) -> Template:
    """Read a template.

    Raises:
        AwsError: It is no template, with AWS's text.
    """
    document = load(text)
    if not isinstance(document, dict):
        raise validation_error("Template format error: unsupported structure.")
    return from_document(document, text)


def from_document(document: dict[str, Any], text: str) -> Template:
    """Return the template of an already loaded document, for example one that a transform has changed."""
    unknown = [name for name in document if name not in _SECTIONS]
    if unknown:
        raise validation_error(f"Invalid template property or properties [{', '.join(unknown)}]")
    transforms = document.get("Transform") or ()
    return Template(
        text=text,
        description=document.get("Description") or "",
        metadata=document.get("Metadata") or {},
        transforms=(transforms,) if isinstance(transforms, str) else tuple(transforms),
        parameters=document.get("Parameters") or {},
        mappings=document.get("Mappings") or {},
        conditions=document.get("Conditions") or {},
        rules=document.get("Rules") or {},
        resources={name: _resource(each) for name, each in (document.get("Resources") or {}).items()},
        outputs=document.get("Outputs") or {},
    )


def _resource(declared: dict[str, Any]) -> TemplateResource:
    depends_on = declared.get("DependsOn") or ()
    return TemplateResource(
        type=declared["Type"],
        properties=declared.get("Properties") or {},
        condition=declared.get("Condition") or "",
        depends_on=(depends_on,) if isinstance(depends_on, str) else tuple(depends_on),
        deletion_policy=declared.get("DeletionPolicy") or "",
        update_replace_policy=declared.get("UpdateReplacePolicy") or "",
        creation_policy=declared.get("CreationPolicy") or {},
        update_policy=declared.get("UpdatePolicy") or {},
        metadata=declared.get("Metadata") or {},
    )
