"""Host ports for containers.

They are taken in turn from below the range the system hands to outgoing connections, so that no connection
takes a port between its being chosen and the application's binding it, and so that a port which has just
been given back stays unused for a while: clients that still know it do not reach another task.
"""

from __future__ import annotations

import secrets
import socket

from samjhadoo_emulator.processes import LOOPBACK, free_port

FIRST, LAST = 20_000, 32_000


class Ports:
    """Ports of 127.0.0.1, each reserved for one container at a time."""

    def __init__(self) -> None:
        self._reserved: set[int] = set()
        self._next = FIRST + secrets.randbelow(LAST - FIRST)

    def take(self) -> int:
        """Return a free port, which is the caller's until given back."""
        for _ in range(LAST - FIRST):
            port = self._next
            self._next = FIRST if port + 1 >= LAST else port + 1
            if port not in self._reserved and _is_free(port):
                break
        else:
            port = free_port()
        self._reserved.add(port)
        return port

    def give_back(self, port: int) -> None:
        """Release a port."""
        self._reserved.discard(port)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
