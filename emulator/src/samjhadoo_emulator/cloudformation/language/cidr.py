"""`Fn::Cidr`: the first blocks of a network."""

from __future__ import annotations

import ipaddress
import itertools
from typing import TYPE_CHECKING, NoReturn

from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_BLOCKS = 256
_DEFAULT_HOST_BITS = {4: 8, 6: 64}


def blocks(arguments: Sequence[str]) -> list[str]:
    """Return the blocks that `Fn::Cidr` of [block, count] or [block, count, host bits] gives.

    Raises:
        AwsError: The arguments are no network and numbers, or the network has too little room.
    """
    block, number, *rest = arguments
    try:
        network = ipaddress.ip_network(block, strict=False)
    except ValueError:
        raise validation_error(
            f"Template error: Fn::Cidr ipBlock {block} is not a valid CIDR block"
        ) from None
    try:
        count, bits = int(number), int(rest[0]) if rest else _DEFAULT_HOST_BITS[network.version]
    except ValueError:
        _misused()
    if not 1 <= count <= MOST_BLOCKS:
        _misused()
    prefix = network.max_prefixlen - bits
    if not network.prefixlen <= prefix <= network.max_prefixlen:
        _no_room(block, count, bits)
    found = list(itertools.islice(network.subnets(new_prefix=prefix), count))
    if len(found) < count:
        _no_room(block, count, bits)
    return [str(each) for each in found]


def _misused() -> NoReturn:
    raise validation_error(
        f"Template error: Fn::Cidr count must be between 1 and {MOST_BLOCKS} and cidrBits must be an integer"
    )


def _no_room(block: str, count: int, bits: int) -> NoReturn:
    raise validation_error(
        f"Template error: Fn::Cidr cannot fit {count} blocks with {bits} CIDR bits in {block}"
    )
