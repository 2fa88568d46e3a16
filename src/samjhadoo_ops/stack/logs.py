"""The logs of the stack's processes."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.stack import StackNotRunning, lifecycle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from samjhadoo_ops.environment import Environment

    ShowLine = Callable[[str, str], None]

_TICK = 0.2


def log_files(env: Environment) -> dict[str, Path]:
    """Return the logs of the running stack, or of the last one that failed; else raise `StackNotRunning`."""
    state = lifecycle.find(env)
    ended = lifecycle.why_ended(env)
    folder = Path(state.logs if state else ended.logs if ended else "")
    files = {path.stem: path for path in sorted(folder.glob("*.log"))} if folder.name else {}
    # Envoy writes to the emulator's folder.
    files |= {path.stem: path for path in sorted(folder.parent.glob("emulator/**/*.log"))} if files else {}
    if not files:
        raise StackNotRunning(
            "the local stack is not running, and there are no logs of it", hint="run: invoke stack.up"
        )
    return files


def select(files: Mapping[str, Path], process: str) -> dict[str, Path]:
    """Return the log of one process, or all logs; raise `ConfigurationError` if it has no such process."""
    if process and process not in files:
        raise ConfigurationError(
            f"the stack has no process {process!r}", hint=f"--process is one of: {', '.join(files)}"
        )
    return {process: files[process]} if process else dict(files)


def show(files: Mapping[str, Path], lines: int, show_line: ShowLine) -> None:
    """Show the last lines of each log."""
    for name, path in files.items():
        with path.open(errors="replace") as file:
            for line in deque(file, maxlen=lines):
                show_line(name, line.rstrip("\n"))


def follow(files: Mapping[str, Path], show_line: ShowLine) -> None:
    """Show new lines until the logs are removed together with their stack."""
    opened = {name: path.open(errors="replace") for name, path in files.items()}
    try:
        for file in opened.values():
            file.seek(0, 2)
        while any(path.exists() for path in files.values()):
            new = [(name, line) for name, file in opened.items() for line in _complete_lines(file)]
            for name, line in new:
                show_line(name, line)
            if not new:
                time.sleep(_TICK)
    finally:
        for file in opened.values():
            file.close()


def _complete_lines(file: TextIO) -> Iterator[str]:
    while True:
        position = file.tell()
        line = file.readline()
        if not line.endswith("\n"):
            file.seek(position)
            return
        yield line.rstrip("\n")
