"""Rules, functions and tables are made, changed, read and deleted by the APIs of their services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.cloudformation.resources import dynamodb, events, lambda_

if TYPE_CHECKING:
    from conftest import Desk

KINDS = {kind.name.rpartition("::")[2]: kind for kind in (*dynamodb.TYPES, *events.TYPES, *lambda_.TYPES)}


def test_a_rule_has_targets(desk: Desk) -> None:
    queue = "arn:aws:sqs:ap-south-1:000000000000:events"
    pattern = {"source": ["aws.ecs"], "detail-type": ["ECS Deployment State Change"]}
    rule = desk.create(
        KINDS["Rule"], EventPattern=pattern, State="ENABLED", Targets=[{"Id": "queue", "Arn": queue}]
    )
    assert rule.drifted() == {}
    assert rule.attributes["Arn"].endswith(f":rule/{rule.id}")
    rule.update(
        State="DISABLED",
        Targets=[{"Id": "other", "Arn": queue, "Input": "{}"}],
        Tags=[{"Key": "Owner", "Value": "ops"}],
    )
    assert rule.drifted() == {}
    rule.delete()
    assert rule.read() is None
    rule.delete()


def test_a_table_changes_its_billing_in_place(desk: Desk) -> None:
    table = desk.create(
        KINDS["Table"],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"SSEEnabled": True},
        StreamSpecification={"StreamViewType": "NEW_IMAGE"},
        TimeToLiveSpecification={"AttributeName": "expires", "Enabled": True},
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        DeletionProtectionEnabled=False,
    )
    assert table.drifted() == {}
    assert table.attributes["Arn"].endswith(f":table/{table.id}")
    assert "StreamArn" in table.attributes
    table.update(
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        StreamSpecification=None,
        TimeToLiveSpecification=None,
        Tags=[{"Key": "Owner", "Value": "ops"}],
    )
    assert table.read()["BillingMode"] == "PROVISIONED"
    table.delete()
    assert table.read() is None
    table.delete()


def test_a_function_of_the_template_is_called_by_a_rule(desk: Desk) -> None:
    trust = '{"Version": "2012-10-17", "Statement": []}'
    role = desk.client("iam").create_role(RoleName="functions", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    function = desk.create(
        KINDS["Function"],
        Runtime="python3.12",
        Handler="index.handler",
        Role=role,
        Code={"ZipFile": "def handler(event, context): return event"},
        Environment={"Variables": {"NAME": "1"}},
        Timeout=10,
    )
    assert function.attributes["Arn"].endswith(f":function:{function.id}")
    assert function.drifted() == {}
    function.update(
        Timeout=20,
        Code={"ZipFile": "def handler(event, context): return 1"},
        Tags=[{"Key": "Owner", "Value": "ops"}],
    )
    assert function.drifted() == {}
    permission = desk.create(
        KINDS["Permission"],
        FunctionName=function.id,
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn="arn:aws:events:ap-south-1:000000000000:rule/any",
    )
    assert permission.drifted() == {}
    for each in (permission, function):
        each.delete()
        assert each.read() is None
        each.delete()
