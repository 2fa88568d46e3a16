"""CloudFormation's intrinsic functions: a template's values, evaluated. No I/O.

Dynamic references (`{{resolve:…}}`) stay text here. Error texts are AWS's.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

from samjhadoo_emulator.cloudformation import cidr
from samjhadoo_emulator.cloudformation.context import NO_VALUE, UNKNOWN, Context
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_VARIABLE: Final = re.compile(r"\$\{([^${}]*)\}")
_VARIABLE_NAME: Final = re.compile(r"\s*[A-Za-z0-9_.:]+\s*")
_STACK_OUTPUT: Final = ("StackName", "OutputName")
_MAP_KEYS: Final = 3


def evaluate(value: Any, context: Context) -> Any:
    """Return a value with its functions evaluated.

    Members that are `AWS::NoValue` are left out; if the value itself is, the result is None.

    Raises:
        AwsError: A function is misused, or refers to what does not exist.
    """
    found = evaluate_part(value, context)
    return None if found is NO_VALUE else found


def evaluate_part(value: Any, context: Context) -> Any:
    """Return what `evaluate` does, but `NO_VALUE` for `AWS::NoValue`."""
    if isinstance(value, dict):
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name in FUNCTIONS:
                return FUNCTIONS[name](argument, context)
            if name.startswith("Fn::"):
                unsupported(name)
        return {
            name: found
            for name, member in value.items()
            if (found := evaluate_part(member, context)) is not NO_VALUE
        }
    if isinstance(value, list):
        return [found for member in value if (found := evaluate_part(member, context)) is not NO_VALUE]
    return value


def unsupported(name: str) -> NoReturn:
    """Refuse a function that CloudFormation does not have, or not here."""
    raise validation_error(
        f"Template error: Encountered unsupported function: {name} "
        f"Supported functions are: [{', '.join(SUPPORTED)}]"
    )


def arguments(given: Any, count: int) -> list[Any] | None:
    """Return a function's arguments if they are a list of this length."""
    return given if isinstance(given, list) and len(given) == count else None


