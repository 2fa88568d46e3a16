"""Views that append what happens to a file that somebody else reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_ops.report.escaping import one_line
from samjhadoo_ops.streams import as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

OUTPUTS = (
    "outcome",
    "exit_code",
    "release",
    "version",
    "digest",
    "reference",
    "deploy",
    "deployment",
    "acts_at",
    "reattach",
    "url",
)
"""Fields of the result (docs/events.md) that become outputs of the same names."""


class FileView:
    """Appends text to a file, or calls `complain` once if it cannot; a `View` that shows no lines."""

    contents = "output"
    """What the file holds, for the complaint."""

    def __init__(self, path: Path, *, complain: Callable[[str], None]) -> None:
        self._path = path
        self._complain = complain
        self._broken = False

    def append(self, text: str) -> None:
        """Append text to the file, unless an earlier attempt failed."""
        if self._broken:
            return
        try:
            with self._path.open("a", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError as error:
            self._broken = True
            self._complain(f"the {self.contents} could not be written: {error}")

    def put(self, _text: str) -> bool:
        """See `View.put`; lines are left to the console."""
        return False

    def close(self) -> None:
        """See `View.close`."""


class EventFile(FileView):
    """Appends each event as it happens, as `--json` prints it, so that a killed run leaves what it did."""

    contents = "events"

    def receive(self, event: str, text: str, fields: Mapping[str, Any]) -> None:
        """See `View.receive`."""
        self.append(f"{as_json({'event': event, **({'message': text} if text else {}), **fields})}\n")


class StepOutputs(FileView):
    """Appends a GitHub Actions step's outputs (`GITHUB_OUTPUT`) when the run ends."""

    contents = "outputs"

    def receive(self, event: str, _text: str, fields: Mapping[str, Any]) -> None:
        """See `View.receive`."""
        if event == "result":
            # A value with line breaks could define further outputs.
            found = {name: fields[name] for name in OUTPUTS if fields.get(name) not in {None, ""}}
            self.append("".join(f"{name}={one_line(str(value))}\n" for name, value in found.items()))
