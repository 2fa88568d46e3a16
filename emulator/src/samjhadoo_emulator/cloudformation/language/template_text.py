"""A template's text to plain values: JSON, or YAML with the short forms of CloudFormation's functions.

CloudFormation reads YAML 1.1 without aliases, merges, and the tags binary, omap, pairs, set and timestamp
(`template-formats.html` in its user guide).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NoReturn

import yaml

from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLOADER: Final[type] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PREFIX: Final = "tag:yaml.org,2002:"
_STRING: Final = f"{_PREFIX}str"
_TEXT_ONLY: Final = frozenset(f"{_PREFIX}{kind}" for kind in ("timestamp", "merge", "value", "str"))
"""What YAML 1.1 makes of some plain scalars, and CloudFormation does not."""
_UNSUPPORTED: Final = frozenset(
    f"{_PREFIX}{kind}" for kind in ("binary", "omap", "pairs", "set", "timestamp")
)
_BARE: Final = frozenset({"Ref", "Condition"})
"""Functions whose long form has no prefix `Fn::`."""
_LARGEST_BITS: Final = 128
"""Larger integers stay the text that they are."""
_DEEPEST: Final = 100
"""How deep values may be nested: deeper than any template, and far less than Python's stack allows."""


def load(text: str) -> Any:
    """Return what a template's text says, with all functions in their long form.

    Raises:
        AwsError: The text is neither JSON nor YAML that CloudFormation reads.
    """
    return _load_json(text) if text.lstrip()[:1] in {"{", "["} and _is_json(text) else _load_yaml(text)


def _is_json(text: str) -> bool:
    """Tell JSON from YAML in flow style, which also begins with a brace but hardly ever quotes its keys."""
    return text.lstrip()[1:].lstrip()[:1] in {'"', "}", "{", "]", ""}


def _load_json(text: str) -> Any:
    try:
        loaded = json.loads(text, object_pairs_hook=_pairs, parse_constant=_no_constant)
        _check_depth(loaded)
        if "\\u" in text:
            json.dumps(loaded, ensure_ascii=False).encode()  # half of a surrogate pair is no character
    except json.JSONDecodeError as error:
        raise validation_error(
            f"Template format error: JSON not well-formed. (line {error.lineno}, column {error.colno})"
        ) from None
    except ValueError:  # numbers without end, and what is no character
        raise validation_error("Template format error: JSON not well-formed.") from None
    except RecursionError:
        _too_deep()
    return loaded


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # Python reads NaN and Infinity, which JSON does not have


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise validation_error(f'Template format error: JSON not well-formed. Duplicate key "{key}"')
            seen.add(key)
    return found


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            member
            for each in level
            if isinstance(each, dict | list)
            for member in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    _too_deep()


def _too_deep() -> NoReturn:
    raise validation_error("Template format error: unsupported structure.")


def _load_yaml(text: str) -> Any:
    try:
        return _TemplateReader(yaml.parse(text, Loader=_CLOADER)).document()
    except yaml.MarkedYAMLError as error:
        place = _place(error.problem_mark or error.context_mark)
        raise validation_error(f"Template format error: YAML not well-formed.{place}") from None
    except yaml.YAMLError:  # characters that YAML does not have
        raise validation_error("Template format error: YAML not well-formed.") from None


class _TemplateReader:
    """Builds plain values from YAML's events, in one pass and without ever following an alias."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._resolver = yaml.resolver.Resolver()
        self._constructor = yaml.constructor.SafeConstructor()

    def document(self) -> Any:
        """Return the value of the only document; None if there is none."""
        value = None
        seen = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                seen += 1
                if seen > 1:
                    _ill_formed(event)
                value = self._value(next(self._events), 0)
        return value

    def _value(self, event: yaml.Event, depth: int) -> Any:
        if depth > _DEEPEST:
            _too_deep()
        if isinstance(event, yaml.AliasEvent):
            raise validation_error("Template error: YAML aliases are not allowed in CloudFormation templates")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        plain: Any
        if isinstance(event, yaml.MappingStartEvent):
            plain = self._mapping(depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            plain = self._sequence(depth)
        else:
            _ill_formed(event)
        name = _function_name(event)
        return _function(name, plain) if name else plain

    def _sequence(self, depth: int) -> list[Any]:
        members = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            members.append(self._value(event, depth + 1))
        return members

    def _mapping(self, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or (event.value == "<<" and event.implicit[0]):
                _ill_formed(event)
            if event.value in members:
                _ill_formed(event, f' Duplicate key "{event.value}"')
            members[event.value] = self._value(next(self._events), depth + 1)
        return members

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        if name := _function_name(event):
            return _function(name, event.value)
        tag = event.tag or self._resolver.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
        if tag in _TEXT_ONLY:
            return event.value
        try:
            value = self._constructor.construct_object(yaml.ScalarNode(tag, event.value))
            return event.value if isinstance(value, int) and value.bit_length() > _LARGEST_BITS else value
        except (ValueError, KeyError, IndexError, AttributeError):  # for example `!!int x`
            _ill_formed(event)


def _ill_formed(event: yaml.Event, what: str = "") -> NoReturn:
    raise validation_error(f"Template format error: YAML not well-formed.{what}{_place(event.start_mark)}")


def _place(mark: Any) -> str:
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""


def _function_name(event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> str:
    """Return the function that a node's tag names; empty if it has no tag, or one of YAML's own."""
    tag: str = event.tag or "!"
    if tag in _UNSUPPORTED:
        _ill_formed(event)
    return "" if tag.startswith(_PREFIX) else tag.removeprefix("!")


def _function(name: str, argument: Any) -> dict[str, Any]:
    """Return the long form of a function; `!GetAtt A.B.C` is short for `[A, B.C]`."""
    if name in _BARE:
        return {name: argument}
    if name == "GetAtt" and isinstance(argument, str):
        resource, dot, attribute = argument.partition(".")
        argument = [resource, attribute] if dot else argument
    return {f"Fn::{name}": argument}
