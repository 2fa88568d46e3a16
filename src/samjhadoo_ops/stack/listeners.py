"""The load balancers' listeners, as the emulator's control endpoint reports them."""

from __future__ import annotations

import base64
import http.client
import json
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.aws import local_key
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.processes import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from samjhadoo_ops.environment import Environment

_TIME = 5.0


def ask(edge: int, path: str, root: Path) -> Any:
    """Return the control endpoint's answer to `/_emulator/<path>`; None when there is none.

    Args:
        edge: The port of the local AWS.
        path: What is asked for.
        root: The project's folder, which has the key.

    """
    login = base64.b64encode(f":{local_key(root)}".encode()).decode()
    connection = http.client.HTTPConnection(LOOPBACK, edge, timeout=_TIME)
    try:
        connection.request("GET", f"/_emulator/{path}", headers={"Authorization": f"Basic {login}"})
        answer = connection.getresponse()
        return json.load(answer) if answer.status == http.client.OK else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def bound_ports(edge: int, root: Path) -> dict[int, int]:
    """Return the port of this machine for each listener port of the load balancers."""
    listeners = ask(edge, "listeners", root) or []
    return {int(listener["port"]): int(listener["bound_port"]) for listener in listeners}


def service_urls(edge: int, services: Mapping[str, Environment], root: Path) -> dict[str, tuple[str, str]]:
    """Return the URLs of each service's production and test listener.

    Raises:
        ConfigurationError: The stack was started without the service.

    """
    bound = {
        (str(listener.get("load_balancer", "")), int(listener["port"])): int(listener["bound_port"])
        for listener in ask(edge, "listeners", root) or []
    }
    return {name: _urls(bound, name, env) for name, env in services.items()}


def _urls(bound: Mapping[tuple[str, int], int], name: str, env: Environment) -> tuple[str, str]:
    service = env.service
    production, test = (
        bound.get((service.load_balancer, port))
        for port in (service.production_listener_port, service.test_listener_port)
    )
    if production is None or test is None:
        raise ConfigurationError(
            f"the running stack has no listeners for the service {name}: it was started with other settings",
            hint="run: invoke stack.reset",
        )
    return f"http://{LOOPBACK}:{production}", f"http://{LOOPBACK}:{test}"
