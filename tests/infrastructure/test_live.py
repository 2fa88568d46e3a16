"""Stacks on a live CloudFormation: the emulator's."""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.aws import Aws
from samjhadoo_ops.clock import Clock
from samjhadoo_ops.console import Console
from samjhadoo_ops.errors import Refused
from samjhadoo_ops.infrastructure import locking
from samjhadoo_ops.infrastructure.apply import apply
from samjhadoo_ops.infrastructure.destroy import destroy
from samjhadoo_ops.infrastructure.drift import drifts
from samjhadoo_ops.infrastructure.proposals import InfrastructureContext
from samjhadoo_ops.infrastructure.protection import DataAtRisk
from samjhadoo_ops.infrastructure.watch import StackNotApplied

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StackProject
    from samjhadoo_emulator.testing import LocalAws
    from samjhadoo_ops.infrastructure.proposals import Proposal

NUMBERS = count(1)
MINUTE = 0.2
TOPIC = """
Parameters: {Name: {Type: String}}
Metadata: {Settings: {Name: notifications.topic}}
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Name}}
Outputs:
  TopicArn: {Value: !Ref Topic, Export: {Name: !Sub "${AWS::StackName}-TopicArn"}}
"""
PARAMETER = """
Parameters: {Prefix: {Type: String}}
Metadata: {Settings: {Prefix: {value: prefix}}}
Resources:
  Parameter:
    Type: AWS::SSM::Parameter
    Properties:
      Type: String
      Value: {"Fn::ImportValue": !Sub "${Prefix}-local-topic-TopicArn"}
"""
ELSEWHERE = """
Parameters: {Arn: {Type: String}}
Metadata: {Stacks: {Region: us-east-1}, Settings: {Arn: {output: topic.TopicArn}}}
Resources:
  Parameter: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Ref Arn}}
"""
BUCKET = """
Parameters: {Prefix: {Type: String}, Name: {Type: String}}
Metadata: {Settings: {Prefix: {value: prefix}, Name: notifications.topic}}
Resources:
  Store:
    Type: AWS::S3::Bucket
    Properties: {BucketName: !Sub "${Prefix}-${Name}"}
"""


@dataclass
class Account:
    """A project with stacks of its own in the local AWS."""

    project: StackProject
    local: LocalAws
    prefix: str = field(default_factory=lambda: f"t{next(NUMBERS)}")
    bucket: str = ""
    log: io.StringIO = field(default_factory=io.StringIO)

    def context(self, *stacks: str, topic: str = "first", protection: str = "true") -> InfrastructureContext:
        bucket = self.bucket or f"{self.prefix}-journal"
        variables = {
            "SAMJHADOO_INFRASTRUCTURE__PREFIX": self.prefix,
            "SAMJHADOO_INFRASTRUCTURE__STACKS": json.dumps(stacks),
            "SAMJHADOO_INFRASTRUCTURE__PROTECTION": protection,
            "SAMJHADOO_NOTIFICATIONS__TOPIC": topic,
            "SAMJHADOO_JOURNAL__BUCKET": bucket,
        }
        env = self.project.load("local", variables)
        console = Console("lines", out=self.log, err=self.log)
        clock = Clock(minute=MINUTE, origin=time.time())
        return InfrastructureContext(env, Aws(env, self.local.url), clock, console)

    def apply(self, *stacks: str, topic: str = "first", **options: Any) -> str:
        return str(apply(self.context(*stacks, topic=topic), confirm=lambda show: show(), **options))

    def plan(self, *stacks: str, topic: str = "first") -> list[Proposal]:
        context = self.context(*stacks, topic=topic)
        proposals = context.propose()
        context.discard(proposals)
        return proposals

    def stack(self, key: str, region: str = "ap-south-1") -> dict[str, Any] | None:
        client = Aws(self.project.load("local"), self.local.url).client("cloudformation", region=region)
        found = [
            each for page in client.get_paginator("describe_stacks").paginate() for each in page["Stacks"]
        ]
        name = f"{self.prefix}-local-{key}"
        return next((each for each in found if each["StackName"] == name), None)


