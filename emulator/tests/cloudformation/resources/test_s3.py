"""Buckets are made, changed, read and deleted by S3's API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.s3 import TYPES, lifecycle, settings
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from conftest import Desk

S3 = {kind.name.rpartition("::")[2]: kind for kind in TYPES}
SETTINGS: dict[str, Any] = {
    "VersioningConfiguration": {"Status": "Enabled"},
    "BucketEncryption": {
        "ServerSideEncryptionConfiguration": [
            {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}
        ]
    },
    "PublicAccessBlockConfiguration": {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    },
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "LifecycleConfiguration": {
        "Rules": [
            {
                "Id": "old",
                "Status": "Enabled",
                "Prefix": "logs/",
                "ExpirationInDays": 90,
                "Transitions": [{"StorageClass": "STANDARD_IA", "TransitionInDays": 30}],
                "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            }
        ]
    },
    "CorsConfiguration": {
        "CorsRules": [
            {
                "AllowedMethods": ["GET"],
                "AllowedOrigins": ["https://example.com"],
                "ExposedHeaders": ["ETag"],
                "MaxAge": 300,
            }
        ]
    },
    "WebsiteConfiguration": {"IndexDocument": "index.html", "ErrorDocument": "error.html"},
    "AccelerateConfiguration": {"AccelerationStatus": "Enabled"},
}


def test_a_bucket_has_the_settings_of_its_template(desk: Desk) -> None:
    made = desk.create(S3["Bucket"], **SETTINGS, Tags=[{"Key": "Owner", "Value": "ops"}])
    assert made.id.startswith("samjhadoo-test-resource")
    assert made.attributes["Arn"] == f"arn:aws:s3:::{made.id}"
    assert made.attributes["RegionalDomainName"] == f"{made.id}.s3.ap-south-1.amazonaws.com"
    assert made.drifted() == {}
    tags = desk.client("s3").get_bucket_tagging(Bucket=made.id)["TagSet"]
    assert {each["Key"]: each["Value"] for each in tags} == {"Owner": "ops", "Environment": "test"}
    made.update(**dict.fromkeys(SETTINGS, None))
    found = desk.client("s3").get_bucket_versioning(Bucket=made.id)
    assert found["Status"] == "Suspended"
    with pytest.raises(desk.client("s3").exceptions.ClientError, match="NoSuchPublicAccessBlock"):
        desk.client("s3").get_public_access_block(Bucket=made.id)
    made.delete()
    assert made.read() is None
    made.delete()


def test_a_bucket_logs_to_another_and_notifies(desk: Desk) -> None:
    target = desk.create(
        S3["Bucket"],
        AccessControl="LogDeliveryWrite",
        OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
    )
    queue = desk.client("sqs").create_queue(QueueName="uploads")["QueueUrl"]
    arn = desk.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    notification = {
        "QueueConfigurations": [
            {
                "Event": "s3:ObjectCreated:*",
                "Queue": arn,
                "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": "in/"}]}},
            }
        ]
    }
    made = desk.create(
        S3["Bucket"],
        LoggingConfiguration={"DestinationBucketName": target.id, "LogFilePrefix": "access/"},
        NotificationConfiguration=notification,
    )
    assert made.drifted() == {}
    made.update(LoggingConfiguration=None, NotificationConfiguration={"EventBridgeConfiguration": {}})
    assert "LoggingEnabled" not in desk.client("s3").get_bucket_logging(Bucket=made.id)
    made.delete()
    for each in desk.client("s3").list_objects_v2(Bucket=target.id).get("Contents", ()):
        desk.client("s3").delete_object(Bucket=target.id, Key=each["Key"])
    target.delete()


def test_a_bucket_that_is_not_empty_stays(desk: Desk) -> None:
    made = desk.create(S3["Bucket"], BucketName="journal-of-releases")
    desk.client("s3").put_object(Bucket=made.id, Key="a", Body=b"1")
    with pytest.raises(AwsError, match="not empty"):
        made.delete()
    desk.client("s3").delete_object(Bucket=made.id, Key="a")
    made.delete()


@pytest.mark.parametrize("region", ["ap-south-1", "us-east-1"])
def test_a_name_that_is_taken_is_refused_in_every_region(desk: Desk, region: str) -> None:
    elsewhere = desk.in_region(region)
    made = elsewhere.create(S3["Bucket"], BucketName=f"taken-in-{region}")
    with pytest.raises(AwsError, match="already"):
        elsewhere.create(S3["Bucket"], BucketName=made.id)
    made.delete()


def test_a_bucket_has_a_policy(desk: Desk) -> None:
    bucket = desk.create(S3["Bucket"])
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": f"{bucket.attributes['Arn']}/*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
    made = desk.create(S3["BucketPolicy"], Bucket=bucket.id, PolicyDocument=policy)
    assert made.id == bucket.id
    assert made.drifted() == {}
    made.update(PolicyDocument={**policy, "Id": "ours"})
    assert made.drifted() == {}
    made.delete()
    assert made.read() is None
    bucket.delete()
    made.delete()


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param({"Status": "Enabled", "ExpirationInDays": 1}, id="all-objects"),
        pytest.param({"Status": "Enabled", "Prefix": "a/", "ObjectSizeGreaterThan": 5}, id="two-conditions"),
        pytest.param({"Status": "Enabled", "TagFilters": [{"Key": "a", "Value": "b"}]}, id="one-tag"),
        pytest.param(
            {"Status": "Enabled", "TagFilters": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}]},
            id="two-tags",
        ),
        pytest.param({"Status": "Enabled", "ExpiredObjectDeleteMarker": True, "Id": "x"}, id="markers"),
        pytest.param(
            {
                "Status": "Disabled",
                "NoncurrentVersionTransitions": [
                    {"StorageClass": "GLACIER", "TransitionInDays": 9, "NewerNoncurrentVersions": 2}
                ],
            },
            id="versions",
        ),
    ],
)
def test_lifecycle_rules_are_the_same_after_the_api(rule: dict[str, Any]) -> None:
    assert lifecycle.from_api(lifecycle.to_api({"Rules": [rule]})) == {"Rules": [rule]}


NOTIFICATION = {
    "TopicConfigurations": [{"Event": "s3:ObjectCreated:*", "Topic": "arn:aws:sns:ap-south-1:0:t"}],
    "QueueConfigurations": [
        {
            "Event": "s3:ObjectRemoved:*",
            "Queue": "arn:aws:sqs:ap-south-1:0:q",
            "Filter": {"S3Key": {"Rules": [{"Name": "suffix", "Value": ".jpg"}]}},
        }
    ],
    "LambdaConfigurations": [{"Event": "s3:ObjectCreated:Put", "Function": "arn:aws:lambda:ap-south-1:0:f"}],
    "EventBridgeConfiguration": {"EventBridgeEnabled": True},
}
WEBSITE = {
    "IndexDocument": "index.html",
    "RoutingRules": [
        {
            "RedirectRule": {"HostName": "example.com", "ReplaceKeyPrefixWith": "b/"},
            "RoutingRuleCondition": {"KeyPrefixEquals": "a/"},
        }
    ],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [("NotificationConfiguration", NOTIFICATION), ("WebsiteConfiguration", WEBSITE)],
)
def test_settings_are_the_same_after_the_api(name: str, value: dict[str, Any]) -> None:
    setting = next(each for each in settings.SETTINGS if each.name == name)
    assert setting.from_api(setting.to_api(value)) == value


def test_every_setting_fits_the_model_of_its_operation() -> None:
    for setting in settings.SETTINGS:
        assert setting.parameter in shapes.takes("s3", f"Put{setting.operations}")
