"""A template's parameters: which values they get, and which are refused. No I/O.

Error texts are AWS's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from samjhadoo_emulator.cloudformation.template import Template

_SSM: Final = "AWS::SSM::Parameter::Value<"


@dataclass(frozen=True)
class Parameter:
    """A parameter of a stack.

    Attributes:
        value: What `Ref` returns: text, or a list of texts for the list types.
        text: What was given, as DescribeStacks shows it (unless `no_echo`).
        no_echo: Whether answers show `****` instead.
        resolved: The value behind the name of an SSM parameter, as text; empty for other types.
    """

    value: Any
    text: str
    no_echo: bool = False
    resolved: str = ""


def ssm_names(template: Template, chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the SSM parameters to read, by the names of the template's parameters that refer to them."""
    texts = _texts(template, chosen)
    return {
        name: texts[name]
        for name, declared in template.parameters.items()
        if declared["Type"].startswith(_SSM) and name in texts
    }


def given(
    parameters: Iterable[Mapping[str, Any]], previous: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the texts that a request gives its parameters.

    Args:
        parameters: The request's member `Parameters`: ParameterKey with ParameterValue or UsePreviousValue.
        previous: The texts (`Parameter.text`) that the stack has; None before its creation.

    Raises:
        AwsError: A parameter shall keep its value but has none.
    """
    texts = {}
    for each in parameters:
        name = each["ParameterKey"]
        if not each.get("UsePreviousValue"):
            texts[name] = each.get("ParameterValue", "")
        elif name in (previous or {}):
            texts[name] = (previous or {})[name]
        else:
            raise validation_error(f"Parameters: [{name}] must have values")
    return texts


def resolve(
    template: Template, chosen: Mapping[str, str], *, ssm: Mapping[str, str] | None = None
) -> dict[str, Parameter]:
    """Return the parameters of a stack.

    Args:
        chosen: The texts that the caller gives (the function `given` reads a request).
        ssm: The values of the SSM parameters of `ssm_names`, by the template's parameter.

    Raises:
        AwsError: Values are missing, of the wrong form, or of parameters that the template does not have.
    """
    unknown = [name for name in chosen if name not in template.parameters]
    if unknown:
        raise validation_error(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    texts = _texts(template, chosen)
    missing = [name for name in template.parameters if name not in texts]
    if missing:
        raise validation_error(f"Parameters: [{', '.join(missing)}] must have values")
    return {
        name: _parameter(declared, texts[name], (ssm or {}).get(name, ""))
        for name, declared in template.parameters.items()
    }


def _texts(template: Template, chosen: Mapping[str, str]) -> dict[str, str]:
    defaults = {
        name: str(declared["Default"])
        for name, declared in template.parameters.items()
        if "Default" in declared
    }
    return {**defaults, **{name: chosen[name] for name in chosen if name in template.parameters}}


def _parameter(declared: Mapping[str, Any], text: str, resolved: str) -> Parameter:
    type_name = declared["Type"]
    inner = type_name.removeprefix(_SSM).removesuffix(">") if type_name.startswith(_SSM) else type_name
    shown = resolved if type_name.startswith(_SSM) else text
    many = inner == "CommaDelimitedList" or inner.startswith("List<")
    return Parameter(
        value=[part.strip() for part in shown.split(",")] if many else shown,
        text=text,
        no_echo=str(declared.get("NoEcho", "")).lower() == "true",
        resolved=resolved,
    )