@pytest.fixture
def account(project: StackProject, emulator: LocalAws) -> Account:
    project.template("topic", TOPIC)
    project.template("parameter", PARAMETER)
    project.template("elsewhere", ELSEWHERE)
    project.template("data", BUCKET)
    return Account(project, emulator)


def test_a_plan_of_an_empty_account_shows_everything_as_new_and_leaves_nothing(account: Account) -> None:
    topic, parameter, elsewhere = account.plan("parameter", "topic", "elsewhere")
    assert [change.type for change in topic.changes] == ["AWS::SNS::Topic"]
    assert [change.type for change in parameter.changes] == ["AWS::SSM::Parameter"]
    assert (elsewhere.missing, elsewhere.is_new) == ("topic.TopicArn", True)
    assert [account.stack(key) for key in ("topic", "parameter")] == [None, None]
    assert account.stack("elsewhere", "us-east-1") is None


def test_an_apply_makes_the_stacks_in_order_and_a_second_one_changes_nothing(account: Account) -> None:
    assert account.apply("parameter", "topic", "elsewhere") == "made topic, parameter, elsewhere"
    assert account.stack("elsewhere", "us-east-1") is not None
    assert account.apply("parameter", "topic", "elsewhere").startswith("nothing to do")
    assert "topic: Topic (AWS::SNS::Topic) created" in account.log.getvalue()


def test_a_changed_setting_is_planned_with_its_values_and_then_done(account: Account) -> None:
    account.apply("topic")
    (proposal,) = account.plan("topic", topic="second")
    assert [str(each) for change in proposal.changes for each in change.properties] == [
        "DisplayName: first → second"
    ]
    assert account.plan("topic")[0].unchanged
    assert account.apply("topic", topic="second") == "updated topic"
    assert account.plan("topic", topic="second")[0].unchanged


def test_a_stack_that_fails_is_rolled_back_with_its_cause_and_made_again_later(account: Account) -> None:
    with pytest.raises(StackNotApplied) as caught:
        account.apply("data", "parameter")
    assert caught.value.message.startswith("parameter: ")
    assert f"No export named {account.prefix}-local-topic-TopicArn found" in caught.value.message
    assert caught.value.changed == "applied data; parameter was rolled back"
    failed = account.stack("parameter")
    assert failed is not None
    assert failed["StackStatus"] == "ROLLBACK_COMPLETE"
    assert account.apply("data", "topic", "parameter") == "made topic, parameter"


def test_a_data_store_is_replaced_only_if_it_is_named(account: Account) -> None:
    account.apply("data")
    with pytest.raises(DataAtRisk) as caught:
        account.apply("data", topic="second")
    assert caught.value.hint.endswith("--replace data.Store")
    assert account.apply("data", topic="second", replace=["data.Store"]) == "updated data"
    found = account.stack("data")
    assert found is not None
    assert found["EnableTerminationProtection"]


def test_an_apply_that_was_killed_is_watched_to_its_end_by_the_next(account: Account) -> None:
    chain = {
        f"P{number}": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Type": "String", "Value": "x"},
            **({"DependsOn": f"P{number - 1}"} if number else {}),
        }
        for number in range(200)
    }
    account.project.template("long", json.dumps({"Resources": chain}))
    context = account.context("long")
    (proposal,) = context.propose()
    assert proposal.change_set is not None
    again = account.context("long")
    again.states()  # its clients exist before the change begins
    context.cloudformation(proposal.stack).execute(proposal.change_set.id)
    assert str(apply(again, confirm=lambda show: show())).startswith("nothing to do")
    assert "long is being changed (CREATE_IN_PROGRESS) by " in account.log.getvalue()
    assert "long: P199 (AWS::SSM::Parameter) created" in account.log.getvalue()


