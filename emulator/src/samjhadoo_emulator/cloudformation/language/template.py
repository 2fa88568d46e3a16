"""A CloudFormation template: its sections, read from its text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.language import sections, shapes
from samjhadoo_emulator.cloudformation.language.template_text import load
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LARGEST_BODY: Final = 51_200
LARGEST_STORED: Final = 1_000_000
PSEUDO: Final = frozenset(
    f"AWS::{name}"
    for name in (
        "AccountId",
        "NoValue",
        "NotificationARNs",
        "Partition",
        "Region",
        "StackId",
        "StackName",
        "URLSuffix",
    )
)


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


def check_references(template: Template) -> None:
    """Check the functions in all sections of a template.

    Raises:
        AwsError: One is unknown or misused, or refers to a resource, parameter, condition or mapping that
            the template does not have.
    """
    parameters = template.parameters.keys() | PSEUDO
    _check_condition_section(template, parameters)
    resources = template.resources
    values = [
        (each.properties, each.creation_policy, each.update_policy, each.metadata)
        for each in resources.values()
    ]
    missing = [need for each in resources.values() for need in each.depends_on if need not in resources]
    missing += _check_values(values, template, parameters | resources.keys())
    _refuse(missing, "Resources")
    _check_condition_names(template, (each.condition for each in resources.values()), "Resources")
    outputs = template.outputs.values()
    missing = _check_values(list(outputs), template, parameters | resources.keys())
    _refuse(missing, "Outputs")
    _check_condition_names(template, (each.get("Condition", "") for each in outputs), "Outputs")


def _check_condition_section(template: Template, parameters: Iterable[str]) -> None:
    missing = _check_values(list(template.conditions.values()), template, parameters)
    if missing:
        raise validation_error(
            f"Template format error: Unresolved dependencies {_listed(missing)}. "
            "Cannot reference resources in the Conditions block of the template"
        )
    for function, argument in functions(template.conditions):
        if function == "Condition" and argument not in template.conditions:
            raise validation_error(f"Template error: unresolved condition dependency {argument} in Condition")


def _check_values(value: Any, template: Template, names: Iterable[str]) -> list[str]:
    """Return the names that `Ref` and `Fn::Sub` refer to and that are none of these."""
    missing = []
    for function, argument in functions(value):
        if function not in shapes.SHAPES:
            shapes.unsupported(function)
        if function == "Condition":
            continue
        shape = shapes.SHAPES[function](argument)
        if function == "Ref" and shape not in names:
            missing.append(shape)
        elif function == "Fn::GetAtt" and shape[0] not in template.resources:
            raise validation_error(
                f"Template error: instance of Fn::GetAtt references undefined resource {shape[0]}"
            )
        elif function == "Fn::Sub":
            missing += _missing_variables(shape, template, names)
        elif function == "Fn::If" and shape[0] not in template.conditions:
            raise validation_error(f"Template error: unresolved condition dependency {shape[0]} in Fn::If")
        elif function == "Fn::FindInMap":
            _check_mapping(shape, template)
    return missing


def _missing_variables(
    parts: tuple[str, dict[str, Any]], template: Template, names: Iterable[str]
) -> Iterator[str]:
    text, own = parts
    for variable in map(str.strip, shapes.VARIABLE.findall(text)):
        if variable.startswith("!") or variable in own:
            continue
        if "." not in variable:
            if variable not in names:
                yield variable
        elif variable.split(".")[0] not in template.resources:
            raise validation_error(
                f"Template error: instance of Fn::Sub references invalid resource attribute {variable}"
            )


def _check_mapping(parts: list[Any], template: Template) -> None:
    name = parts[0]
    if isinstance(name, str) and name not in template.mappings and not parts[shapes.MAP_KEYS :]:
        raise validation_error(
            f"Template error: Mapping named '{name}' is not present in the 'Mappings' section of template."
        )


def _check_condition_names(template: Template, names: Iterable[str], section: str) -> None:
    for name in names:
        if name and name not in template.conditions:
            raise validation_error(
                f"Template format error: Unresolved condition dependency {name} "
                f"in the {section} block of the template"
            )


def _refuse(missing: list[str], section: str) -> None:
    if missing:
        raise validation_error(
            f"Template format error: Unresolved resource dependencies {_listed(missing)} "
            f"in the {section} block of the template"
        )


def _listed(names: list[str]) -> str:
    return f"[{', '.join(dict.fromkeys(names))}]"


def functions(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield all functions in a value, with their arguments as written, outer ones first."""
    if isinstance(value, dict):
        function, argument = shapes.function_of(value)
        if function:
            yield function, argument
        for member in value.values():
            yield from functions(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from functions(member)
