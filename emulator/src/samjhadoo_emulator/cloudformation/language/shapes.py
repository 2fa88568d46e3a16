"""What the arguments of CloudFormation's functions look like, and AWS's words for those that do not.

A function of a name in `SHAPES` takes a function's argument as written and returns its parts; the parts may
be functions themselves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE: Final = re.compile(r"\$\{([^${}]*)\}")
"""A variable in the text of `Fn::Sub`; one that begins with `!` is literal."""
_VARIABLE_NAME: Final = re.compile(r"\s*[A-Za-z0-9_.:]+\s*")
MAP_KEYS: Final = 3
"""How many keys `Fn::FindInMap` has: the map's name and two in it."""
_OPERANDS: Final = range(2, 11)
SUPPORTED: Final = (
    "Fn::Base64",
    "Fn::GetAtt",
    "Fn::GetAZs",
    "Fn::ImportValue",
    "Fn::Join",
    "Fn::Split",
    "Fn::FindInMap",
    "Fn::Select",
    "Ref",
    "Fn::Equals",
    "Fn::If",
    "Fn::Not",
    "Condition",
    "Fn::And",
    "Fn::Or",
    "Fn::Contains",
    "Fn::EachMemberEquals",
    "Fn::EachMemberIn",
    "Fn::ValueOf",
    "Fn::ValueOfAll",
    "Fn::RefAll",
    "Fn::Sub",
    "Fn::Cidr",
)
"""The functions that CloudFormation lists when it refuses another, in its order."""