def test_a_second_apply_is_refused_with_the_name_of_the_first(account: Account) -> None:
    context = account.context("topic")
    bucket = context.env.journal.bucket
    s3 = context.aws.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
    held = pytest.raises(Refused, match="the infrastructure lock is held by .* for 'infra.apply'")
    with locking.infrastructure_lock(context, reason="infra.apply"), held:
        account.apply("topic")
    assert account.apply("topic") == "made topic"


def test_what_was_changed_by_hand_is_drift(account: Account) -> None:
    account.apply("topic")
    sns = account.local.client("sns")
    (arn,) = [
        each["TopicArn"] for each in sns.list_topics()["Topics"] if f":{account.prefix}-" in each["TopicArn"]
    ]
    sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="by hand")
    (found,) = drifts(account.context("topic"))
    assert (found.id, found.differences) == ("Topic", (("/DisplayName", "first", "by hand"),))


def test_stacks_with_data_are_deleted_only_if_they_are_named(account: Account) -> None:
    account.apply("topic", "parameter", "data")
    protected = account.context("topic", "parameter", "data")
    with pytest.raises(Refused, match="the stacks are protected against deletion: infrastructure.protection"):
        destroy(protected, named=["data"], confirm=lambda _: None)
    context = account.context("topic", "parameter", "data", protection="false")
    with pytest.raises(DataAtRisk, match="data would lose data; nothing was deleted"):
        destroy(context, named=[], confirm=lambda _: None)
    assert account.stack("topic") is not None
    assert destroy(context, named=["data"], confirm=lambda _: None) == ["data", "parameter", "topic"]
    assert [account.stack(key) for key in ("data", "parameter", "topic")] == [None, None, None]
    assert destroy(context, named=[], confirm=lambda _: None) == []


def test_a_template_that_cloudformation_refuses_is_named_with_its_reason(account: Account) -> None:
    account.project.template("wrong", "Resources: {X: {Type: AWS::SNS::Topic, Properties: {Colour: red}}}\n")
    with pytest.raises(Refused, match=r"wrong: CloudFormation refuses the change: /Resources/X") as caught:
        account.apply("topic", "wrong")
    assert "infrastructure/wrong.yaml" in caught.value.hint
    assert account.stack("topic") is None


def test_nothing_is_done_without_a_confirmation(account: Account) -> None:
    def refuse(show: Callable[[], None]) -> None:
        show()
        raise Refused("not confirmed")

    with pytest.raises(Refused, match="not confirmed"):
        apply(account.context("topic"), confirm=refuse)
    assert account.stack("topic") is None


RULE = """
Parameters: {Blue: {Type: Number}, Green: {Type: Number}, Path: {Type: String}}
Metadata:
  Settings: {Blue: {live: blue_weight}, Green: {live: green_weight}, Path: notifications.topic}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.9.0.0/16}}
  One:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: 10.9.0.0/24, AvailabilityZone: ap-south-1a}
  Two:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: 10.9.1.0/24, AvailabilityZone: ap-south-1b}
  Balancer:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    Properties: {Name: NAME, Scheme: internal, Subnets: [!Ref One, !Ref Two]}
  BlueGroup:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties: {Name: NAME-blue, TargetType: ip, Protocol: HTTP, Port: 80, VpcId: !Ref Vpc}
  GreenGroup:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties: {Name: NAME-green, TargetType: ip, Protocol: HTTP, Port: 80, VpcId: !Ref Vpc}
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Balancer
      Protocol: HTTP
      Port: 8080
      DefaultActions: [{Type: fixed-response, FixedResponseConfig: {StatusCode: "404"}}]
  TestListener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Balancer
      Protocol: HTTP
      Port: 8081
      DefaultActions: [{Type: forward, TargetGroupArn: !Ref GreenGroup}]
  Rule:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref Listener
      Priority: 1
      Conditions: [{Field: path-pattern, PathPatternConfig: {Values: [!Sub "/${Path}*"]}}]
      Actions:
        - Type: forward
          ForwardConfig:
            TargetGroups:
              - {TargetGroupArn: !Ref BlueGroup, Weight: !Ref Blue}
              - {TargetGroupArn: !Ref GreenGroup, Weight: !Ref Green}
"""


