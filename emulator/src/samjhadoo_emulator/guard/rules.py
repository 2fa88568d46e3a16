"""Which requests the edge refuses: a pure function of what is known of a request.

Web pages reach servers on loopback: by forms and images without asking, from a name that was rebound to
127.0.0.1 even with readable answers. What gives them away are the headers that browsers add and pages cannot
change: `Origin`, `Sec-Fetch-Site`, `Referer` and `Host`. AWS clients send none of them but `Host`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

CONTROL_HEADER = "x-emulator-control"
"""Every change at the control endpoints carries it: a web page cannot send it without a preflight."""
CONTROL_PATHS = ("/_emulator", "/moto-api")
_BELOW_CONTROL = tuple(f"{path}/" for path in CONTROL_PATHS)
_CHANGING_READS = ("/moto-api/seed", "/moto-api/recorder", "/moto-api/state-manager")
"""Paths of moto's that change something whatever the method."""
_RESET_OF_MOTO = ("POST", "/moto-api/reset")
"""moto's users know it without our header. A web page's POST names its origin, in all browsers of today."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_OTHER_SITE = frozenset({"none", "same-origin"})
_NAMES = ("localhost", "localhost.localstack.cloud", "amazonaws.com", "amazonaws.com.cn")
"""Names that lead to loopback, or are AWS's: they and, of S3's virtual hosts, the names below them."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+")

KeyNeed = Literal["never", "unknown", "always"]
KEY_NEEDS: tuple[KeyNeed, ...] = ("never", "unknown", "always")
"""Who has to send the key of the emulator: nobody, whom the kernel does not know, everybody."""


class Peer(Enum):
    """Who has opened a connection, as far as the kernel knows."""

    TRUSTED = "the emulator's user, root, or a user who was allowed"
    OTHER = "another user of this machine"
    GONE = "a process that has closed its connection"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a request before it is read.

    Attributes:
        hosts: Each `Host` header.
        target: The host of a target that is a whole URL; empty for one that is a path.
        origins: Each `Origin` header.
        sites: Each `Sec-Fetch-Site` header.
        preflight: The method that a CORS preflight asks for (`Access-Control-Request-Method`).
        has_body: Whether a body follows.
        is_json: Whether it is declared as JSON.
        controls: Whether the control endpoints' own header is there.
        asks_for_task: Whether this asks the metadata endpoint, whose paths name a task by its random id.
        has_key: Whether the request carries the key.
    """

    method: str = "GET"
    path: str = "/"
    hosts: tuple[str, ...] = ()
    target: str = ""
    origins: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    referer: str = ""
    preflight: str = ""
    has_body: bool = False
    is_json: bool = False
    controls: bool = False
    asks_for_task: bool = False
    peer: Peer = Peer.TRUSTED
    has_key: bool = False


@dataclass(frozen=True)
class AccessRules:
    """What is allowed.

    Attributes:
        own_origins: The edge's own.
        origins: Further ones whose pages may use the edge.
        hosts: Further names, and patterns such as `*.example.test`.
        key: Who has to send the key.
    """

    own_origins: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    key: KeyNeed = "never"
    _known: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    def allows_origin(self, origin: str) -> bool:
        """Return whether pages of an origin may use the edge."""
        return bool(origin) and (origin in self.own_origins or origin in self.origins)

    def allows_host(self, host: str) -> bool:
        """Return whether a `Host` header names this edge."""
        found = self._known.get(host)
        if found is None:
            found = _is_local(host) or any(_matches(pattern, name_of(host)) for pattern in self.hosts)
            if len(self._known) < _REMEMBERED:
                self._known[host] = found
        return found


_REMEMBERED = 512


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request is refused.

    Attributes:
        reason: For the client and the log.
        who: Names who asked; one line is logged for each.
        wants_key: Whether the same request is served with the key.
    """

    reason: str
    who: str
    wants_key: bool = False


def decide(facts: Facts, policy: AccessRules) -> Denial | None:
    """Return why a request is refused; None if it is served."""
    return (
        _judge_peer(facts, policy)
        or _judge_host(facts, policy)
        or _judge_page(facts, policy)
        or _judge_control(facts)
    )


def _judge_peer(facts: Facts, policy: AccessRules) -> Denial | None:
    if facts.peer is Peer.GONE:
        return Denial("the connection was closed before its owner was known", "closed connections")
    if facts.has_key or facts.asks_for_task:
        return None
    if facts.peer is Peer.OTHER:
        return Denial(
            "this emulator belongs to another user of the machine: allow yours with --allow-user, "
            "or send the emulator's key as the access key id",
            "another user",
        )
    needed = policy.key == "always" or (policy.key == "unknown" and facts.peer is Peer.UNKNOWN)
    if needed and not facts.preflight:
        return Denial(
            "this emulator asks for its key: send it as the access key id, or as a password",
            "clients without the key",
            wants_key=True,
        )
    return None


