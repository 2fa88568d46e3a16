"""Which AWS service and operation a request is for: a pure function of the request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from samjhadoo_emulator import wire

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCOPE = r"[^/]+/\d{8}/(?P<region>[^/]*)/(?P<service>[^/]+)/aws4_request"
_CREDENTIAL = re.compile(f"Credential={_SCOPE}")
_PRESIGNED = re.compile(_SCOPE)
_QUERY_VERSIONS = {"2015-12-01": "elbv2", "2010-08-01": "cloudwatch"}
_RPC_PATH = re.compile(r"/service/(?P<prefix>[^/]+)/operation/(?P<operation>[^/]+)")
FORM = "application/x-www-form-urlencoded"


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


def is_form(headers: Mapping[str, str]) -> bool:
    """Tell whether the body may be a request of the query protocol."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == FORM


def is_rpc(headers: Mapping[str, str]) -> bool:
    """Tell whether a request is one of Smithy's RPC protocols, which name the operation in their path."""
    return "smithy-protocol" in headers


def identify(headers: Mapping[str, str], *, query: str, body: bytes, path: str = "/") -> Address:
    """Tell the live service and operation from a request's headers (lower case), path, query and form."""
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
