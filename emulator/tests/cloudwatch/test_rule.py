"""Composite alarms' rules."""

from __future__ import annotations

import pytest

from samjhadoo_emulator.cloudwatch.alarms.rule import RuleError, children, holds, parse

STATES = {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA", "arn:aws:cloudwatch:r:1:alarm:d": "ALARM"}


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("ALARM(a)", True),
        ('ALARM("a") AND NOT ALARM(b)', True),
        ("OK(b) AND INSUFFICIENT_DATA(c)", True),
        ("ALARM(b) OR ALARM(a) AND ALARM(b)", False),
        ("(ALARM(b) OR ALARM(a)) AND OK(b)", True),
        ("NOT (ALARM(a) AND TRUE)", False),
        ("FALSE OR ALARM(arn:aws:cloudwatch:r:1:alarm:d)", True),
        ("NOT NOT TRUE", True),
    ],
)
def test_a_rule_holds(text: str, truth: bool) -> None:
    assert holds(parse(text), STATES.__getitem__) is truth


def test_children_are_named_once_and_in_order() -> None:
    assert children(parse('ALARM("b c") OR OK(a) OR ALARM("b c")')) == ["b c", "a"]


@pytest.mark.parametrize("text", ["", "ALARM", "ALARM(a", "ALARM(a) OK(b)", "AND TRUE", "(TRUE", "maybe(a)"])
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(RuleError):
        parse(text)


def test_rules_have_limits() -> None:
    with pytest.raises(RuleError, match="100"):
        parse(" OR ".join(f"ALARM(a{index})" for index in range(101)))
    with pytest.raises(RuleError, match="500"):
        parse(" OR ".join(["TRUE"] * 251))
