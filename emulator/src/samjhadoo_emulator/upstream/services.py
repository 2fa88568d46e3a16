"""Which AWS service a request is for, live or not: told from its signature, target, version and path.

Names are botocore's. The tables were taken from botocore's models, for the services that LocalStack or moto
have: what most of them sign with is their name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from samjhadoo_emulator.identify import presigned_scope, signing_scope

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNING_NAMES = {
    "aidevops": "devops-agent",
    "aoss": "opensearchserverless",
    "aps": "amp",
    "elasticfilesystem": "efs",
    "elasticloadbalancing": "elb",
    "elasticmapreduce": "emr",
    "email": "ses",
    "execute-api": "apigatewaymanagementapi",
    "forecast": "forecast",
    "iotdata": "iot-data",
    "lex": "lexv2-models",
    "mobiletargeting": "pinpoint",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "sso": "sso-admin",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
    "timestream": "timestream-write",
}
"""What a service signs with, where it is not its name."""
_PATHS = {
    "apigateway": [("/v2/", "apigatewayv2")],
    "es": [("/2021-01-01/", "opensearch")],
    "s3": [("/v20180820/", "s3control")],
    "ses": [("/v2/email/", "sesv2")],
}
"""Services that sign alike and are told by their paths (REST)."""
_TARGETS = {
    "AmazonEC2ContainerServiceV20141113": "ecs",
    "DynamoDBStreams_20120810": "dynamodbstreams",
    "KinesisAnalytics_20180523": "kinesisanalyticsv2",
}
"""Services that sign alike, or not at all, and are told by `X-Amz-Target`."""
_VERSIONS = {"2015-12-01": "elbv2"}
"""Services that sign alike and are told by the query protocol's version."""


def service_of(headers: Mapping[str, str], *, query: str, path: str, known: str = "") -> str:
    """Return the service that a request is for; empty where nothing tells it.

    Args:
        headers: The request's headers (lower case).
        query: Its query string.
        path: Its path.
        known: The live service that owns the operation's name, if there is one.

    """
    if known:
        return known
    target = headers.get("x-amz-target", "").rpartition(".")[0]
    if target in _TARGETS:
        return _TARGETS[target]
    signed = signing_scope(headers)[1] or presigned_scope(query)[1]
    if not signed and "AWSAccessKeyId=" in query:  # presigned in S3's older way
        return "s3"
    version = parse_qs(query).get("Version", [""])[0] if "Version=" in query else ""
    for prefix, service in _PATHS.get(signed, []):
        if path.startswith(prefix):
            return service
    return _VERSIONS.get(version, "") or SIGNING_NAMES.get(signed, signed)


def moto_name(service: str) -> str:
    """Return moto's name of a service."""
    return "awslambda" if service == "lambda" else service.replace("-", "")
