"""`Fn::Cidr`: the first blocks of a network."""

from __future__ import annotations

import ipaddress
import itertools
from typing import TYPE_CHECKING

from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_BLOCKS = 256
_DEFAULT_HOST_BITS = {4: 8, 6: 64}
_ARGUMENTS = (2, 3)


def blocks(arguments: Sequence[str | None]) -> list[str]:
    """Return the blocks that `Fn::Cidr` of [block, count, host bits] gives.

    Raises:
        AwsError: The arguments are no network and numbers, or the network has too little room.
    """
    if len(arguments) not in _ARGUMENTS or not all(arguments):
        raise validation_error("Template error: every Fn::Cidr object requires two or three parameters")
    try:
        network = ipaddress.ip_network(arguments[0] or "", strict=False)
        count = int(arguments[1] or "")
        bits = int(arguments[2] or "") if arguments[2:] else _DEFAULT_HOST_BITS[network.version]
    except ValueError:
        raise validation_error(
            "Template error: Fn::Cidr requires a CIDR block, a count and a number of host bits"
        ) from None
    prefix = network.max_prefixlen - bits
    if not 1 <= count <= MOST_BLOCKS or not network.prefixlen <= prefix <= network.max_prefixlen:
        _no_room(arguments[0], count, bits)
    found = list(itertools.islice(network.subnets(new_prefix=prefix), count))
    if len(found) < count:
        _no_room(arguments[0], count, bits)
    return [str(each) for each in found]


def _no_room(block: str | None, count: int, bits: int) -> None:
    raise validation_error(f"Template error: Fn::Cidr: {block} has no room for {count} blocks of {bits} bits")
