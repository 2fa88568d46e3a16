"""A CloudFormation template: its sections, read from its text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from samjhadoo_emulator.cloudformation import sections
from samjhadoo_emulator.cloudformation.template_checks import check_references
from samjhadoo_emulator.cloudformation.template_text import load
from samjhadoo_emulator.errors import validation_error

LARGEST_BODY: Final = 51_200
LARGEST_STORED: Final = 1_000_000


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
    """A template's sections; values still have their functions, in long form: `{"Ref": "X"}`.

    Attributes:
        text: What the caller sent.
        document: The whole template as plain values; after `transforms.transformed`, what they made of it.
        transforms: The macros that the template names, whether they were run or not.
    """

    text: str
    document: dict[str, Any] = field(default_factory=dict, repr=False)
    version: str = ""
    description: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    transforms: tuple[str, ...] = ()
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    mappings: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, TemplateResource] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def extensions(self) -> bool:
        """Whether the template is written for `AWS::LanguageExtensions`, for `Context.extensions`."""
        return sections.EXTENSIONS in self.transforms


def check_size(text: str, *, stored: bool = False) -> None:
    """Refuse a text that is too large.

    Args:
        stored: Whether it was read from S3 (`TemplateURL`), where it may be larger.

    Raises:
        AwsError: It is.
    """
    size = len(text.encode())
    if stored and size > LARGEST_STORED:
        raise validation_error(f"Template may not exceed {LARGEST_STORED} bytes in size.")
    if not stored and size > LARGEST_BODY:
        raise validation_error(
            f"1 validation error detected: Value '{text}' at 'templateBody' failed to satisfy constraint: "
            f"Member must have length less than or equal to {LARGEST_BODY}"
        )


def parse(text: str) -> Template:
    """Read a template.

    What its functions refer to is checked too, unless transforms come first: `transforms.transformed` then
    does it.

    Raises:
        AwsError: It is no template, with AWS's text.
    """
    document = load(text)
    if not isinstance(document, dict):
        raise validation_error("Template format error: unsupported structure.")
    template = from_document(document, text)
    if not template.transforms:
        check_references(template)
    return template


def from_document(document: dict[str, Any], text: str, *, transforms: tuple[str, ...] = ()) -> Template:
    """Return the template of an already loaded document.

    Args:
        transforms: Those that were run, and that the document does not name any more.

    Raises:
        AwsError: A section is malformed.
    """
    names = sections.transforms(document)
    plain = _without_loops(document) if names else document
    sections.check(plain, looped=plain is not document and plain != document)
    return Template(
        text=text,
        document=document,
        version=document.get("AWSTemplateFormatVersion", ""),
        description=document.get("Description", ""),
        metadata=document.get("Metadata", {}),
        transforms=transforms or names,
        parameters=plain.get("Parameters", {}),
        mappings=plain.get("Mappings", {}),
        conditions=plain.get("Conditions", {}),
        rules=plain.get("Rules", {}),
        resources={name: _resource(each) for name, each in plain.get("Resources", {}).items()},
        outputs=plain.get("Outputs", {}),
    )


def _without_loops(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document without what only transforms make: members of sections named `Fn::…`."""
    return {
        section: {name: member for name, member in members.items() if not name.startswith("Fn::")}
        if isinstance(members, dict)
        else members
        for section, members in document.items()
        if not section.startswith("Fn::")
    }


def _resource(declared: dict[str, Any]) -> TemplateResource:
    depends_on = declared.get("DependsOn", ())
    return TemplateResource(
        type=declared["Type"],
        properties=declared.get("Properties", {}),
        condition=declared.get("Condition", ""),
        depends_on=(depends_on,) if isinstance(depends_on, str) else tuple(depends_on),
        deletion_policy=declared.get("DeletionPolicy", ""),
        update_replace_policy=declared.get("UpdateReplacePolicy", ""),
        creation_policy=declared.get("CreationPolicy", {}),
        update_policy=declared.get("UpdatePolicy", {}),
        metadata=declared.get("Metadata", {}),
    )
