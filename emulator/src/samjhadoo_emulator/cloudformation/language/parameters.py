"""A template's parameters: which values they get, and which are refused. No I/O.

Error texts are AWS's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.language import parameter_types, patterns
from samjhadoo_emulator.cloudformation.language.sections import LONGEST_VALUE
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from samjhadoo_emulator.cloudformation.language.template import Template

HIDDEN: Final = "****"
"""What answers show instead of a value that is not to be echoed."""


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

    @property
    def shown(self) -> str:
        """What answers show as the given value."""
        return HIDDEN if self.no_echo else self.text


def given(
    parameters: Iterable[Mapping[str, Any]], previous: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the texts that a request gives its parameters.

    Args:
        parameters: The request's member `Parameters`: ParameterKey with ParameterValue or UsePreviousValue.
        previous: The texts (`Parameter.text`) that the stack has; None before its creation.

    Raises:
        AwsError: A parameter shall keep its value but has none, or is given twice.
    """
    texts: dict[str, str] = {}
    for each in parameters:
        name = each["ParameterKey"]
        if name in texts:
            raise validation_error(f"Duplicate parameter keys: [{name}]")
        if not each.get("UsePreviousValue"):
            texts[name] = each.get("ParameterValue", "")
        elif previous is None:
            raise validation_error(
                f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a "
                "parameter key not in the previous template"
            )
        elif "ParameterValue" in each:
            raise validation_error(
                f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true and a value"
            )
        elif name in previous:
            texts[name] = previous[name]
        else:
            raise validation_error(
                f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a "
                "parameter key not in the previous template"
            )
    return texts


def ssm_names(template: Template, chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the SSM parameters to read, by the names of the template's parameters that refer to them."""
    texts = _texts(template, chosen)
    return {
        name: texts[name]
        for name, declared in template.parameters.items()
        if parameter_types.is_ssm(declared["Type"]) and name in texts
    }


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
        name: _parameter(name, declared, texts[name], (ssm or {}).get(name, ""))
        for name, declared in template.parameters.items()
    }


def _texts(template: Template, chosen: Mapping[str, str]) -> dict[str, str]:
    defaults = {
        name: plain(declared["Default"])
        for name, declared in template.parameters.items()
        if "Default" in declared
    }
    return {**defaults, **{name: text for name, text in chosen.items() if name in template.parameters}}


def plain(value: Any) -> str:
    """Return a scalar of a declaration as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _parameter(name: str, declared: Mapping[str, Any], text: str, resolved: str) -> Parameter:
    kind = declared["Type"]
    if len(text.encode()) > LONGEST_VALUE:
        raise validation_error(f"Parameter '{name}' value '[****]' length is greater than {LONGEST_VALUE}.")
    of_ssm = parameter_types.is_ssm(kind)
    many = parameter_types.is_list(kind)
    # What a declaration allows is about the name of an SSM parameter, not about its value.
    for element in _elements(text) if many and not of_ssm else [text]:
        for problem in _problems(declared, element):
            _refuse(name, declared, problem)
    value = resolved if of_ssm else text
    return Parameter(
        value=_elements(value) if many else value,
        text=text,
        no_echo=plain(declared.get("NoEcho", "")).lower() == "true",
        resolved=",".join(_elements(resolved)) if of_ssm and many else resolved,
    )


def _elements(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _refuse(name: str, declared: Mapping[str, Any], problem: str) -> None:
    described = declared.get("ConstraintDescription")
    if described:
        raise validation_error(f"Parameter {name} failed to satisfy constraint: {described}")
    raise validation_error(f"Parameter '{name}' {problem}")


def _problems(declared: Mapping[str, Any], text: str) -> Iterator[str]:
    allowed = [plain(each) for each in declared.get("AllowedValues", ())]
    if allowed and text not in allowed:
        yield "must be one of AllowedValues"
    if parameter_types.element_type(declared["Type"]) == "Number":
        yield from _number_problems(declared, text)
        return
    if "MinLength" in declared and len(text) < _number(declared["MinLength"], 0):
        yield f"must contain at least {declared['MinLength']} characters"
    if "MaxLength" in declared and len(text) > _number(declared["MaxLength"], len(text)):
        yield f"must contain at most {declared['MaxLength']} characters"
    pattern = declared.get("AllowedPattern")
    if isinstance(pattern, str) and not patterns.matches(pattern, text, whole=True):
        yield f"must match pattern {pattern}"


def _number_problems(declared: Mapping[str, Any], text: str) -> Iterator[str]:
    if not patterns.NUMBER.fullmatch(text):
        yield "must be a number"
        return
    number = float(text)
    if "MinValue" in declared and number < _number(declared["MinValue"], number):
        yield f"must be a number not less than {declared['MinValue']}"
    if "MaxValue" in declared and number > _number(declared["MaxValue"], number):
        yield f"must be a number not greater than {declared['MaxValue']}"


def _number(limit: Any, otherwise: float) -> float:
    try:
        return float(limit)
    except (TypeError, ValueError):
        return otherwise
