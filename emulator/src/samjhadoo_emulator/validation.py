"""What AWS refuses of a request before a service looks at it: what does not fit the operation's model.

First the types of a JSON or CBOR document (`check_types`), then required members, enumerations, ranges,
lengths and patterns (`check`). The checks are the same for every service; each has its own words for them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.utils import parse_timestamp
from cbor2 import undefined

from samjhadoo_emulator.errors import AwsError, client_exception, invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import OperationModel, Shape

_NUMBERS = {"integer": 31, "long": 63}
"""The bits of a number, its sign left out."""
_NO_NUMBERS = ("NaN", "Infinity", "-Infinity")
_NAMES = {
    "integer": "an Integer",
    "string": "a String",
    "long": "a Long",
    "blob": "a Blob",
    "timestamp": "milliseconds since epoch",
}
_LENGTHS = ("string", "blob", "list", "map")
_SURROGATES = (r"\uD800\uDC00-\uDBFF\uDFFF", "\U00010000-\U0010ffff")
"""The characters beyond 16 bits in Java's patterns, and in Python's."""


@dataclass(frozen=True)
class Violation:
    """A constraint of the model that a value does not satisfy.

    Attributes:
        path: Where the value is, as AWS writes it: `tags.1.member.key`.
        shown: The value as AWS shows it.
        constraint: In AWS's words.
        choices: The values of an enumeration that the value is not in.
    """

    path: str
    shown: str
    constraint: str
    choices: tuple[str, ...] = ()


def check_types(shape: Shape | None, document: Any) -> None:
    """Refuse a document whose values have other types than its shape.

    Raises:
        AwsError: In the words of AWS's parser (`SerializationException`).
    """
    if shape is not None and (wrong := _mistyped(shape, document)):
        raise AwsError("SerializationException", wrong)


def check_numbers(shape: Shape | None, value: Any) -> None:
    """Refuse whole numbers that do not fit their type in what was read from a form.

    Raises:
        AwsError: In the words of AWS's parser (`MalformedInput`).
    """
    kind = shape.type_name if shape is not None else ""
    if shape is None or value is None:
        return
    if kind == "structure":
        for name, member in shape.members.items():
            check_numbers(member, value.get(name))
    elif kind in ("list", "map"):
        for each in value if kind == "list" else value.values():
            check_numbers(shape.member if kind == "list" else shape.value, each)
    elif kind in _NUMBERS and not _is_whole(kind, value):
        raise AwsError("MalformedInput", f"{value} can not be converted to {_NAMES[kind]}")


def check(model: OperationModel, params: dict[str, Any]) -> None:
    """Refuse parameters that do not satisfy the model of their operation.

    Raises:
        AwsError: In the words of the service.
    """
    if model.input_shape is None:
        return
    found = list(_violations(model.input_shape, params, ""))
    if found:
        service = model.service_model
        form = service.protocol in ("query", "ec2", "rest-xml")
        default = _validation_error if form else _validation_exception
        raise _REFUSALS.get(service.service_name, default)(model.name, found)


def _mistyped(shape: Shape, value: Any) -> str:
    """Return what is wrong with a value's type, empty if nothing is."""
    kind = shape.type_name
    if value is None or value is undefined:
        return ""
    if kind == "structure":
        if isinstance(value, dict):
            members = ((member, value.get(name)) for name, member in shape.members.items())
            return next(filter(None, (_mistyped(member, each) for member, each in members)), "")
        return "Unexpected list" if isinstance(value, list) else "Expected null"
    if kind == "list":
        if isinstance(value, list):
            return next(filter(None, (_mistyped(shape.member, each) for each in value)), "")
        return _START if isinstance(value, dict) else "Expected list or null"
    if kind == "map":
        if isinstance(value, dict):
            keys = (_mistyped(shape.key, key) for key in value)
            values = (_mistyped(shape.value, each) for each in value.values())
            return next(filter(None, (*keys, *values)), "")
        return "Expected map or null"
    if isinstance(value, dict | list):
        return _START
    fits = _FITTING.get(kind, _is_text)(kind, value)
    return "" if fits else f"{_token(value)} can not be converted to {_NAMES.get(kind, f'a {kind.title()}')}"


_START = "Start of structure or map found where not expected."


