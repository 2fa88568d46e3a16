"""AWS's wildcards, queries and address blocks as RE2 expressions, which Envoy matches in full."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

_SPECIAL = re.compile(r"[^0-9A-Za-z_ -]")
_BITS = 8
_EVERY_OCTET = r"\d{1,3}"


def quote(text: str) -> str:
    """Return an expression that matches `text` literally."""
    return _SPECIAL.sub(lambda match: f"\\{match[0]}" if match[0].isascii() else match[0], text)


def wildcard(pattern: str, *, anything: str = ".") -> str:
    """Return an expression for a pattern in which `*` is any characters and `?` exactly one."""
    symbols = {"*": f"{anything}*", "?": anything}
    return "".join(symbols.get(character) or quote(character) for character in pattern)


def either(expressions: list[str]) -> str:
    """Return an expression that matches what one of `expressions` matches."""
    return (
        expressions[0] if len(expressions) == 1 else f"(?:{'|'.join(f'(?:{each})' for each in expressions)})"
    )


def query(pairs: list[dict[str, Any]]) -> str:
    """Return an expression for a path whose query holds one of the pairs; without a key, any key's value.

    Values are compared as they stand in the address, escapes included, without regard to case (as AWS).
    """
    alternatives = []
    for pair in pairs:
        key = wildcard(pair["Key"], anything="[^&=]") if pair.get("Key") else "[^&=]*"
        alternatives.append(f"{key}={wildcard(pair['Value'], anything='[^&]')}")
    return rf"(?i)[^?]*\?(?:.*&)?(?:{either(alternatives)})(?:&.*)?"


def address_block(block: str) -> str:
    """Return an expression for the IPv4 addresses of a block in CIDR notation.

    Everything listens on an IPv4 loopback address, so no client has an address of an IPv6 block.
    """
    network = ipaddress.ip_network(block)
    if network.version != 4:  # noqa: PLR2004
        return r"[^\s\S]"
    octets = []
    for position, octet in enumerate(network.network_address.packed):
        fixed = min(_BITS, max(0, network.prefixlen - position * _BITS))
        if fixed == _BITS:
            octets.append(str(octet))
        elif fixed == 0:
            octets.append(_EVERY_OCTET)
        else:
            octets.append(either([str(octet + each) for each in range(1 << (_BITS - fixed))]))
    return r"\.".join(octets)
