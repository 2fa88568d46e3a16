"""Transforms: `AWS::LanguageExtensions` and serverless templates are expanded, macros are refused. No I/O.

Facts: "AWS::LanguageExtensions transform" and "Fn::ForEach" in CloudFormation's template reference. Its other
functions (`Fn::Length`, `Fn::ToJsonString`, the default of `Fn::FindInMap`) are evaluated with all the rest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

from samjhadoo_emulator.cloudformation.language import shapes
from samjhadoo_emulator.cloudformation.language.context import Context
from samjhadoo_emulator.cloudformation.language.functions import as_text, evaluate
from samjhadoo_emulator.cloudformation.language.sections import EXTENSIONS, SERVERLESS
from samjhadoo_emulator.cloudformation.language.template import Template, check_references, from_document
from samjhadoo_emulator.cloudformation.serverless import translated
from samjhadoo_emulator.errors import not_implemented, validation_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samjhadoo_emulator.cloudformation.language.parameters import Parameter

_LOOP: Final = "Fn::ForEach::"
_NOT_ALPHANUMERIC: Final = re.compile(r"[^A-Za-z0-9]")
_POLICIES: Final = ("DeletionPolicy", "UpdateReplacePolicy")
_LARGEST: Final = 10_000
"""How many members loops may make: more than any template has, so that no template takes all memory."""


def transformed(
    template: Template, parameters: Mapping[str, Parameter], pseudo: Mapping[str, Any]
) -> Template:
    """Return a template after its transforms; the same one if it has none.

    Args:
        parameters: The stack's parameters, which loops may go through.
        pseudo: The pseudo parameters.

    Raises:
        AwsError: A transform is not supported, or fails, or its result is no template.
    """
    if not template.transforms:
        return template
    _check_supported(template, pseudo)
    values = {name: each.value for name, each in parameters.items()}
    document = {section: each for section, each in template.document.items() if section != "Transform"}
    if template.extensions:
        context = Context(parameters=values, mappings=template.mappings, pseudo=pseudo, extensions=True)
        document = _extended(document, context)
    if SERVERLESS in template.transforms and _is_serverless(document):
        document = translated(document, values, str(pseudo.get("AWS::Region", "")))
    result = from_document(document, template.text, transforms=template.transforms)
    check_references(result)
    return result


def _check_supported(template: Template, pseudo: Mapping[str, Any]) -> None:
    for name in template.transforms:
        if name in {EXTENSIONS, SERVERLESS}:
            continue
        if name.startswith("AWS::"):
            raise not_implemented(f"The emulator does not perform the transform {name}.")
        raise validation_error(f"No transform named {pseudo.get('AWS::AccountId', '')}::{name} found.")


def _extended(document: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return a document after the transform AWS::LanguageExtensions."""
    result: dict[str, Any] = _Loops(context).expanded(document, {})
    for resource in result.get("Resources", {}).values():
        for policy in _POLICIES:
            if isinstance(resource, dict) and isinstance(resource.get(policy), dict):
                resource[policy] = evaluate(resource[policy], context)
    return result


def _is_serverless(document: dict[str, Any]) -> bool:
    """Return whether SAM's transform has anything to do: SAM's tools declare it in all their templates."""
    types = [each["Type"] for each in document.get("Resources", {}).values() if "Type" in each]
    return "Globals" in document or any(str(each).startswith("AWS::Serverless::") for each in types)


class _Loops:
    """Expands `Fn::ForEach` everywhere in a value."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._made = 0

    def expanded(self, value: Any, names: Mapping[str, str]) -> Any:
        """Return a value without loops.

        Args:
            names: The current values of the loops around it, by identifier.
        """
        if isinstance(value, str):
            return _replaced(value, names)
        if isinstance(value, list):
            return [self.expanded(each, names) for each in value]
        if not isinstance(value, dict):
            return value
        function, argument = shapes.function_of(value)
        if function == "Ref" and isinstance(argument, str) and argument in names:
            return names[argument]
        members: dict[str, Any] = {}
        for key, member in self._members(value, names):
            if key in members:
                _failed(f"Duplicate key '{key}' when merging keys to parent object in Fn::ForEach")
            members[key] = member
        return self._named(members)

    def _named(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return a value whose references are plain names: here functions may say what they refer to."""
        function, argument = shapes.function_of(value)
        if function == "Ref" and isinstance(argument, dict):
            return {function: evaluate(argument, self._context)}
        if function == "Fn::GetAtt" and isinstance(argument, list):
            return {
                function: [
                    evaluate(part, self._context) if isinstance(part, dict) else part for part in argument
                ]
            }
        return value

    def _members(self, value: dict[str, Any], names: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
        for key, member in value.items():
            if key.startswith(_LOOP):
                yield from self._loop(member, names)
            else:
                yield _replaced(key, names), self.expanded(member, names)

    def _loop(self, loop: Any, names: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
        parts = shapes.listed(loop, 3)
        if parts is None or not isinstance(parts[0], str) or not isinstance(parts[2], dict):
            _failed("Fn::ForEach layout is incorrect")
        identifier, collection, body = parts
        for each in self._collection(collection, names):
            self._made += len(body)
            if self._made > _LARGEST:
                _failed("Fn::ForEach makes too many members")
            yield from self._members(body, {**names, identifier: each})

    def _collection(self, collection: Any, names: Mapping[str, str]) -> list[str]:
        found = evaluate(self.expanded(collection, names), self._context)
        flat: list[Any] = []
        for each in found if isinstance(found, list) else [None]:
            flat += each if isinstance(each, list) else [each]
        texts = [as_text(each) for each in flat]
        if None in texts:
            _failed("Fn::ForEach could not resolve the Collection to a list of strings")
        return [str(text) for text in texts]


def _replaced(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(f"${{{name}}}", value)
        text = text.replace(f"&{{{name}}}", _NOT_ALPHANUMERIC.sub("", value))
    return text


def _failed(what: str) -> NoReturn:
    raise validation_error(f"Transform {EXTENSIONS} failed with: {what}")
