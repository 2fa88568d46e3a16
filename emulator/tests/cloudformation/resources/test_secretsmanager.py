"""Secrets are made, changed, read and deleted by the API of Secrets Manager."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.cloudformation.resources.secretsmanager import TYPES
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from conftest import Desk, Made

SECRETS = {kind.name.rpartition("::")[2]: kind for kind in TYPES}
GENERATE = {
    "SecretStringTemplate": '{"username": "samjhadoo"}',
    "GenerateStringKey": "password",
    "PasswordLength": 40,
    "ExcludePunctuation": True,
}


@pytest.fixture
def secret(desk: Desk) -> Made:
    return desk.create(SECRETS["Secret"], Description="database", GenerateSecretString=GENERATE)


def value(desk: Desk, made: Made) -> Any:
    return json.loads(desk.client("secretsmanager").get_secret_value(SecretId=made.id)["SecretString"])


def test_a_password_is_generated_once(desk: Desk, secret: Made) -> None:
    assert secret.id.startswith("arn:aws:secretsmanager:ap-south-1:")
    assert secret.attributes == {"Id": secret.id}
    before = value(desk, secret)
    assert before["username"] == "samjhadoo"
    assert len(before["password"]) == 40
    assert before["password"].isalnum()
    secret.update(Description="the database", Tags=[{"Key": "Owner", "Value": "ops"}])
    assert value(desk, secret) == before
    assert secret.drifted() == {}
    secret.update(GenerateSecretString={**GENERATE, "PasswordLength": 20})
    assert len(value(desk, secret)["password"]) == 20
    secret.delete()
    assert secret.read() is None
    secret.delete()


def test_a_template_of_a_secret_must_be_an_object(desk: Desk) -> None:
    with pytest.raises(AwsError, match="must be a JSON object"):
        desk.create(SECRETS["Secret"], GenerateSecretString={**GENERATE, "SecretStringTemplate": "username"})


def test_a_given_value_changes_in_place(desk: Desk) -> None:
    made = desk.create(SECRETS["Secret"], Name="stripe", SecretString='{"key": 1}')
    made.update(SecretString='{"key": 2}')
    assert value(desk, made) == {"key": 2}
    made.delete()
    desk.create(SECRETS["Secret"], Name="stripe", SecretString='{"key": 3}').delete()


def test_an_attachment_says_where_the_database_is(desk: Desk, secret: Made) -> None:
    database = desk.client("rds").create_db_instance(
        DBInstanceIdentifier="attached",
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        DBName="app",
        MasterUsername="samjhadoo",
        MasterUserPassword="not-a-real-one",
    )["DBInstance"]
    made = desk.create(
        SECRETS["SecretTargetAttachment"],
        SecretId=secret.id,
        TargetId="attached",
        TargetType="AWS::RDS::DBInstance",
    )
    assert made.id == secret.id
    assert made.drifted() == {}
    found = value(desk, secret)
    assert found["username"] == "samjhadoo"
    assert (found["host"], found["port"]) == (database["Endpoint"]["Address"], database["Endpoint"]["Port"])
    assert (found["dbname"], found["engine"]) == ("app", "postgres")
    made.delete()
    assert value(desk, secret).keys() == {"username", "password"}
    assert made.read() is None
    secret.delete()
    made.delete()


def test_a_secret_has_a_policy(desk: Desk, secret: Made) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
                "Action": "secretsmanager:DeleteSecret",
                "Resource": "*",
            }
        ],
    }
    made = desk.create(SECRETS["ResourcePolicy"], SecretId=secret.id, ResourcePolicy=policy)
    assert made.drifted() == {}
    made.update(ResourcePolicy={**policy, "Id": "ours"})
    assert made.drifted() == {}
    made.delete()
    assert made.read() is None
    made.delete()
    secret.delete()
