"""The CORS headers of answers to pages of allowed origins: what they may send and read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Pairs = list[tuple[bytes, bytes]]

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_EXPOSED = (
    "ETag, Location, x-amzn-RequestId, x-amzn-errortype, x-amz-request-id, x-amz-id-2, x-amz-version-id, "
    "x-amz-delete-marker, Docker-Content-Digest"
)
_PREFIX = b"access-control-"
_VIRTUAL = re.compile(
    r"(?P<bucket>.+?)\.(?:(?:s3[.-](?:[a-z0-9-]+\.)?)?localhost(?:\.localstack\.cloud)?"
    r"|s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?)"
)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
NOT_ENABLED = "CORSResponse: CORS is not enabled for this bucket."
NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, "
    "request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted "
    "by the resource's CORS spec."
)
"""S3's texts, with its own spelling."""


def without_cors(headers: Iterable[tuple[bytes, bytes]]) -> Pairs:
    """Return an answer's headers without those that would open it to web pages."""
    return [pair for pair in headers if not pair[0].lower().startswith(_PREFIX)]


def for_answer(origin: str) -> Pairs:
    """Return the headers with which a page of an allowed origin may read an answer."""
    return encoded(
        {
            "access-control-allow-origin": origin,
            "access-control-expose-headers": _EXPOSED,
            "vary": "Origin",
        }
    )


def for_preflight(origin: str, headers: str) -> dict[str, str]:
    """Return the headers of the answer to a preflight.

    Args:
        origin: The page's.
        headers: Those that it wants to send.
    """
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": _METHODS,
        **({"access-control-allow-headers": headers} if headers else {}),
        "access-control-max-age": "600",
        "vary": "Origin",
    }


def bucket_of(name: str, path: str) -> str:
    """Return the bucket that a request to S3 would be for, by its host's name or its path; empty if none."""
    virtual = _VIRTUAL.fullmatch(name)
    bucket = virtual["bucket"] if virtual else path.split("/", 2)[1] if path.startswith("/") else ""
    return bucket if _BUCKET.fullmatch(bucket) else ""


def rule_for(
    rules: Sequence[dict[str, Any]], *, origin: str, method: str, headers: str = ""
) -> dict[str, Any] | None:
    """Return the first of a bucket's rules that a request meets; None if it meets none.

    Args:
        rules: S3's `CORSRules`.
        origin: The page's.
        method: The request's, or the one that a preflight asks for.
        headers: Those that a preflight asks for.
    """
    wanted = [name.strip().lower() for name in headers.split(",") if name.strip()]
    for rule in rules:
        allowed = [name.lower() for name in rule.get("AllowedHeaders", [])]
        if (
            _any_matches(rule.get("AllowedOrigins", []), origin)
            and method in rule.get("AllowedMethods", [])
            and all(_any_matches(allowed, name) for name in wanted)
        ):
            return rule
    return None


def for_bucket(rule: dict[str, Any], *, origin: str, headers: str = "") -> dict[str, str]:
    """Return the headers that a bucket's rule gives an answer."""
    everybody = "*" in rule.get("AllowedOrigins", [])
    found = {
        "access-control-allow-origin": "*" if everybody else origin,
        "access-control-allow-methods": ", ".join(rule.get("AllowedMethods", [])),
        "vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    }
    if not everybody:
        found["access-control-allow-credentials"] = "true"
    if headers:
        found["access-control-allow-headers"] = headers.lower()
    if rule.get("ExposeHeaders"):
        found["access-control-expose-headers"] = ", ".join(rule["ExposeHeaders"])
    if "MaxAgeSeconds" in rule:
        found["access-control-max-age"] = str(rule["MaxAgeSeconds"])
    return found


def _any_matches(patterns: Iterable[str], value: str) -> bool:
    return any(re.fullmatch(re.escape(each).replace(r"\*", ".*"), value) for each in patterns)


def encoded(headers: dict[str, str]) -> Pairs:
    """Return headers as an answer has them."""
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