def _judge_host(facts: Facts, policy: AccessRules) -> Denial | None:
    named = (*facts.hosts, facts.target) if facts.target else facts.hosts
    if len(facts.hosts) > 1 or len({name_of(each) for each in named}) > 1:
        return Denial("the request names several hosts", "several hosts")
    for host in named:
        if not policy.allows_host(host):
            name = name_of(host) or host
            return Denial(
                f"{name!r} is not a name of this emulator: allow it with --allow-host", f"host {name}"
            )
    return None


def _judge_page(facts: Facts, policy: AccessRules) -> Denial | None:
    """Judge what browsers add."""
    if facts.origins:
        if len(facts.origins) == 1 and policy.allows_origin(facts.origins[0]):
            return None
        return _foreign(", ".join(facts.origins))
    if facts.referer:
        origin = origin_of(facts.referer)
        return None if policy.allows_origin(origin) else _foreign(origin or facts.referer)
    return None if _NO_OTHER_SITE.issuperset(facts.sites) else _foreign("another site")


def _foreign(origin: str) -> Denial:
    return Denial(
        f"web pages of {origin!r} may not use this emulator: allow them with --allow-origin",
        f"origin {origin}",
    )


def _judge_control(facts: Facts) -> Denial | None:
    if not is_control(facts.path) or facts.preflight:
        return None
    if facts.method in _SAFE and not facts.path.startswith(_CHANGING_READS):
        return None
    from_browser = facts.origins or facts.sites or facts.referer
    if (facts.method, facts.path) == _RESET_OF_MOTO and not (facts.has_body or from_browser):
        return None
    if facts.controls and (facts.is_json or not facts.has_body):
        return None
    return Denial(
        "a change here needs the header X-Emulator-Control: 1; a body needs Content-Type: application/json",
        "changes at a control endpoint without its header or JSON",
    )


def is_control(path: str) -> bool:
    """Return whether a path is one of the control endpoints'."""
    return path.startswith(CONTROL_PATHS) and (path in CONTROL_PATHS or path.startswith(_BELOW_CONTROL))


@lru_cache(maxsize=256)
def name_of(host: str) -> str:
    """Return the name or address in a `Host` header: in lower case, without port and final dot."""
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        port = rest[1:] if rest.startswith(":") else "0" if not rest else "malformed"
    else:
        name, colon, port = host.partition(":")
        port = port if colon else "0"
    if not (port.isascii() and (port.isdigit() or not port)):
        return ""
    return name.lower().removesuffix(".")


def _is_local(host: str) -> bool:
    name = name_of(host)
    try:
        ip_address(name)
    except ValueError:
        return any(name == each or name.endswith(f".{each}") for each in _NAMES)
    return ":" not in name or host.startswith("[")


def _matches(pattern: str, name: str) -> bool:
    return name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern


def origin_of(url: str) -> str:
    """Return a URL's origin as browsers write it; empty if it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if not parts.scheme or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = "" if port is None or port == _DEFAULT_PORTS.get(parts.scheme) else f":{port}"
    return f"{parts.scheme}://{host}{shown}"


def parse_origin(text: str) -> str:
    """Return an origin of the settings, as browsers write it.

    Raises:
        ValueError: It is none.
    """
    if "*" in text:
        raise ValueError(f"{text!r}: every origin has to be named")
    origin = origin_of(text.lower())
    if not origin or not _ORIGIN.fullmatch(text.lower().removesuffix("/")):
        raise ValueError(f"{text!r} is no origin: expected SCHEME://HOST or SCHEME://HOST:PORT")
    return origin


def parse_host(text: str) -> str:
    """Return a host name, or pattern of host names, of the settings.

    Raises:
        ValueError: It is none.
    """
    name = text.lower().removesuffix(".")
    if not re.fullmatch(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", name):
        raise ValueError(f"{text!r} is no host name: expected NAME or *.NAME, without a port")
    return name


def own_origins(host: str, port: int) -> frozenset[str]:
    """Return the origins of pages that the edge itself serves."""
    names = ("127.0.0.1", "localhost", "[::1]", "localhost.localstack.cloud", host)
    return frozenset(filter(None, (origin_of(f"http://{name}:{port}") for name in names)))
