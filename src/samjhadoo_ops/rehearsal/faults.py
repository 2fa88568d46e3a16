"""Faults of the emulator, on request."""

from __future__ import annotations

import base64
import urllib.request
from typing import TYPE_CHECKING, Any, Self

import msgspec

from samjhadoo_ops.aws import local_key
from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment


class EmulatorFaults:
    """The emulator's faults; those that were added end with the block."""

    def __init__(self, edge: str, env: Environment) -> None:
        self._url = f"{edge}/_emulator/faults"
        login = base64.b64encode(f":{local_key(env.root)}".encode()).decode()
        # What the control endpoint asks for, so that no web page can make changes, and the stack's key.
        self._headers = {
            "X-Emulator-Control": "1",
            "Content-Type": "application/json",
            "Authorization": f"Basic {login}",
        }
        self._names = {"service": env.service.name, "cluster": env.service.cluster}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """End all faults."""
        self._request("DELETE", None)

    def add(self, fault: dict[str, Any]) -> None:
        """Add a fault; raise `OpsError` if the emulator refuses it."""
        filled = {
            key: value.format_map(self._names) if isinstance(value, str) else value
            for key, value in fault.items()
        }
        self._request("POST", filled)

    def _request(self, method: str, document: Any) -> None:
        content = None if document is None else msgspec.json.encode(document)
        request = urllib.request.Request(self._url, data=content, headers=self._headers, method=method)  # noqa: S310 - the edge is ours
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                answer.read()
        except OSError as error:
            body = error.read().decode(errors="replace") if hasattr(error, "read") else ""
            raise OpsError(f"the emulator refused the fault {document}: {error} {body}") from error