@pytest.fixture
def balanced(account: Account) -> Account:
    """An account whose production rule ECS has moved from blue to green."""
    account.project.template("rule", RULE.replace("NAME", account.prefix))
    account.project.edit("base", r"^load_balancer = .*", f'load_balancer = "{account.prefix}"')
    groups = f'target_groups = ["{account.prefix}-blue", "{account.prefix}-green"]'
    account.project.edit("base", r"^target_groups = .*", groups)
    account.apply("rule")
    _move(account)
    return account


def _rule(account: Account) -> dict[str, Any]:
    elbv2 = account.local.client("elbv2")
    balancer = elbv2.describe_load_balancers(Names=[account.prefix])["LoadBalancers"][0]
    listeners = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    (listener,) = [each["ListenerArn"] for each in listeners if each["Port"] == 8080]
    rules = elbv2.describe_rules(ListenerArn=listener)["Rules"]
    return next(rule for rule in rules if not rule["IsDefault"])


def _weights(account: Account) -> dict[str, int]:
    groups = _rule(account)["Actions"][0]["ForwardConfig"]["TargetGroups"]
    return {each["TargetGroupArn"].split("/")[1].rpartition("-")[2]: each["Weight"] for each in groups}


def _move(account: Account) -> None:
    """Send all traffic to green, as a deployment of ECS does."""
    rule, weights = _rule(account), {"blue": 0, "green": 100}
    groups = [
        {"TargetGroupArn": arn, "Weight": weights[arn.split("/")[1].rpartition("-")[2]]}
        for arn in [each["TargetGroupArn"] for each in rule["Actions"][0]["ForwardConfig"]["TargetGroups"]]
    ]
    account.local.client("elbv2").modify_rule(
        RuleArn=rule["RuleArn"], Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
    )


def test_after_a_deployment_the_moved_weights_are_neither_a_change_nor_drift(balanced: Account) -> None:
    assert balanced.plan("rule")[0].unchanged
    assert drifts(balanced.context("rule")) == []


def test_a_change_of_the_rule_leaves_the_traffic_where_it_is(balanced: Account) -> None:
    (proposal,) = balanced.plan("rule", topic="second")
    assert [change.id for change in proposal.traffic] == ["Rule"]
    assert balanced.apply("rule", topic="second") == "updated rule"
    assert _weights(balanced) == {"blue": 0, "green": 100}
    assert balanced.plan("rule", topic="second")[0].unchanged


def test_the_rule_is_not_touched_while_a_deployment_runs(
    balanced: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "running_deployment", lambda *_: "arn:aws:ecs:service-deployment/x")
    with pytest.raises(Refused, match="a deployment of samjhadoo-service is in progress, and Rule decides"):
        balanced.apply("rule", topic="second")
    assert _rule(balanced)["Conditions"][0]["PathPatternConfig"]["Values"] == ["/first*"]


def test_an_export_ends_after_the_stack_that_imports_it_has_let_it_go(account: Account) -> None:
    optional = """
    Parameters: {Name: {Type: String}, Prefix: {Type: String}}
    Metadata: {Settings: {Name: notifications.topic, Prefix: {value: prefix}}}
    Conditions: {Has: !Equals [!Ref Name, first]}
    Resources:
      Parameter: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: VALUE}}
    """
    value = '!If [Has, {"Fn::ImportValue": !Sub "${Prefix}-local-giving-Optional"}, none]'
    account.project.template(
        "giving",
        optional.replace("VALUE", "x").rstrip()
        + "\n"
        + '    Outputs: {O: {Condition: Has, Value: x, Export: {Name: !Sub "${AWS::StackName}-Optional"}}}\n',
    )
    account.project.template("taking", optional.replace("VALUE", value))
    assert account.apply("giving", "taking") == "made giving, taking"
    assert account.apply("giving", "taking", topic="second") == "updated taking, giving"
    assert account.apply("giving", "taking") == "updated giving, taking"
