"""A process and its descendants, read from the parent down.

psutil would read every process of the host: 7 ms with 200 of them, against 0.05 ms.
"""

from __future__ import annotations

import os
from pathlib import Path

import psutil


def process_tree(pid: int) -> list[psutil.Process]:
    """Return a process and its descendants, as far as they are still there."""
    try:
        first = psutil.Process(pid)
        if not Path(f"/proc/{pid}/task/{pid}/children").exists():
            return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []
    found = [pid]
    for each in found:
        found += _children(each)
    return [first, *_present(found[1:])]


def _children(pid: int) -> list[int]:
    """Return the processes that a process, by any of its threads, has started (Linux)."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - names are all that is wanted
        return [
            int(child)
            for thread in threads
            for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
        ]
    except OSError:  # it has ended meanwhile
        return []


def _present(pids: list[int]) -> list[psutil.Process]:
    present = []
    for pid in pids:
        try:
            present.append(psutil.Process(pid))
        except psutil.Error:
            continue
    return present
