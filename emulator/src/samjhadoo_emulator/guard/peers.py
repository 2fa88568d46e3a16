"""Which user of this machine has opened a connection (Linux).

The kernel is asked for the one socket at the other end, by its addresses and ports (sock_diag(7)): some
microseconds, and no privilege. Clients on other machines and in containers with a network of their own are
unknown, and so is everybody on other systems.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from samjhadoo_emulator.guard.rules import Peer

if TYPE_CHECKING:
    from collections.abc import Iterable

_SOCK_DIAG, _BY_FAMILY, _REQUEST = 4, 20, 1
_ANY_COOKIE = b"\xff" * 8
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBBI")
_PORTS = struct.Struct("!HH")
_ANSWER = struct.Struct("=20x36s24xII")
"""The addresses and ports of the socket that was found, its user and its inode."""
_SIZE = _HEADER.size + _QUESTION.size + 48


class Peers:
    """Recognises users by their connections.

    Args:
        trusted: The ids of users who may connect.
    """

    def __init__(self, trusted: Iterable[int]) -> None:
        self._trusted = frozenset(trusted)
        self._kernel: socket.socket | None = None
        if sys.platform == "linux":
            with suppress(OSError):  # where it is forbidden, everybody is unknown
                self._kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG)

    @property
    def answers(self) -> bool:
        """Whether this machine's kernel can tell users apart."""
        return self._kernel is not None

    def of(self, client: tuple[str, int] | None, server: tuple[str, int | None] | None) -> Peer:
        """Return who has opened a connection.

        Args:
            client: Its address and port there; None on a Unix socket, which only its folder's owner reaches.
            server: Its address and port here.
        """
        if client is None:
            return Peer.TRUSTED
        if self._kernel is None or server is None or server[1] is None:
            return Peer.UNKNOWN
        found = self._look_up(_socket_id(client[0], client[1], server[0], server[1]))
        if found is None:
            return Peer.UNKNOWN
        user, inode = found
        # Of a socket that its process has closed, the kernel has forgotten the user, and says root.
        if not inode:
            return Peer.GONE
        return Peer.TRUSTED if user in self._trusted else Peer.OTHER

    def close(self) -> None:
        """Ask no more."""
        if self._kernel is not None:
            self._kernel.close()

    def _look_up(self, asked: tuple[int, bytes]) -> tuple[int, int] | None:
        family, identity = asked
        assert self._kernel is not None  # noqa: S101 - `of` has looked
        question = _QUESTION.pack(family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF)
        header = _HEADER.pack(_SIZE, _BY_FAMILY, _REQUEST, 0, 0)
        try:
            self._kernel.send(b"".join((header, question, identity, b"\0\0\0\0", _ANY_COOKIE)))
            answer = self._kernel.recv(4096, socket.MSG_DONTWAIT)
        except OSError:
            return None
        if len(answer) < _ANSWER.size:
            return None
        found, user, inode = _ANSWER.unpack_from(answer)
        # Where there is no such connection, the kernel returns a socket that listens at its address.
        return (user, inode) if found == identity else None


def trusted_users(further: Iterable[int] = ()) -> frozenset[int]:
    """Return the ids of the users who may connect: this process's, root, and further ones."""
    return frozenset({0, os.geteuid(), *further})


def _socket_id(host: str, port: int, other_host: str, other_port: int) -> tuple[int, bytes]:
    """Return the address family, and how the kernel writes a socket's two ends."""
    ends = [_plain(host), _plain(other_host)]
    family = socket.AF_INET if all(len(each) == 4 for each in ends) else socket.AF_INET6  # noqa: PLR2004
    packed = b"".join(each.ljust(16, b"\0") for each in ends)
    return int(family), _PORTS.pack(port, other_port) + packed


def _plain(host: str) -> bytes:
    """Return an address; of an IPv4 address that is written as IPv6, the IPv4 address."""
    try:
        return socket.inet_aton(host)
    except OSError:
        address = ip_address(host.partition("%")[0])
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return (mapped or address).packed
