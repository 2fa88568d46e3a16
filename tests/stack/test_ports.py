from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from samjhadoo_ops.processes import listen
from samjhadoo_ops.stack.plan import Ports
from samjhadoo_ops.stack.ports import moved, owner_of
from samjhadoo_ops.stack.state import Addresses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WANTED = Ports(edge=4566, postgres=5432, redis=0, production=8080, test=8081)
LISTENER = """
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
time.sleep(600)
"""


def addresses(production: int = 8080, redis: int = 1) -> Addresses:
    return Addresses(
        aws="http://127.0.0.1:4566",
        production=f"http://127.0.0.1:{production}",
        test="http://127.0.0.1:8081",
        postgres="127.0.0.1:5432",
        redis=f"127.0.0.1:{redis}",
    )


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[int]:
    """A process of another project's stack that listens on a port."""
    folder = tmp_path / "shop" / ".samjhadoo" / "local" / "stack-1"
    folder.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", LISTENER], cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def test_ports_that_are_as_wanted_are_not_mentioned() -> None:
    assert list(moved(WANTED, addresses())) == []


def test_a_port_that_is_taken_is_named_with_its_owner_and_the_address_instead(
    stranger: int, tmp_path: Path
) -> None:
    wanted = Ports(edge=4566, postgres=5432, redis=0, production=stranger, test=8081)
    assert list(moved(wanted, addresses(production=49_152))) == [
        (
            f"! port {stranger} is taken by the stack of {tmp_path / 'shop'}: "
            "production is at http://127.0.0.1:49152 instead"
        )
    ]


def test_another_process_is_named_with_its_id() -> None:
    with listen() as listener:
        port = listener.getsockname()[1]
        assert owner_of(port) == f"{psutil.Process().name()} ({os.getpid()})"


def test_a_port_of_which_the_system_shows_no_owner_is_of_another_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def denied(_kind: str) -> list[object]:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", denied)
    assert owner_of(4566) == "another process"
