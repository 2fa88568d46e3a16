"""The program of pause containers: passes connections on from 127.0.0.1 to elsewhere.

Runs inside the pause image on any Python from 3.8 on, with no more of the standard library than Debian's
`python3-minimal` has. Its arguments are `PORT=unix:PATH` and `PORT=HOST:PORT`; it writes `ready` once it
listens on all ports. Two threads for each connection, so that a slow reader holds its writer up and each
direction ends by itself.
"""

import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress

CHUNK = 65536
CONNECT_SECONDS = 10
BACKLOG = 512
FULL_SECONDS = 0.1


def connect(target: str) -> socket.socket:
    """Return a connection to where a port leads."""
    if target.startswith("unix:"):
        found = socket.socket(socket.AF_UNIX)
        found.connect(target[len("unix:") :])
        return found
    host, _, port = target.rpartition(":")
    found = socket.create_connection((host, int(port)), CONNECT_SECONDS)
    found.settimeout(None)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return found


def copy(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what one side sends until it has ended; then end the other side."""
    try:
        while True:
            data = source.recv(CHUNK)
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            sink.sendall(data)
    except OSError:
        for each in (source, sink):
            with suppress(OSError):  # it has gone already
                each.shutdown(socket.SHUT_RDWR)


def serve(client: socket.socket, target: str) -> None:
    """Serve one connection."""
    try:
        server = connect(target)
    except OSError as error:
        sys.stderr.write(f"{target}: {error}\n")
        client.close()
        return
    with client, server:
        back = threading.Thread(target=copy, args=(server, client), daemon=True)
        back.start()
        copy(client, server)
        back.join()


def accept(listener: socket.socket, target: str) -> None:
    """Serve all connections to a port."""
    while True:
        try:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(client, target), daemon=True).start()
        except (OSError, RuntimeError):
            time.sleep(FULL_SECONDS)  # no more descriptors or threads: until some have ended


def listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    """Return a listening socket."""
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(BACKLOG)
    return listener


def main() -> None:
    """Forward until SIGTERM."""
    asked_to_end = {signal.SIGTERM, signal.SIGINT}
    # Of all threads, and waited for: a handler is not called when the main thread has just begun to wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, asked_to_end)
    threading.stack_size(256 * 1024)
    for argument in sys.argv[1:]:
        port, _, target = argument.partition("=")
        listeners = [listen(socket.AF_INET, "127.0.0.1", int(port))]
        with suppress(OSError):  # most engines give containers no IPv6
            listeners.append(listen(socket.AF_INET6, "::1", int(port)))
        for listener in listeners:
            threading.Thread(target=accept, args=(listener, target), daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    signal.sigwait(asked_to_end)
    os._exit(0)


if __name__ == "__main__":
    main()