def _token(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE_VALUE" if value else "FALSE_VALUE"
    return "NUMBER_VALUE" if isinstance(value, int | float) else "STRING_VALUE"


def _is_text(_: str, value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(kind: str, value: Any) -> bool:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return whole and not isinstance(value, bool) and -(1 << _NUMBERS[kind]) <= value < 1 << _NUMBERS[kind]


def _is_number(_: str, value: Any) -> bool:
    return (isinstance(value, int | float) and not isinstance(value, bool)) or value in _NO_NUMBERS


def _is_boolean(_: str, value: Any) -> bool:
    return isinstance(value, bool)


def _is_moment(_: str, value: Any) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return isinstance(value, datetime) or bool(parse_timestamp(value))
    except (ValueError, TypeError, OverflowError, RuntimeError):
        return False


def _is_blob(_: str, value: Any) -> bool:
    return isinstance(value, str | bytes)


_FITTING = {
    "integer": _is_whole,
    "long": _is_whole,
    "float": _is_number,
    "double": _is_number,
    "boolean": _is_boolean,
    "timestamp": _is_moment,
    "blob": _is_blob,
}


def _violations(shape: Shape, value: Any, path: str) -> Iterator[Violation]:
    kind = shape.type_name
    yield from _broken(shape, value, path)
    if value is None:
        return
    if kind == "structure":
        for name, member in shape.members.items():
            here = f"{path}.{_small(name)}" if path else _small(name)
            if value.get(name) is not None:
                yield from _violations(member, value[name], here)
            elif name in shape.required_members:
                yield Violation(here, "null", "Member must not be null")
    elif kind == "list":
        yield from _elements(shape.member, value, path)
    elif kind == "map":
        for key, each in value.items():
            yield from _violations(shape.key, key, f"{path}.key")
            yield from _violations(shape.value, each, f"{path}.{key}.member")


def _elements(member: Shape, values: list[Any], path: str) -> Iterator[Violation]:
    """Yield what is wrong with a list's elements; plain ones share one sentence."""
    if member.type_name in ("structure", "list", "map"):
        for number, each in enumerate(values, 1):
            yield from _violations(member, each, f"{path}.{number}.member")
        return
    broken = [each for value in values for each in _broken(member, value, path)]
    if broken:
        constraints = ", ".join(dict.fromkeys(each.constraint for each in broken))
        shown = f"'[{', '.join(map(str, values))}]'"
        yield Violation(path, shown, f"Member must satisfy constraint: [{constraints}]", broken[0].choices)


def _broken(shape: Shape, value: Any, path: str) -> Iterator[Violation]:
    """Yield the constraints that a value itself does not satisfy, without what it contains."""
    if value is None:
        yield Violation(path, "null", "Member must not be null")
        return
    shown = f"'{_shown(value)}'"
    choices = tuple(getattr(shape, "enum", None) or ())
    if choices and value not in choices:
        words = f"Member must satisfy enum value set: [{', '.join(choices)}]"
        yield Violation(path, shown, words, choices)
    size, what = (len(value), "length") if shape.type_name in _LENGTHS else (value, "value")
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is not None and size > most:
        yield Violation(path, shown, f"Member must have {what} less than or equal to {most}")
    if least is not None and not size >= least:
        yield Violation(path, shown, f"Member must have {what} greater than or equal to {least}")
    pattern = shape.metadata.get("pattern")
    if pattern and isinstance(value, str) and not _matches(pattern, value):
        yield Violation(path, shown, f"Member must satisfy regular expression pattern: {pattern}")


def _matches(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Return a model's pattern; None if it uses what Python's lack (classes of Unicode)."""
    try:
        return re.compile(pattern.replace(*_SURROGATES))
    except re.error:
        return None


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(_shown, value))}]" if isinstance(value, list) else str(value)


def _small(name: str) -> str:
    """Return a member's name as AWS writes it in paths: `VpcId` is `vpcId`."""
    return name[:1].lower() + name[1:]


def _detected(found: list[Violation]) -> str:
    what = "1 validation error detected" if len(found) == 1 else f"{len(found)} validation errors detected"
    each = (
        f"Value {one.shown} at '{one.path}' failed to satisfy constraint: {one.constraint}" for one in found
    )
    return f"{what}: {'; '.join(each)}"


def _validation_error(_: str, found: list[Violation]) -> AwsError:
    return AwsError("ValidationError", _detected(found))


def _validation_exception(_: str, found: list[Violation]) -> AwsError:
    return AwsError("ValidationException", _detected(found))


def _of_ecr(_: str, found: list[Violation]) -> AwsError:
    first = found[0]
    return invalid_parameter(
        f"Invalid parameter at '{first.path}' failed to satisfy constraint: '{first.constraint}'"
    )


def _of_ecs(operation: str, found: list[Violation]) -> AwsError:
    first = found[0]
    refuse = client_exception if operation == "RegisterTaskDefinition" else invalid_parameter
    name = first.path.rpartition(".")[2]
    if first.choices:
        words = re.sub("([A-Z])", lambda letter: f" {letter[1].lower()}", name)
        return refuse(f"{words} should be one of [{','.join(first.choices)}]")
    if first.shown == "null":
        return refuse(f"{name[:1].upper()}{name[1:]} should not be null or empty.")
    return refuse(_detected(found))


def _invalid_parameter(_: str, found: list[Violation]) -> AwsError:
    return invalid_parameter(_detected(found))


_REFUSALS = {
    "cloudwatch": _validation_error,
    "cognito-idp": _invalid_parameter,
    "ecr": _of_ecr,
    "ecs": _of_ecs,
    "logs": _invalid_parameter,
}
"""How services refuse that do not do it as the others of their protocol."""