def as_text(value: Any) -> str | None:
    """Return a scalar as the text that CloudFormation makes of it; None for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _ref(name: Any, context: Context) -> Any:
    if not isinstance(name, str) or not name:
        raise validation_error("Template error: every Ref object must have a single String value.")
    if name == "AWS::NoValue":
        return NO_VALUE
    for values in (context.pseudo, context.parameters):
        if name in values:
            return values[name]
    if name in context.resources:
        return context.resources[name].id
    return _unknown(context, name)


def _unknown(context: Context, name: str) -> Any:
    if context.unknown_resources:
        return UNKNOWN
    raise validation_error(
        f"Template format error: Unresolved resource dependencies [{name}] "
        "in the Resources block of the template"
    )


def _get_att(argument: Any, context: Context) -> Any:
    parts = argument.split(".", 1) if isinstance(argument, str) else argument
    if not arguments(parts, 2) or not isinstance(parts[0], str) or not all(parts):
        raise validation_error(
            "Template error: every Fn::GetAtt object requires two non-empty parameters, "
            "the resource name and the resource attribute"
        )
    name, attribute = parts[0], evaluate(parts[1], context)
    resource = context.resources.get(name)
    if resource is None:
        return _unknown(context, name)
    if attribute in resource.attributes:
        return resource.attributes[attribute]
    if context.unknown_resources:
        return UNKNOWN
    raise validation_error(
        f"Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt"
    )


def _sub(argument: Any, context: Context) -> Any:
    text, variables = arguments(argument, 2) or (argument, {})
    if not isinstance(text, str) or not isinstance(variables, dict):
        raise validation_error(
            "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. "
            "Specify a string as first argument, and an optional second argument to specify a mapping of "
            "values to replace in the string"
        )
    parts: list[Any] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        parts += [text[end : match.start()], _variable(match[1], variables, context)]
        end = match.end()
    return _joined([*parts, text[end:]])


def _variable(name: str, variables: dict[str, Any], context: Context) -> Any:
    if name.startswith("!"):
        return f"${{{name[1:]}}}"
    if not _VARIABLE_NAME.fullmatch(name):
        raise validation_error(
            "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, "
            "underscores, periods, and colons"
        )
    name = name.strip()
    if name in variables:
        value = evaluate_part(variables[name], context)
    elif "." in name:
        value = _get_att(name, context)
    else:
        value = _ref(name, context)
    text = value if value is UNKNOWN else as_text(value)
    if text is None:
        raise validation_error(
            f"Template error: variable {name} in Fn::Sub expression does not resolve to a string"
        )
    return text


def _joined(parts: Iterable[Any], delimiter: str = "") -> Any:
    parts = list(parts)
    return UNKNOWN if UNKNOWN in parts else delimiter.join(parts)


def _join(argument: Any, context: Context) -> Any:
    found = evaluate_part(argument, context)
    if found is UNKNOWN or (arguments(found, 2) and UNKNOWN in found):
        return UNKNOWN
    if not arguments(found, 2) or not isinstance(found[1], list):
        _misused_join()
    delimiter = as_text(found[0])
    parts = [part if part is UNKNOWN else as_text(part) for part in found[1]]
    if delimiter is None or None in parts:
        _misused_join()
    return _joined(parts, delimiter)


def _misused_join() -> NoReturn:
    raise validation_error(
        "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and "
        "(2) a list of strings to be joined or a function that returns a list of strings "
        "(such as Fn::GetAZs) to be joined."
    )


def _split(argument: Any, context: Context) -> Any:
    found = evaluate_part(argument, context)
    parts = arguments(found, 2) or [None, None]
    if UNKNOWN in parts:
        return UNKNOWN
    delimiter, text = map(as_text, parts)
    if not delimiter or text is None:
        raise validation_error(
            "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and "
            "(2) a string to be split or a function that returns a string to be split."
        )
    return text.split(delimiter)


def _select(argument: Any, context: Context) -> Any:
    parts = arguments(argument, 2) or [None, None]
    index, choices = (evaluate_part(part, context) for part in parts)
    if UNKNOWN in (index, choices):
        return UNKNOWN
    index = as_text(index)
    if index is None or not isinstance(choices, list):
        raise validation_error(
            "Template error: Fn::Select requires a list argument with two elements: "
            "an integer index and a list"
        )
    if not re.fullmatch(r"[0-9]{1,9}", index) or int(index) >= len(choices):
        raise validation_error(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
    return choices[int(index)]


def _find_in_map(argument: Any, context: Context) -> Any:
    extended = arguments(argument, _MAP_KEYS + 1) if context.extensions else None
    if extended is None and arguments(argument, _MAP_KEYS) is None:
        raise validation_error(
            "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and "
            "the attribute for return value"
        )
    keys = [as_text(evaluate(part, context)) for part in argument[:_MAP_KEYS]]
    found: Any = context.mappings
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    if found is not None:
        return found
    if extended and isinstance(extended[-1], dict) and "DefaultValue" in extended[-1]:
        return evaluate_part(extended[-1]["DefaultValue"], context)
    if keys[0] not in context.mappings:
        raise validation_error(
            f"Template error: Mapping named '{keys[0]}' is not present in the 'Mappings' section of template."
        )
    raise validation_error(f"Template error: Unable to get mapping for {'::'.join(map(str, keys))}")


def _base64(argument: Any, context: Context) -> Any:
    found = evaluate_part(argument, context)
    if found is UNKNOWN:
        return UNKNOWN
    text = as_text(found)
    if text is None:
        raise validation_error("Template error: every Fn::Base64 object must have a String-typed value.")
    return base64.b64encode(text.encode()).decode()


def _cidr(argument: Any, context: Context) -> Any:
    found = evaluate_part(argument, context)
    parts = found if isinstance(found, list) else []
    if UNKNOWN in parts:
        return UNKNOWN
    return cidr.blocks([as_text(part) for part in parts])


def _get_azs(argument: Any, context: Context) -> Any:
    region = evaluate_part(argument, context)
    if not isinstance(region, str):
        raise validation_error("Template error: Fn::GetAZs requires a string argument")
    return list(context.zones.get(region or context.region, []))


def _import_value(argument: Any, context: Context) -> Any:
    name = evaluate_part(argument, context)
    if name is UNKNOWN:
        return UNKNOWN
    if name in context.exports:
        return context.exports[name]
    if context.unknown_resources:
        return UNKNOWN
    raise validation_error(f"No export named {name} found.")


def _get_stack_output(argument: Any, context: Context) -> Any:
    found = evaluate_part(argument, context)
    given = found if isinstance(found, dict) else {}
    if UNKNOWN in given.values():
        return UNKNOWN
    if not all(isinstance(given.get(name), str) for name in _STACK_OUTPUT):
        raise validation_error(
            "Template error: every Fn::GetStackOutput object requires StackName and OutputName."
        )
    stack, output = given["StackName"], given["OutputName"]
    key = (given.get("Region") or context.region, stack, output)
    if key in context.outputs:
        return context.outputs[key]
    if context.unknown_resources:
        return UNKNOWN
    raise validation_error(f"Output {output} of stack {stack} does not exist.")


def _if(argument: Any, context: Context) -> Any:
    chosen = arguments(argument, 3)
    if chosen is None:
        raise validation_error("Template error: Fn::If requires a list argument with three elements")
    name, then, otherwise = chosen
    if not isinstance(name, str) or name not in context.conditions:
        raise validation_error(
            f"Template error: unresolved condition dependency {name} in the Resources block of the template"
        )
    return evaluate_part(then if context.conditions[name] else otherwise, context)


def _length(argument: Any, context: Context) -> Any:
    if not context.extensions:
        unsupported("Fn::Length")
    found = evaluate_part(argument, context)
    if found is UNKNOWN:
        return UNKNOWN
    if not isinstance(found, list):
        raise validation_error("Transform AWS::LanguageExtensions failed with: Fn::Length needs a list.")
    return len(found)


def _to_json_string(argument: Any, context: Context) -> Any:
    if not context.extensions:
        unsupported("Fn::ToJsonString")
    found = evaluate_part(argument, context)
    return UNKNOWN if is_unknown(found) else json.dumps(found, separators=(",", ":"))


def is_unknown(value: Any) -> bool:
    """Return whether an evaluated value is, or contains, what is not known yet."""
    if isinstance(value, dict):
        return any(map(is_unknown, value.values()))
    if isinstance(value, list):
        return any(map(is_unknown, value))
    return value is UNKNOWN


FUNCTIONS: Final[dict[str, Callable[[Any, Context], Any]]] = {
    "Ref": _ref,
    "Fn::Base64": _base64,
    "Fn::Cidr": _cidr,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAZs": _get_azs,
    "Fn::GetAtt": _get_att,
    "Fn::GetStackOutput": _get_stack_output,
    "Fn::If": _if,
    "Fn::ImportValue": _import_value,
    "Fn::Join": _join,
    "Fn::Length": _length,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Sub": _sub,
    "Fn::ToJsonString": _to_json_string,
}
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
