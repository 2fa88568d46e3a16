"""The edge: who gets a request, and how clients see what is served live and what is passed on."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

from samjhadoo_emulator.identify import Address, identify, signing_scope

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKID/20261123/eu-west-1/{}/aws4_request, SignedHeaders=host, Signature=0"
)


@pytest.mark.parametrize(
    ("headers", "query", "body", "expected"),
    [
        pytest.param(
            {"x-amz-target": "AmazonEC2ContainerServiceV20141113.ListServices"},
            "",
            b"{}",
            Address("ecs", "ListServices", "", "json"),
            id="json-target",
        ),
        pytest.param(
            {
                "x-amz-target": "AmazonEC2ContainerRegistry_V20150921.DescribeImages",
                "authorization": SIGNED.format("ecr"),
            },
            "",
            b"{}",
            Address("ecr", "DescribeImages", "eu-west-1", "json"),
            id="region-from-the-signature",
        ),
        pytest.param(
            {"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
            "",
            b"Action=DescribeRules&Version=2015-12-01",
            Address("elbv2", "DescribeRules", "", "query"),
            id="query-protocol",
        ),
        pytest.param(
            {},
            "Action=DescribeRules&Version=2015-12-01",
            b"",
            Address("elbv2", "DescribeRules", "", "query"),
            id="query-get",
        ),
        pytest.param(
            {"content-type": "application/x-www-form-urlencoded"},
            "",
            b"Action=DescribeLoadBalancers&Version=2012-06-01",
            Address("", "DescribeLoadBalancers", "", "query"),
            id="classic-load-balancing-goes-upstream",
        ),
        pytest.param(
            {"authorization": SIGNED.format("s3")},
            "list-type=2",
            b"",
            Address("", "", "eu-west-1", "query"),
            id="s3",
        ),
        pytest.param(
            {"x-amz-target": "Logs_20140328.PutLogEvents"},
            "",
            b"{}",
            Address("", "PutLogEvents", "", "json"),
            id="logs",
        ),
    ],
)
def test_a_request_is_identified_by_its_headers_and_form(headers, query, body, expected):
    assert identify(headers, query=query, body=body) == expected


def test_a_broken_signature_names_no_service():
    assert signing_scope({"authorization": "AWS4-HMAC-SHA256 nonsense"}) == ("", "")


def post(url, body, target="AmazonEC2ContainerServiceV20141113.CreateCluster"):
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"{", "SerializationException", id="not-json"),
        pytest.param(b"[]", "SerializationException", id="not-an-object"),
        pytest.param(b'{"clusterName": 5}', "SerializationException", id="wrong-type"),
        pytest.param(b"\xff\xfe", "SerializationException", id="not-text"),
        pytest.param(b"[" * 200_000, "SerializationException", id="too-deep"),
    ],
)
def test_a_malformed_request_is_the_clients_error(noop_emulator, body, code):
    status, answer = post(noop_emulator.url, body)
    assert (status, answer["__type"]) == (400, code)


def test_an_operation_that_is_not_served_is_an_error_and_the_edge_lives_on(noop_emulator):
    status, _ = post(noop_emulator.url, b"{}", "AmazonEC2ContainerServiceV20141113.NoSuchOperation")
    assert status >= 400
    assert noop_emulator.ask("GET", "health")["status"] == "running"


def test_regions_do_not_see_each_others_resources(noop_emulator):
    import boto3

    noop_emulator.client("ecs").create_cluster(clusterName="only-in-mumbai")
    elsewhere = boto3.client(
        "ecs",
        endpoint_url=noop_emulator.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    assert elsewhere.describe_clusters(clusters=["only-in-mumbai"])["failures"][0]["reason"] == "MISSING"


def test_a_body_of_megabytes_passes_through_unharmed(noop_emulator):
    s3, body = noop_emulator.client("s3"), bytes(range(256)) * 4096 * 8
    s3.create_bucket(Bucket="edge-bodies", CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
    s3.put_object(Bucket="edge-bodies", Key="a/b c+d", Body=body)
    assert s3.get_object(Bucket="edge-bodies", Key="a/b c+d")["Body"].read() == body
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="edge-bodies", Key="a/b c+d", Body=b"", IfNoneMatch="*")


def test_the_caller_is_the_local_account(noop_emulator):
    assert noop_emulator.client("sts").get_caller_identity()["Account"] == "000000000000"
