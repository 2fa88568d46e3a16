"""What never leaves the tool: the values of secrets, and characters that command a terminal.

The console, the event file, the reports and the journal show text through `clean`.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

REDACTED = "***"
SHORTEST = 6
"""The length from which a secret value is removed; shorter ones would be found everywhere."""
STRONG = 16
_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
# Besides the control characters, what changes the direction of text, and Unicode's own line breaks.
_CHARACTERS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_CONTROL = re.compile(rf"[\n{_CHARACTERS}]")
_CONTROL_IN_LINES = re.compile(rf"[{_CHARACTERS}]")
_PATTERNS = re.compile(
    r"\b(?:(?:sk|rk)_(?:live|test)_|whsec_|AKIA|ASIA|xox[abeprs]-|gh[pousr]_|github_pat_)[A-Za-z0-9_+/=-]{8,}"
    r"|(?<=hooks\.slack\.com/services/)[A-Za-z0-9/]+"
    r"|(?<=://)[^/@\s:]+:[^/@\s]+(?=@)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)

_secrets: set[str] = set()
_lock = threading.Lock()


def register_secret(value: str) -> None:
    """Remember a secret value, so that `clean` removes it, as it is or escaped, from every text."""
    parts = [value, *(line for line in value.splitlines() if len(line) >= STRONG)]
    forms = [(part, json.dumps(part)[1:-1], repr(part)[1:-1], quote(part, "")) for part in parts]
    with _lock:
        _secrets.update(form for each in forms for form in each if len(form) >= SHORTEST)


def clean(text: str, *, lines: bool = False) -> str:
    """Return a text without secrets and control characters, so that it can be shown.

    A short value of only letters or digits is removed where it is a whole word: a weak password may be an
    ordinary word that is part of other names.

    Args:
        lines: Whether line breaks stay.
    """
    text = _masked(text)
    if "\x1b" in text:  # a secret that is coloured in parts is one only without the colours
        text = _masked(_SEQUENCE.sub("", text))
    text = text.replace("\r\n", "\n")
    return (_CONTROL_IN_LINES if lines else _CONTROL).sub(" ", text)


def _masked(text: str) -> str:
    with _lock:
        values = sorted(_secrets, key=len, reverse=True)
    for value in values:
        if value in text:
            text = re.sub(_whole(value) if _weak(value) else re.escape(value), REDACTED, text)
    return _PATTERNS.sub(REDACTED, text)


def cleaned(value: Any) -> Any:
    """Return a document in which every text is clean."""
    if isinstance(value, str):
        return clean(value, lines=True)
    if isinstance(value, Mapping):
        return {key: cleaned(item) for key, item in value.items()}
    return [cleaned(item) for item in value] if isinstance(value, (list, tuple)) else value


def _weak(value: str) -> bool:
    return len(value) < STRONG and (value.isalpha() or value.isdigit())


def _whole(value: str) -> str:
    return rf"(?<![\w.-]){re.escape(value)}(?![\w-])"
