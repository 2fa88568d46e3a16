"""S3 of the upstream, where moto alone would get it wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError


def statement(bucket: str, **further: Any) -> str:
    denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**denied, **further}]})


def test_a_bucket_that_refuses_requests_without_tls_takes_those_to_the_emulator(noop_emulator: Any) -> None:
    s3 = noop_emulator.client("s3")
    where = {"LocationConstraint": noop_emulator.region}
    s3.create_bucket(Bucket="only-with-tls", CreateBucketConfiguration=where)
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    s3.put_bucket_policy(Bucket="only-with-tls", Policy=statement("only-with-tls", Condition=condition))

    s3.put_object(Bucket="only-with-tls", Key="template.json", Body=b"{}")

    assert s3.get_object(Bucket="only-with-tls", Key="template.json")["Body"].read() == b"{}"


def test_a_bucket_that_refuses_everything_still_does(noop_emulator: Any) -> None:
    s3 = noop_emulator.client("s3")
    where = {"LocationConstraint": noop_emulator.region}
    s3.create_bucket(Bucket="refusing", CreateBucketConfiguration=where)
    s3.put_bucket_policy(Bucket="refusing", Policy=statement("refusing"))

    with pytest.raises(ClientError, match="403"):
        s3.put_object(Bucket="refusing", Key="template.json", Body=b"{}")
