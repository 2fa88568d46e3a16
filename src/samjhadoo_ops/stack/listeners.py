"""What the emulator tells about itself, at the edge's control endpoint."""

from __future__ import annotations

import http.client
import json
from typing import Any

from samjhadoo_ops.processes import LOOPBACK

_TIME = 5.0


def ask(edge: int, path: str) -> Any:
    """Return what the control endpoint answers to `/_emulator/<path>`; None when it does not."""
    connection = http.client.HTTPConnection(LOOPBACK, edge, timeout=_TIME)
    try:
        connection.request("GET", f"/_emulator/{path}")
        answer = connection.getresponse()
        return json.load(answer) if answer.status == http.client.OK else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def bound_ports(edge: int) -> dict[int, int]:
    """Return on which port of this machine each listener's port of the load balancers is."""
    listeners = ask(edge, "listeners") or []
    return {int(listener["port"]): int(listener["bound_port"]) for listener in listeners}
