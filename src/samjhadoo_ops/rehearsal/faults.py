"""What goes wrong at AWS on demand."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING, Any, Self

import msgspec

from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment


class EmulatorFaults:
    """The emulator's fault knobs; what was asked for ends with the block."""

    def __init__(self, edge: str, env: Environment) -> None:
        self._url = f"{edge}/_emulator/faults"
        self._names = {"service": env.service.name, "cluster": env.service.cluster}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """End every fault that was asked for."""
        self._ask("DELETE", None)

    def add(self, fault: dict[str, Any]) -> None:
        """Ask for a fault.

        Raises:
            OpsError: The emulator doesn't know it.

        """
        filled = {
            key: value.format_map(self._names) if isinstance(value, str) else value
            for key, value in fault.items()
        }
        self._ask("POST", filled)

    def _ask(self, method: str, document: Any) -> None:
        body = None if document is None else msgspec.json.encode(document)
        request = urllib.request.Request(self._url, data=body, method=method)  # noqa: S310 - the edge is ours
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                answer.read()
        except OSError as error:
            said = error.read().decode(errors="replace") if hasattr(error, "read") else ""
            raise OpsError(f"the emulator refused the fault {document}: {error} {said}") from error
