"""CloudFormation's intrinsic functions: a template's values, evaluated. No I/O.

Dynamic references (`{{resolve:…}}`) stay text here. Error texts are AWS's.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.language import cidr, shapes
from samjhadoo_emulator.cloudformation.language.context import NO_VALUE, UNKNOWN, Context
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["NO_VALUE", "UNKNOWN", "Context", "as_text", "evaluate", "evaluate_part", "is_unknown"]


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
            if name in _FUNCTIONS:
                return _FUNCTIONS[name](argument, context)
            if name.startswith("Fn::"):
                shapes.unsupported(name)
        return {
            name: found
            for name, member in value.items()
            if (found := evaluate_part(member, context)) is not NO_VALUE
        }
    if isinstance(value, list):
        return [found for member in value if (found := evaluate_part(member, context)) is not NO_VALUE]
    return value


def as_text(value: Any) -> str | None:
    """Return a scalar as the text that CloudFormation makes of it; None for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def is_unknown(value: Any) -> bool:
    """Return whether an evaluated value is, or contains, what is not known yet."""
    if isinstance(value, dict):
        return any(map(is_unknown, value.values()))
    if isinstance(value, list):
        return any(map(is_unknown, value))
    return value is UNKNOWN


def _ref(argument: Any, context: Context) -> Any:
    name = shapes.ref(argument)
    if name == "AWS::NoValue":
        return NO_VALUE
    for values in (context.pseudo, context.parameters):
        if name in values:
            return values[name]
    if name in context.resources:
        return context.resources[name].id
    return _missing(context, name)


def _missing(context: Context, name: str) -> Any:
    if context.unknown_resources:
        return UNKNOWN
    raise validation_error(
        f"Template format error: Unresolved resource dependencies [{name}] "
        "in the Resources block of the template"
    )


def _get_att(argument: Any, context: Context) -> Any:
    name, attribute = shapes.get_att(argument)
    attribute = evaluate(attribute, context)
    resource = context.resources.get(name)
    if resource is None:
        return _missing(context, name)
    if isinstance(attribute, str) and attribute in resource.attributes:
        return resource.attributes[attribute]
    if context.unknown_resources:
        return UNKNOWN
    raise validation_error(
        f"Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt"
    )


def _sub(argument: Any, context: Context) -> Any:
    text, variables = shapes.sub(argument)
    parts: list[Any] = []
    end = 0
    for match in shapes.VARIABLE.finditer(text):
        parts += [text[end : match.start()], _variable(match[1], variables, context)]
        end = match.end()
    return _joined([*parts, text[end:]])


def _variable(name: str, variables: dict[str, Any], context: Context) -> Any:
    if name.startswith("!"):
        return f"${{{name[1:]}}}"
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
    delimiter, members = (evaluate_part(part, context) for part in shapes.join(argument))
    if UNKNOWN in (delimiter, members):
        return UNKNOWN
    text = as_text(delimiter)
    if text is None or not isinstance(members, list):
        shapes.misused_join()
    parts = [part if part is UNKNOWN else as_text(part) for part in members]
    if None in parts:
        shapes.misused_join()
    return _joined(parts, text)


def _split(argument: Any, context: Context) -> Any:
    parts = [evaluate_part(part, context) for part in shapes.split(argument)]
    if UNKNOWN in parts:
        return UNKNOWN
    delimiter, text = map(as_text, parts)
    if not delimiter or text is None:
        shapes.misused_split()
    return text.split(delimiter)


def _select(argument: Any, context: Context) -> Any:
    index, choices = (evaluate_part(part, context) for part in shapes.select(argument))
    if UNKNOWN in (index, choices):
        return UNKNOWN
    text = as_text(index)
    if text is None or not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise validation_error(
            "Template error: Fn::Select requires a list argument with a valid index value "
            "as its first element"
        )
    if not isinstance(choices, list):
        shapes.misused_select()
    if not 0 <= int(text) < len(choices):
        raise validation_error(f"Template error: Fn::Select cannot select nonexistent value at index {text}")
    return choices[int(text)]


def _find_in_map(argument: Any, context: Context) -> Any:
    parts = shapes.find_in_map(argument)
    default = parts[shapes.MAP_KEYS :]
    if default and not context.extensions:
        shapes.misused_find_in_map()
    evaluated = [evaluate_part(part, context) for part in parts[: shapes.MAP_KEYS]]
    if UNKNOWN in evaluated:
        return UNKNOWN
    keys = [as_text(part) for part in evaluated]
    if None in keys:
        shapes.misused_find_in_map()
    found: Any = context.mappings
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    if found is not None:
        return found
    if default:
        return evaluate_part(default[0]["DefaultValue"], context)
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
    found = evaluate_part(shapes.cidr(argument), context)
    parts = shapes.listed(found, 2, 3) or [None]
    if UNKNOWN in parts or found is UNKNOWN:
        return UNKNOWN
    return cidr.blocks([as_text(part) or shapes.misused_cidr() for part in parts])


def _get_azs(argument: Any, context: Context) -> Any:
    region = evaluate_part(argument, context)
    if region is UNKNOWN:
        return UNKNOWN
    if not isinstance(region, str):
        raise validation_error("Template error: every Fn::GetAZs object must have a String-typed value.")
    zones = context.zones.get(region or context.region)
    if zones is None and context.unknown_resources:
        return UNKNOWN  # nobody has asked EC2 yet
    return list(zones or [])


def _import_value(argument: Any, context: Context) -> Any:
    name = evaluate_part(argument, context)
    if name is UNKNOWN:
        return UNKNOWN
    if not isinstance(name, str):
        raise validation_error("Template error: the attribute in Fn::ImportValue must be a string")
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
    stack, output = as_text(given.get("StackName")), as_text(given.get("OutputName"))
    region = as_text(given.get("Region", context.region))
    if not region or not stack or not output:
        raise validation_error(
            "Template error: every Fn::GetStackOutput object requires StackName and OutputName."
        )
    if (region, stack, output) in context.outputs:
        return context.outputs[region, stack, output]
    if context.unknown_resources:
        return UNKNOWN
    raise validation_error(f"Output {output} of stack {stack} does not exist in {region}.")


def _if(argument: Any, context: Context) -> Any:
    name, then, otherwise = shapes.if_(argument)
    if name not in context.conditions:
        raise validation_error(f"Template error: unresolved condition dependency {name} in Fn::If")
    return evaluate_part(then if context.conditions[name] else otherwise, context)


def _length(argument: Any, context: Context) -> Any:
    if not context.extensions:
        shapes.unsupported("Fn::Length")
    found = evaluate_part(argument, context)
    if found is UNKNOWN:
        return UNKNOWN
    if not isinstance(found, list):
        raise validation_error(
            "Transform AWS::LanguageExtensions failed with: Fn::Length layout is incorrect"
        )
    return len(found)


def _to_json_string(argument: Any, context: Context) -> Any:
    if not context.extensions:
        shapes.unsupported("Fn::ToJsonString")
    found = evaluate_part(argument, context)
    if not isinstance(found, dict | list) and found is not UNKNOWN:
        raise validation_error(
            "Transform AWS::LanguageExtensions failed with: Fn::ToJsonString layout is incorrect"
        )
    return UNKNOWN if is_unknown(found) else json.dumps(found, separators=(",", ":"))


def _transform(argument: Any, _context: Context) -> Any:
    return shapes.transform(argument)


_FUNCTIONS: Final[dict[str, Callable[[Any, Context], Any]]] = {
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
    "Fn::Transform": _transform,
}
