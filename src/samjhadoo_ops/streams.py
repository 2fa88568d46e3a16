"""Writing to streams whatever their encoding and even when they are closed; JSON of any value."""

from __future__ import annotations

import json
import math
import os
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping


def write(stream: TextIO, text: str) -> None:
    """Print a line; escape what the stream's encoding lacks, and ignore that nobody reads the stream."""
    try:
        try:
            print(text, file=stream, flush=True)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except OSError:  # a closed pipe, a terminal that is gone, a full disk
        # A deployment must not stop half-way because its output is lost.
        _mute(stream)


def _mute(stream: TextIO) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def as_json(document: Mapping[str, Any]) -> str:
    """Return the document as one line of JSON; what JSON cannot represent (such as infinity) becomes text."""
    try:
        return json.dumps(document, default=_plain, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(document), default=_plain)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    """Return what JSON cannot represent as text; a secret's text is stars."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    return str(value)
