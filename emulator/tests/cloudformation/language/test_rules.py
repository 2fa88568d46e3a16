"""Rules: assertions about parameters, which every template of the CDK has."""

from __future__ import annotations

import pytest

from samjhadoo_emulator.cloudformation.language.context import Context
from samjhadoo_emulator.cloudformation.language.rules import check_rules
from samjhadoo_emulator.cloudformation.language.template import parse
from samjhadoo_emulator.errors import AwsError

CONTEXT = Context(parameters={"Version": "31", "Env": "prod", "Subnets": ["s-1", "s-2"], "Vpc": "vpc-1"})
EXISTING = {"s-1": {"VpcId": "vpc-1"}, "s-2": {"VpcId": "vpc-2"}, "vpc-1": {"Tags.Team": "web"}}


def template(rule):
    """Return a template with one rule, in YAML."""
    return parse(
        f"""
        Parameters:
          Version: {{Type: AWS::SSM::Parameter::Value<String>}}
          Env: {{Type: String}}
          Subnets: {{Type: List<AWS::EC2::Subnet::Id>}}
          Vpc: {{Type: AWS::EC2::VPC::Id}}
        Rules: {{Checked: {rule}}}
        Resources: {{B: {{Type: AWS::SNS::Topic}}}}
        """
    )


@pytest.mark.parametrize(
    ("assertion", "holds"),
    [
        ("!Not [!Contains [['1', '2'], !Ref Version]]", True),
        ("!Contains [['1', '31'], !Ref Version]", True),
        ("!EachMemberIn [!Ref Subnets, [s-1, s-2, s-3]]", True),
        ("!EachMemberIn [!Ref Subnets, [s-1]]", False),
        ("!EachMemberEquals [[prod, prod], !Ref Env]", True),
        ("!EachMemberEquals [[prod, dev], !Ref Env]", False),
        ("!EachMemberEquals [!ValueOf [Subnets, VpcId], !Ref Vpc]", False),
        ("!EachMemberIn [!ValueOfAll ['AWS::EC2::VPC::Id', Tags.Team], [web]]", True),
        ("!Contains [!RefAll 'AWS::EC2::VPC::Id', vpc-1]", True),
        ("!Equals [!ValueOf [Vpc, Tags.Team], web]", True),
        ("!And [!Equals [a, a], !Or [!Equals [a, b], !Equals [!Ref Env, prod]]]", True),
    ],
)
def test_assertions(assertion, holds):
    rule = f"{{Assertions: [{{Assert: {assertion}, AssertDescription: It must be}}]}}"
    if holds:
        check_rules(template(rule), CONTEXT, EXISTING)
        return
    with pytest.raises(AwsError, match="^Template error: Rule Checked failed: It must be$"):
        check_rules(template(rule), CONTEXT, EXISTING)


@pytest.mark.parametrize(("env", "checked"), [("prod", True), ("dev", False)])
def test_a_rule_may_have_a_condition(env, checked):
    rule = f"{{RuleCondition: !Equals [!Ref Env, {env}], Assertions: [{{Assert: !Equals [a, b]}}]}}"
    if not checked:
        check_rules(template(rule), CONTEXT)
        return
    with pytest.raises(AwsError, match="Rule Checked failed"):
        check_rules(template(rule), CONTEXT)


@pytest.mark.parametrize("assertion", ["a", "!Ref Env", "!Contains [a]", "!ValueOf [Vpc, Nope]"])
def test_malformed_assertions_are_refused(assertion):
    with pytest.raises(AwsError):
        check_rules(template(f"{{Assertions: [{{Assert: {assertion}}}]}}"), CONTEXT, EXISTING)
