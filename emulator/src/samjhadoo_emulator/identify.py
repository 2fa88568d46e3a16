"""Which AWS service and operation a request is for: a pure function of the request.

`identify` knows the operations of live services, `service_of` the name of any service. Names are botocore's.
The tables were taken from botocore's models, for the services that LocalStack or moto have: most of them sign
with their name.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from samjhadoo_emulator import wire
from samjhadoo_emulator.guard.keys import OWN_CALLS

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCOPE = r"[^/]+/\d{8}/(?P<region>[^/]*)/(?P<service>[^/]+)/aws4_request"
_CREDENTIAL = re.compile(f"Credential={_SCOPE}")
_PRESIGNED = re.compile(_SCOPE)
_RPC_PATH = re.compile(r"/service/(?P<prefix>[^/]+)/operation/(?P<operation>[^/]+)")
FORM = "application/x-www-form-urlencoded"
REGISTRY_LOGIN = f"Basic {b64encode(f'AWS:{OWN_CALLS}'.encode()).decode()}"
"""How the emulator's own pulls sign in to the registry: as ECS's agent does, as `AWS` with a token."""
_OWN_KEY = f"Credential={OWN_CALLS}/"
"""In the signature of the calls that the emulator's own services make."""
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
"""The names of services that sign with another name."""
_PATHS = {
    "apigateway": [("/v2/", "apigatewayv2")],
    "es": [("/2021-01-01/", "opensearch")],
    "s3": [("/v20180820/", "s3control")],
    "ses": [("/v2/email/", "sesv2")],
}
"""Services that sign with the same name and are distinguished by their paths (REST)."""
_TARGETS = {
    "AmazonEC2ContainerServiceV20141113": "ecs",
    "DynamoDBStreams_20120810": "dynamodbstreams",
    "KinesisAnalytics_20180523": "kinesisanalyticsv2",
}
"""Services that sign with the same name, or not at all, and are distinguished by `X-Amz-Target`."""
_QUERY_VERSIONS = {"2010-05-15": "cloudformation", "2010-08-01": "cloudwatch", "2015-12-01": "elbv2"}
"""Services that are named by the version of the query protocol's API."""


@dataclass(frozen=True)
class Address:
    """Where a request goes: a live service's operation in a region; `service` is empty for the upstream.

    Attributes:
        protocol: The protocol that the request speaks, for services that have several.
    """

    service: str = ""
    operation: str = ""
    region: str = ""
    protocol: str = ""


def signing_scope(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the region and service that a signature (SigV4 header) names; empty where there is none."""
    match = _CREDENTIAL.search(headers.get("authorization", ""))
    return (match["region"], match["service"]) if match else ("", "")


def presigned_scope(query: str) -> tuple[str, str]:
    """Return the region and service that a presigned URL (SigV4 in the query) names; empty where there is
    none.
    """
    if "X-Amz-Credential=" not in query:
        return "", ""
    match = _PRESIGNED.fullmatch(parse_qs(query).get("X-Amz-Credential", [""])[0])
    return (match["region"], match["service"]) if match else ("", "")


def is_own(headers: Mapping[str, str]) -> bool:
    """Return whether a request comes from one of the emulator's own services."""
    authorization = headers.get("authorization", "")
    return _OWN_KEY in authorization or authorization == REGISTRY_LOGIN


def signing_name(headers: Mapping[str, str], query: str) -> str:
    """Return the name of the service that a request is signed for; empty if it is not signed."""
    return signing_scope(headers)[1] or presigned_scope(query)[1]


def is_form(headers: Mapping[str, str]) -> bool:
    """Return whether the body may be a request of the query protocol."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == FORM


def is_rpc(headers: Mapping[str, str]) -> bool:
    """Return whether a request is one of Smithy's RPC protocols, which name the operation in their path."""
    return "smithy-protocol" in headers


def identify(headers: Mapping[str, str], *, query: str, body: bytes, path: str = "/") -> Address:
    """Return the live service and operation that a request names in its headers, path, query or form."""
    region = signing_scope(headers)[0] or presigned_scope(query)[0]
    rpc = _RPC_PATH.fullmatch(path) if is_rpc(headers) else None
    if rpc:
        protocol = headers["smithy-protocol"]
        known = rpc["operation"] if protocol == wire.CBOR else ""
        return Address(wire.targets().get(rpc["prefix"], ""), known, region, protocol)
    prefix, _, name = headers.get("x-amz-target", "").rpartition(".")
    if prefix:
        return Address(wire.targets().get(prefix, ""), name, region, "json")
    fields = parse_qs(query)
    if is_form(headers):
        fields |= parse_qs(body.decode(errors="replace"))
    service = _QUERY_VERSIONS.get(fields.get("Version", [""])[0], "")
    return Address(service, fields.get("Action", [""])[0], region, "query")


def service_of(headers: Mapping[str, str], *, query: str, path: str) -> str:
    """Return the service that a request is for; empty if it cannot be determined.

    Args:
        headers: The request's headers (lower case).
    """
    target = headers.get("x-amz-target", "").rpartition(".")[0]
    if target in _TARGETS:
        return _TARGETS[target]
    signed = signing_name(headers, query)
    if not signed and "AWSAccessKeyId=" in query:  # presigned in S3's older way
        return "s3"
    version = parse_qs(query).get("Version", [""])[0] if "Version=" in query else ""
    for prefix, service in _PATHS.get(signed, []):
        if path.startswith(prefix):
            return service
    return _QUERY_VERSIONS.get(version, "") or SIGNING_NAMES.get(signed, signed)
