"""Conditions: which hold, and how they depend on each other."""

from __future__ import annotations

import pytest

from samjhadoo_emulator.cloudformation.language.conditions import evaluate_conditions, with_conditions
from samjhadoo_emulator.cloudformation.language.context import Context
from samjhadoo_emulator.cloudformation.language.template_text import load
from samjhadoo_emulator.errors import AwsError

CONTEXT = Context(
    parameters={"Env": "prod", "Count": "1", "Zones": ["a"]}, pseudo={"AWS::Region": "eu-west-1"}
)


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("!Equals [!Ref Env, prod]", True),
        ("!Equals [!Ref Env, dev]", False),
        ("!Equals [!Ref Count, 1]", True),
        ("!Equals ['true', true]", True),
        ("!Equals [!Ref Zones, [a]]", True),
        ("!Equals [!Join ['', !Ref Zones], '']", False),
        ("!Not [!Equals [a, a]]", False),
        ("!And [!Equals [a, a], !Equals [a, b]]", False),
        ("!Or [!Equals [a, a], !Equals [a, b]]", True),
        ("!And [!Condition Prod, !Not [!Condition Dev]]", True),
    ],
)
def test_values(expression, holds):
    declared = load(f"{{Tested: {expression}, Dev: !Equals [!Ref Env, dev], Prod: !Not [!Condition Dev]}}")
    assert evaluate_conditions(declared, CONTEXT)["Tested"] is holds
    assert with_conditions(declared, CONTEXT).conditions == {"Tested": holds, "Dev": False, "Prod": True}


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "!And [!Equals [a, a]]",
            "Template error: every Fn::And object requires a list of at least 2 and at most 10",
        ),
        ("!Or []", "Template error: every Fn::Or object requires a list of at least 2 and at most 10"),
        (
            "!Not [!Equals [a, a], !Equals [a, a]]",
            "Template error: Fn::Not requires a list argument with one element",
        ),
        ("!Equals [a]", "Template error: every Fn::Equals object requires a list of 2 string parameters."),
        ("!Condition Nope", "Template error: unresolved condition dependency Nope in Condition"),
        ("!Condition [a]", "Template error: All Conditions must be of type string"),
        ("!Condition Tested", "Template error: Found circular condition dependency: [Tested]"),
        ("!Not [!Condition Other]", "Template error: Found circular condition dependency: [Other, Tested]"),
        ("a", "Template format error: Conditions can only be boolean operations on parameters and other"),
        (
            "!Ref Env",
            "Template format error: Conditions can only be boolean operations on parameters and other",
        ),
    ],
)
def test_malformed_conditions_are_refused(expression, message):
    declared = load(f"{{Tested: {expression}, Other: !Condition Tested}}")
    with pytest.raises(AwsError) as refused:
        evaluate_conditions(declared, CONTEXT)
    assert refused.value.message.startswith(message)
