"""The outputs of a GitHub Actions step: how a run ended, for the steps and jobs after it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

NAMES = (
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
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Outputs:
    """Appends the outputs to a file when the run ends; a `View`.

    Args:
        path: GitHub's `GITHUB_OUTPUT`.
        complain: Is told when the file cannot be written; that fails nothing.

    """

    def __init__(self, path: Path, *, complain: Callable[[str], None]) -> None:
        self._path = path
        self._complain = complain

    def heard(self, event: str, _text: str, fields: Mapping[str, Any]) -> None:
        """See `View.heard`."""
        if event != "result":
            return
        # A value of several lines could name outputs of its own.
        lines = [
            f"{name}={_CONTROL.sub(' ', str(fields[name]))}\n"
            for name in NAMES
            if fields.get(name) not in {None, ""}
        ]
        try:
            with self._path.open("a", encoding="utf-8", errors="replace") as file:
                file.write("".join(lines))
        except OSError as error:
            self._complain(f"the outputs could not be written: {error}")

    def put(self, _text: str) -> bool:
        """See `View.put`; lines are shown as lines."""
        return False

    def close(self) -> None:
        """See `View.close`."""
