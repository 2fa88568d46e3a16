"""What counts as drift."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_emulator.cloudformation.drift import property_differences
from samjhadoo_emulator.cloudformation.language import schemas

TOPIC = "AWS::SNS::Topic"
TAG, OTHER_TAG = {"Key": "team", "Value": "a"}, {"Key": "owner", "Value": "b"}


@pytest.mark.parametrize(
    ("kind", "expected", "actual", "drift"),
    [
        pytest.param(TOPIC, {"DisplayName": "a"}, {"DisplayName": "a"}, [], id="nothing"),
        pytest.param(
            TOPIC,
            {"DisplayName": "a"},
            {"DisplayName": "b"},
            [("NOT_EQUAL", "/DisplayName")],
            id="a value",
        ),
        pytest.param(
            TOPIC, {"DisplayName": "a"}, {"DisplayName": "a", "FifoTopic": False}, [], id="not named"
        ),
        pytest.param(TOPIC, {"DisplayName": "a"}, {}, [], id="cannot be read"),
        pytest.param(
            TOPIC, {"DisplayName": "a"}, {"DisplayName": None}, [("REMOVE", "/DisplayName")], id="gone"
        ),
        pytest.param(
            "AWS::Lambda::Function",
            {"Environment": {"Variables": {"A": "1", "B": "2"}}},
            {"Environment": {"Variables": {"A": "1", "B": "3", "C": "4"}}},
            [("NOT_EQUAL", "/Environment/Variables/B"), ("ADD", "/Environment/Variables/C")],
            id="in a map",
        ),
        pytest.param(
            "AWS::Lambda::Function",
            {"Code": {"S3Bucket": "b"}, "TracingConfig": {"Mode": "Active"}},
            {"TracingConfig": {"Mode": "Active", "Default": "x"}},
            [],
            id="defaults inside an object",
        ),
        pytest.param(TOPIC, {"Tags": [TAG]}, {"Tags": [TAG, OTHER_TAG]}, [("ADD", "/Tags/1")], id="a tag"),
        pytest.param(
            TOPIC,
            {"Tags": [TAG]},
            {"Tags": [{"Key": "team", "Value": "b"}]},
            [("NOT_EQUAL", "/Tags/0/Value")],
            id="a tag's value",
        ),
        pytest.param(TOPIC, {"Tags": [TAG]}, {"Tags": []}, [("REMOVE", "/Tags/0")], id="a missing tag"),
        pytest.param(TOPIC, {"Tags": [TAG, OTHER_TAG]}, {"Tags": [OTHER_TAG, TAG]}, [], id="another order"),
        pytest.param(
            TOPIC,
            {"Tags": []},
            {"Tags": [{"Key": "aws:cloudformation:stack-name"}, {"Key": "stack", "Value": "tag"}]},
            [],
            id="tags of the stack",
        ),
        pytest.param(
            "AWS::RDS::DBInstance",
            {"DBInstanceIdentifier": "Main", "EngineVersion": "14", "KmsKeyId": "1-2"},
            {
                "DBInstanceIdentifier": "main",
                "EngineVersion": "14.12",
                "KmsKeyId": "arn:aws:kms:r:1:key/1-2",
            },
            [],
            id="another form of the same",
        ),
        pytest.param(
            "AWS::RDS::DBInstance",
            {"MasterUserPassword": "{{resolve:secretsmanager:s}}", "DBName": "{{resolve:ssm:n}}"},
            {"MasterUserPassword": "x", "DBName": "samjhadoo"},
            [],
            id="secrets",
        ),
        pytest.param(
            TOPIC,
            {"DeliveryStatusLogging": [{"Protocol": "sqs"}]},
            {"DeliveryStatusLogging": [{"Protocol": "http"}]},
            [("NOT_EQUAL", "/DeliveryStatusLogging/0/Protocol")],
            id="inside an item",
        ),
        pytest.param(
            "AWS::S3::BucketPolicy",
            {"PolicyDocument": {"Statement": [{"Action": "s3:GetObject"}]}},
            {"PolicyDocument": '{"Statement": [{"Action": "s3:GetObject"}]}'},
            [],
            id="a policy as text",
        ),
    ],
)
def test_drift(kind: str, expected: Any, actual: Any, drift: Any) -> None:
    found = property_differences(expected, actual, schemas.schema(kind), stack_tags=["stack"])

    assert [(each.kind, "/" + "/".join(each.path)) for each in found] == drift


@given(
    properties=st.dictionaries(
        st.sampled_from(["DisplayName", "Tags", "Subscription"]),
        st.text(max_size=4)
        | st.lists(st.dictionaries(st.sampled_from(["Key", "Value"]), st.text(max_size=4))),
    )
)
def test_nothing_drifts_from_itself(properties: Any) -> None:
    assert property_differences(properties, properties, schemas.schema(TOPIC)) == ()
