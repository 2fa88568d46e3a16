"""Template texts: YAML with its short forms, JSON, and what CloudFormation does not read."""

from __future__ import annotations

import pytest

from samjhadoo_emulator.cloudformation.language import template_text
from samjhadoo_emulator.errors import AwsError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!Ref A", {"Ref": "A"}),
        ("!Condition A", {"Condition": "A"}),
        ("!GetAtt A.B.C", {"Fn::GetAtt": ["A", "B.C"]}),
        ("!GetAtt [A, B]", {"Fn::GetAtt": ["A", "B"]}),
        ("!Sub 'a-${B}'", {"Fn::Sub": "a-${B}"}),
        ("!GetAZs ''", {"Fn::GetAZs": ""}),
        ("!Join [',', [!Ref A, !Sub b]]", {"Fn::Join": [",", [{"Ref": "A"}, {"Fn::Sub": "b"}]]}),
        ("!Transform {Name: X}", {"Fn::Transform": {"Name": "X"}}),
        ("!If [C, !Ref AWS::NoValue, 1]", {"Fn::If": ["C", {"Ref": "AWS::NoValue"}, 1]}),
        ("!ImportValue\n  Fn::Sub: x", {"Fn::ImportValue": {"Fn::Sub": "x"}}),
    ],
)
def test_short_forms_of_functions_become_long_ones(text, value):
    assert template_text.load(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2012-10-17", "2012-10-17"),
        ("'1'", "1"),
        ("yes", True),
        ("off", False),
        ("010", 8),
        ("1.10", 1.1),
        ("089", "089"),
        ("!!str 1", "1"),
        ("", None),
        ("=", "="),
        ("0x" + "F" * 5000, "0x" + "F" * 5000),
    ],
)
def test_scalars_are_those_of_yaml_1_1_but_dates_stay_text(text, value):
    assert template_text.load(f"- {text}")[0] == value


def test_keys_are_text_whatever_they_look_like():
    assert template_text.load("{on: 1, 123456789012: 2, 2012-10-17: 3}") == {
        "on": 1,
        "123456789012": 2,
        "2012-10-17": 3,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1\nb: *x", "Template error: YAML aliases are not allowed in CloudFormation templates"),
        ("a: 1\na: 2", 'Template format error: YAML not well-formed. Duplicate key "a" (line 2, column 1)'),
        ("a:\n  <<: {b: 1}", "Template format error: YAML not well-formed. (line 2, column 3)"),
        ("a: [1\nb: 2", "Template format error: YAML not well-formed. (line 2, column 2)"),
        ("a: !!binary aGk=", "Template format error: YAML not well-formed. (line 1, column 4)"),
        ("a: !!int x", "Template format error: YAML not well-formed. (line 1, column 4)"),
        ("a: 1\n---\nb: 2", "Template format error: YAML not well-formed. (line 2, column 1)"),
        ("a: \x00", "Template format error: YAML not well-formed."),
        ("[" * 500, "Template format error: unsupported structure."),
        ("- " * 500 + "a", "Template format error: unsupported structure."),
        ('{"a": NaN}', "Template format error: JSON not well-formed."),
        ('{"a": "\\ud800"}', "Template format error: JSON not well-formed."),
        (f'{{"a": {"9" * 5000}}}', "Template format error: JSON not well-formed."),
        ("a: " + "9" * 5000, "Template format error: YAML not well-formed. (line 1, column 4)"),
        ('a: "\\ud800"', "Template format error: YAML not well-formed. (line 1, column 7)"),
        ('{"a": 1,}', "Template format error: JSON not well-formed. (line 1, column 9)"),
        ('{"a": ' * 500 + "1" + "}" * 500, "Template format error: unsupported structure."),
        ('{"a": ' * 100_000 + "1" + "}" * 100_000, "Template format error: unsupported structure."),
    ],
)
def test_what_cloudformation_does_not_read_is_refused(text, message):
    with pytest.raises(AwsError) as refused:
        template_text.load(text)
    assert refused.value.message == message
