"""The events of a run in a file, as `--json` prints them, while people read lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_ops.streams import as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class EventFile:
    """Appends each event to a file as it happens, so that a killed run leaves what it told; a `View`.

    Args:
        path: The file.
        complain: Is told, once, when the file cannot be written; that fails nothing.

    """

    def __init__(self, path: Path, *, complain: Callable[[str], None]) -> None:
        self._path = path
        self._complain = complain
        self._broken = False

    def heard(self, event: str, text: str, fields: Mapping[str, Any]) -> None:
        """See `View.heard`."""
        if self._broken:
            return
        document = {"event": event, **({"message": text} if text else {}), **fields}
        try:
            with self._path.open("a", encoding="utf-8", errors="replace") as file:
                file.write(f"{as_json(document)}\n")
        except OSError as error:
            self._broken = True
            self._complain(f"the events could not be written: {error}")

    def put(self, _text: str) -> bool:
        """See `View.put`; lines are shown as lines."""
        return False

    def close(self) -> None:
        """See `View.close`."""
