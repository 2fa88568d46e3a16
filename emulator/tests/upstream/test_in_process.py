"""Calls of live services to moto in the same process, which need no socket."""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.upstream.in_process import InProcess


@pytest.fixture(scope="module")
def client():
    """Make clients whose requests never leave this process: nothing listens at their endpoint."""
    upstream = InProcess("000000000000", "ap-south-1")

    def make(service: str):
        session = boto3.session.Session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name="ap-south-1"
        )
        made = session.client(service, endpoint_url="http://127.0.0.1:9", config=Config(proxies={}))
        made.meta.events.register("before-send", upstream.send)
        return made

    return make


def test_requests_of_every_protocol_are_answered(client):
    bucket = {"Bucket": "letters", "CreateBucketConfiguration": {"LocationConstraint": "ap-south-1"}}
    client("s3").create_bucket(**bucket)
    client("s3").put_object(Bucket="letters", Key="a b/ü.txt", Body=b"\0hello")
    answers = {
        "ec2": client("ec2").describe_vpcs()["Vpcs"][0]["IsDefault"],
        "query": client("sns").create_topic(Name="news")["TopicArn"],
        "json": client("ssm").put_parameter(Name="/a", Value="1", Type="String")["Version"],
        "rest-json": client("lambda").list_functions()["Functions"],
        "rest-xml": client("s3").get_object(Bucket="letters", Key="a b/ü.txt")["Body"].read(),
    }
    assert answers == {
        "ec2": True,
        "query": "arn:aws:sns:ap-south-1:000000000000:news",
        "json": 1,
        "rest-json": [],
        "rest-xml": b"\0hello",
    }


def test_errors_are_aws_errors(client):
    with pytest.raises(ClientError, match="NoSuchBucket"):
        client("s3").list_objects_v2(Bucket="nowhere")


def test_what_moto_fails_at_is_refused_in_words(client):
    with pytest.raises(AwsError, match=r"the service gamelift") as caught:
        client("gamelift").list_builds()
    assert caught.value.code == "NotImplemented"
