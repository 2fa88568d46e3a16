"""Which headers of a message concern the next hop only (RFC 9110, section 7.6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    Headers = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_ANSWERED = frozenset({b"expect"})
"""The edge asks for a body that waits for `100 Continue` itself, when the upstream is there to take it."""
_STAMPED = frozenset({b"date"})
"""The edge's own server stamps every answer."""
_WITHOUT_BODY = frozenset({204, 304})


def end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers that a proxy passes on; those that `Connection` names are not among them."""
    headers = list(headers)
    named = {
        option.strip().lower()
        for name, value in headers
        if name.lower() == b"connection"
        for option in value.split(b",")
    }
    dropped = HOP_BY_HOP | named
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a request brings a body (RFC 9112, section 6.3)."""
    named = {name.lower(): value for name, value in headers}
    return b"transfer-encoding" in named or named.get(b"content-length", b"0").strip() != b"0"


def for_upstream(headers: Iterable[tuple[bytes, bytes]], host: bytes) -> Headers:
    """Return a request's headers as the upstream gets them.

    Args:
        headers: As the client sent them (lower case).
        host: For a client that named none.

    """
    headers = list(headers)
    chunked = any(name == b"transfer-encoding" for name, _ in headers)
    passed = [(name, value) for name, value in end_to_end(headers) if name not in _ANSWERED]
    if chunked:
        passed = [(name, value) for name, value in passed if name != b"content-length"]
        passed.append((b"transfer-encoding", b"chunked"))
    if not any(name == b"host" for name, _ in passed):
        passed.insert(0, (b"host", host))
    return passed


def for_client(headers: Iterable[tuple[bytes, bytes]], status: int) -> Headers:
    """Return an answer's headers as the client gets them."""
    dropped = _STAMPED | ({b"content-length"} if status in _WITHOUT_BODY else set())
    return [(name, value) for name, value in end_to_end(headers) if name.lower() not in dropped]