def function_of(value: Any) -> tuple[str, Any]:
    """Return the function that a value is, and its argument; ("", value) for one that is none."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, argument),) = value.items()
        if name in SHAPES or name.startswith("Fn::"):
            return name, argument
    return "", value


def unsupported(name: str) -> NoReturn:
    """Refuse a function that CloudFormation does not have, or not here."""
    raise validation_error(
        f"Template error: Encountered unsupported function: {name} "
        f"Supported functions are: [{', '.join(SUPPORTED)}]"
    )


def listed(argument: Any, *counts: int) -> list[Any] | None:
    """Return an argument that is a list of one of these lengths."""
    return argument if isinstance(argument, list) and len(argument) in counts else None


def ref(argument: Any) -> str:
    """Return the name that `Ref` refers to."""
    if not isinstance(argument, str) or not argument:
        raise validation_error("Template error: every Ref object must have a single String value.")
    return argument


def get_att(argument: Any) -> tuple[str, Any]:
    """Return the resource and the attribute of `Fn::GetAtt`; the attribute may be a function."""
    written = argument.split(".", 1) if isinstance(argument, str) else argument
    parts = listed(written, 2)
    if not parts or not all(parts) or not isinstance(parts[0], str):
        raise validation_error(
            "Template error: every Fn::GetAtt object requires two non-empty parameters, "
            "the resource name and the resource attribute"
        )
    return parts[0], parts[1]


def sub(argument: Any) -> tuple[str, dict[str, Any]]:
    """Return the text and the own variables of `Fn::Sub`."""
    text, variables = listed(argument, 2) or (argument, {})
    if not isinstance(text, str) or not isinstance(variables, dict):
        raise validation_error(
            "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. "
            "Specify a string as first argument, and an optional second argument to specify a mapping of "
            "values to replace in the string"
        )
    for name in VARIABLE.findall(text):
        if not name.startswith("!") and not _VARIABLE_NAME.fullmatch(name):
            raise validation_error(
                "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, "
                "underscores, periods, and colons"
            )
    return text, variables


def join(argument: Any) -> list[Any]:
    """Return the delimiter and the list of `Fn::Join`."""
    parts = listed(argument, 2)
    if not parts or isinstance(parts[1], str):
        misused_join()
    return parts


def misused_join() -> NoReturn:
    """Refuse the arguments of `Fn::Join`."""
    raise validation_error(
        "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and "
        "(2) a list of strings to be joined or a function that returns a list of strings "
        "(such as Fn::GetAZs) to be joined."
    )


def split(argument: Any) -> list[Any]:
    """Return the delimiter and the text of `Fn::Split`."""
    return listed(argument, 2) or misused_split()


def misused_split() -> NoReturn:
    """Refuse the arguments of `Fn::Split`."""
    raise validation_error(
        "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and "
        "(2) a string to be split or a function that returns a string to be split."
    )


def select(argument: Any) -> list[Any]:
    """Return the index and the list of `Fn::Select`."""
    return listed(argument, 2) or misused_select()


def misused_select() -> NoReturn:
    """Refuse the arguments of `Fn::Select`."""
    raise validation_error(
        "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"
    )


def find_in_map(argument: Any) -> list[Any]:
    """Return map, two keys, and perhaps the default of `Fn::FindInMap`."""
    parts = listed(argument, MAP_KEYS, MAP_KEYS + 1)
    if not parts or (parts[MAP_KEYS:] and not _is_default(parts[MAP_KEYS])):
        misused_find_in_map()
    return parts


def _is_default(part: Any) -> bool:
    return isinstance(part, dict) and set(part) == {"DefaultValue"}


def misused_find_in_map() -> NoReturn:
    """Refuse the arguments of `Fn::FindInMap`."""
    raise validation_error(
        "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and "
        "the attribute for return value"
    )


def if_(argument: Any) -> list[Any]:
    """Return the condition and the two values of `Fn::If`."""
    if not isinstance(argument, list) or not argument or not isinstance(argument[0], str):
        raise validation_error(
            "Template error: Fn::If requires a list argument with the first element being a condition"
        )
    parts = listed(argument, 3)
    if parts is None:
        raise validation_error("Template error: Fn::If requires a list argument with three elements")
    return parts


def equals(argument: Any) -> list[Any]:
    """Return the operands of `Fn::Equals`."""
    parts = listed(argument, 2)
    if parts is None:
        raise validation_error(
            "Template error: every Fn::Equals object requires a list of 2 string parameters."
        )
    return parts


def not_(argument: Any) -> list[Any]:
    """Return the operand of `Fn::Not`, in a list."""
    parts = listed(argument, 1)
    if parts is None:
        raise validation_error("Template error: Fn::Not requires a list argument with one element")
    return parts


def _operands(name: str) -> Callable[[Any], list[Any]]:
    def operands(argument: Any) -> list[Any]:
        parts = listed(argument, *_OPERANDS)
        if parts is None:
            raise validation_error(
                f"Template error: every {name} object requires a list of at least 2 and at most 10 "
                "boolean parameters."
            )
        return parts

    return operands


def condition(argument: Any) -> str:
    """Return the name in `Condition`."""
    if not isinstance(argument, str):
        raise validation_error("Template error: All Conditions must be of type string")
    return argument


def cidr(argument: Any) -> Any:
    """Return block, count and perhaps host bits of `Fn::Cidr`; a function may give all of them."""
    if isinstance(argument, dict):
        return argument
    return listed(argument, 2, 3) or misused_cidr()


def misused_cidr() -> NoReturn:
    """Refuse the arguments of `Fn::Cidr`."""
    raise validation_error(
        "Template error: every Fn::Cidr object requires two or three parameters, (1) an IP address block, "
        "(2) a count between 1 and 256 and (3) the number of subnet bits"
    )


def transform(argument: Any) -> NoReturn:
    """Refuse `Fn::Transform`: there are no macros here."""
    name = argument.get("Name") if isinstance(argument, dict) else argument
    if not isinstance(name, str):
        raise validation_error("Key Name of transform definition must be a string.")
    raise validation_error(f"No transform named {name} found.")


def anything(argument: Any) -> Any:
    """Return the argument of a function that can be any value or function."""
    return argument


SHAPES: Final[dict[str, Callable[[Any], Any]]] = {
    "Condition": condition,
    "Fn::And": _operands("Fn::And"),
    "Fn::Base64": anything,
    "Fn::Cidr": cidr,
    "Fn::Equals": equals,
    "Fn::FindInMap": find_in_map,
    "Fn::GetAZs": anything,
    "Fn::GetAtt": get_att,
    "Fn::GetStackOutput": anything,
    "Fn::If": if_,
    "Fn::ImportValue": anything,
    "Fn::Join": join,
    "Fn::Length": anything,
    "Fn::Not": not_,
    "Fn::Or": _operands("Fn::Or"),
    "Fn::Select": select,
    "Fn::Split": split,
    "Fn::Sub": sub,
    "Fn::ToJsonString": anything,
    "Fn::Transform": transform,
    "Ref": ref,
}
