"""Who has opened a connection, by what the kernel knows."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from samjhadoo_emulator.guard.peers import Peers, trusted_users
from samjhadoo_emulator.guard.rules import Peer

if TYPE_CHECKING:
    from collections.abc import Iterator

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel answers on Linux only")


@pytest.fixture
def peers() -> Iterator[Peers]:
    """Trusts the current user, and root."""
    with closing(Peers(trusted_users())) as found:
        yield found


@pytest.fixture(params=["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def connection(request):
    """A listening socket, a client of it, and the other end of the connection."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family) as listener:
        try:
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind(("::" if "ffff" in request.param else request.param, 0))
        except OSError:
            pytest.skip("there is no IPv6")
        listener.listen()
        address = ("127.0.0.1" if "ffff" in request.param else request.param, listener.getsockname()[1])
        client = socket.create_connection(address)
        accepted, _ = listener.accept()
        with client, accepted:
            yield client, accepted


def judged(peers, accepted):
    return peers.of(accepted.getpeername()[:2], accepted.getsockname()[:2])


@linux
def test_ones_own_connections_are_trusted(peers, connection):
    assert judged(peers, connection[1]) is Peer.TRUSTED


@linux
def test_connections_of_users_who_are_not_listed_are_others(connection):
    with closing(Peers([os.geteuid() + 1])) as strangers:
        assert judged(strangers, connection[1]) is Peer.OTHER


@linux
@pytest.mark.parametrize("abruptly", [False, True])
def test_nobody_is_trusted_by_a_connection_that_is_closed(peers, connection, abruptly):
    client, accepted = connection
    if abruptly:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer = accepted.getpeername()[:2]
    server = accepted.getsockname()[:2]
    client.close()
    assert peers.of(peer, server) in (Peer.GONE, Peer.UNKNOWN)


@linux
def test_a_socket_that_listens_at_the_address_of_a_closed_connection_is_not_taken_for_it(peers):
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as other:
        assert peers.of(other.getsockname(), listener.getsockname()) is Peer.UNKNOWN


def test_clients_of_a_unix_socket_are_trusted_and_addresses_without_a_port_unknown(peers):
    assert peers.of(None, ("/run/edge.sock", None)) is Peer.TRUSTED
    assert peers.of(("127.0.0.1", 1), None) is Peer.UNKNOWN


@linux
def test_a_look_up_takes_microseconds(peers):
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        took = []
        for _ in range(500):
            began = time.perf_counter()
            assert peers.of(client.getsockname(), client.getpeername()) is Peer.TRUSTED
            took.append(time.perf_counter() - began)
    assert sorted(took)[250] < 200e-6


@linux
def test_a_child_that_has_become_another_user_is_another(peers):
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    code = (
        "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); sys.stdin.read()"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        argv = ["/usr/bin/python3", "-I", "-S", "-c", code, str(listener.getsockname()[1])]
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, user=65534, group=65534, extra_groups=[])
        accepted, _ = listener.accept()
        with accepted:
            assert judged(peers, accepted) is Peer.OTHER
            with closing(Peers(trusted_users([65534]))) as trusting:
                assert judged(trusting, accepted) is Peer.TRUSTED
        child.communicate()
