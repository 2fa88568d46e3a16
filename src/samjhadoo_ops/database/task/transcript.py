"""What a migrations task printed, put together from the events of its log stream; nothing here does I/O."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from samjhadoo_ops.database.task.definition import BEGIN, END, PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_END = re.compile(rf"{re.escape(END)} (?P<code>\d+) (?P<size>\d+)\s*")
# An image that is run without walls of its own sees its folders below another one.
_PROJECT = re.compile(rf"(?:/[^/\s\"'(),:;]+)*?{re.escape(str(PROJECT))}(?![\w.-])")


@dataclass(frozen=True)
class Transcript:
    """The output of a task.

    Attributes:
        complete: Whether all of Flyway's answer is there.
        exit_code: Flyway's; None until it has ended.

    """

    complete: bool
    exit_code: int | None
    answer: str
    log: str


def assemble(messages: Iterable[str]) -> Transcript:
    """Put the events of a log stream together.

    The answer is JSON, in which a line's end never stands for anything: its pieces are joined without one, so
    that it does not matter where lines were cut (an event takes 256 KiB). Its size tells whether it is whole.
    """
    log: list[str] = []
    answer: list[str] = []
    begun, end = False, None
    for message in messages:
        found = _END.fullmatch(message.strip())
        if found and begun:
            end = found
            break
        if not begun and message.strip() == BEGIN:
            begun = True
        elif begun:
            answer.append(message.strip("\r\n"))
        else:
            log.append(message.rstrip("\r\n"))
    text = "".join(piece.replace("\r", "").replace("\n", "") for piece in answer)
    whole = end is not None and len(text.encode()) == int(end["size"])
    return Transcript(
        complete=whole,
        exit_code=int(end["code"]) if end else None,
        answer=text if whole else "",
        log=_ANSI.sub("", "\n".join(log)),
    )


def here(text: str, root: Path, *, in_json: bool = False) -> str:
    """Return a text with the image's paths of scripts replaced by those of the project."""
    own = json.dumps(str(root), ensure_ascii=False)[1:-1] if in_json else str(root)
    return _PROJECT.sub(lambda _: own, text)
