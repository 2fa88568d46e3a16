"""Removing secrets from text of other programs: an application's log lines, a database's errors.

A `Secret` never prints itself, but an application may log its password.
"""

from __future__ import annotations

import re
import threading

REDACTED = "***"
SHORTEST = 6
"""The length from which a secret value is removed; shorter ones would be found everywhere."""
STRONG = 16
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0a-\x1f\x7f-\x9f]"
)
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
    """Remember a secret value, so that `clean` removes it from every text."""
    parts = [line for line in value.splitlines() if len(line) >= STRONG]
    with _lock:
        _secrets.update(part for part in (value, *parts) if len(part) >= SHORTEST)


def clean(text: str) -> str:
    """Return a text of another program without secrets and control characters, so that it can be shown.

    A short value of letters only is removed where it is a whole word: a weak password may be an ordinary word
    that is part of other names.
    """
    with _lock:
        values = sorted(_secrets, key=len, reverse=True)
    for value in values:
        if value in text:
            text = re.sub(_whole(value) if _weak(value) else re.escape(value), REDACTED, text)
    return _CONTROL.sub(" ", _PATTERNS.sub(REDACTED, text))


def _weak(value: str) -> bool:
    return len(value) < STRONG and value.isalpha()


def _whole(value: str) -> str:
    return rf"(?<![\w.-]){re.escape(value)}(?![\w-])"
