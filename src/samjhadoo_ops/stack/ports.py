"""Which ports of the stack are not those that were wanted, and who has these."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psutil

    from samjhadoo_ops.stack.plan import Ports
    from samjhadoo_ops.stack.state import Addresses

_FOLDER = ".samjhadoo"


def moved(wanted: Ports, found: Addresses) -> Iterator[str]:
    """Yield a sentence for each endpoint that has another port than was wanted, because that was taken."""
    endpoints = {
        "AWS": (wanted.edge, found.aws),
        "production": (wanted.production, found.production),
        "test": (wanted.test, found.test),
        "PostgreSQL": (wanted.postgres, found.postgres),
        "Redis": (wanted.redis, found.redis),
    }
    for name, (port, address) in endpoints.items():
        if port and not address.endswith(f":{port}"):
            yield f"! port {port} is taken by {owner_of(port)}: {name} is at {address} instead"


def owner_of(port: int) -> str:
    """Return who listens on a port of this machine, as far as the system shows it."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr[1] == port and each.pid:
                return _described(psutil.Process(each.pid))
    return "another process"


def _described(process: psutil.Process) -> str:
    """Return a process for people; of another project's stack, the project."""
    import psutil

    for each in (process, *process.parents()):
        with contextlib.suppress(psutil.Error, OSError):
            parts = Path(each.cwd()).parts
            if _FOLDER in parts:
                return f"the stack of {Path(*parts[: parts.index(_FOLDER)])}"
    return f"{process.name()} ({process.pid})"
