"""The section Rules: assertions about a stack's parameters. No I/O.

Facts: "Rules section" and "Rule-specific intrinsic functions" in CloudFormation's user guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.language import parameter_types, shapes
from samjhadoo_emulator.cloudformation.language.functions import as_text, evaluate
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_emulator.cloudformation.language.context import Context
    from samjhadoo_emulator.cloudformation.language.template import Template


def check_rules(
    template: Template, context: Context, attributes: Mapping[str, Mapping[str, str]] | None = None
) -> None:
    """Check the rules of a template with a stack's parameters.

    Args:
        context: Its parameters, pseudo parameters and mappings are used.
        attributes: What `Fn::ValueOf` reads: attributes of what exists in the account, by its id
            (`{"vpc-1": {"DefaultSecurityGroup": "sg-1"}}`).

    Raises:
        AwsError: An assertion does not hold, or a rule is malformed.
    """
    rules = _Rules(template, context, attributes or {})
    for name, rule in template.rules.items():
        if "RuleCondition" in rule and not rules.holds(rule["RuleCondition"]):
            continue
        for assertion in rule["Assertions"]:
            given = assertion if isinstance(assertion, dict) else {}
            if not rules.holds(given.get("Assert")):
                described = given.get("AssertDescription", "an assertion does not hold")
                raise validation_error(f"Template error: Rule {name} failed: {described}")


class _Rules:
    def __init__(
        self, template: Template, context: Context, attributes: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._template = template
        self._context = context
        self._attributes = attributes

    def holds(self, expression: Any) -> bool:
        """Return whether a rule's condition or assertion holds."""
        name, argument = shapes.function_of(expression)
        if name in {"Fn::And", "Fn::Or", "Fn::Not"}:
            operands = [self.holds(each) for each in shapes.SHAPES[name](argument)]
            return not operands[0] if name == "Fn::Not" else (all if name == "Fn::And" else any)(operands)
        if name not in _COMPARISONS:
            raise validation_error(
                "Template format error: Every rule assertion must be a function that returns true or false."
            )
        first, second = (self._value(each) for each in _operands(name, argument))
        return _COMPARISONS[name](first, second)

    def _value(self, operand: Any) -> list[str]:
        """Return an operand's texts: one for a scalar, and those of lists of lists in one list."""
        name, argument = shapes.function_of(operand)
        if name == "Fn::RefAll":
            return self._of_type(argument)
        if name in {"Fn::ValueOf", "Fn::ValueOfAll"}:
            of_all = name == "Fn::ValueOfAll"
            source, attribute = shapes.listed(argument, 2) or _misused(name)
            ids = self._of_type(source) if of_all else _texts(self._context.parameters.get(source, []))
            return [self._attribute(each, attribute) for each in ids]
        if isinstance(operand, list):
            return [text for each in operand for text in self._value(each)]
        return _texts(evaluate(operand, self._context))

    def _of_type(self, kind: Any) -> list[str]:
        return [
            text
            for name, declared in self._template.parameters.items()
            if parameter_types.element_type(declared["Type"]) == kind
            for text in _texts(self._context.parameters.get(name, []))
        ]

    def _attribute(self, each: str, attribute: Any) -> str:
        found = self._attributes.get(each, {}).get(str(attribute))
        if found is None:
            raise validation_error(f"Template error: attribute {attribute} of {each} does not exist")
        return found


def _operands(name: str, argument: Any) -> list[Any]:
    return shapes.equals(argument) if name == "Fn::Equals" else shapes.listed(argument, 2) or _misused(name)


def _misused(name: str) -> list[Any]:
    raise validation_error(f"Template error: every {name} object requires two parameters.")


def _texts(value: Any) -> list[str]:
    return [as_text(each) or "" for each in (value if isinstance(value, list) else [value])]


_COMPARISONS: Final[dict[str, Callable[[list[str], list[str]], bool]]] = {
    "Fn::Contains": lambda strings, wanted: all(each in strings for each in wanted),
    "Fn::EachMemberEquals": lambda strings, wanted: all([each] == wanted for each in strings),
    "Fn::EachMemberIn": lambda strings, wanted: all(each in wanted for each in strings),
    "Fn::Equals": lambda first, second: first == second,
}
