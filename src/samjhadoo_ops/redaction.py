"""Keeping secrets out of texts that others wrote: an application's log lines, errors of a database.

A `Secret` never prints itself. But what an application logs is its own, and it may log its password.
"""

from __future__ import annotations

import re
import threading

REDACTED = "***"
SHORTEST = 6
"""Shorter values are not looked for: they would be found everywhere."""
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

_known: set[str] = set()
_knowing = threading.Lock()


def keep_out(value: str) -> None:
    """Remember a secret value: `clean` takes it out of every text."""
    parts = [line for line in value.splitlines() if len(line) >= STRONG]
    with _knowing:
        _known.update(part for part in (value, *parts) if len(part) >= SHORTEST)


def clean(text: str) -> str:
    """Return a foreign text fit to be shown: without secrets and without control characters.

    A value that is short and one plain word is taken out where it stands alone: a weak password may be
    a word that names other things, too.
    """
    with _knowing:
        values = sorted(_known, key=len, reverse=True)
    for value in values:
        if value in text:
            text = re.sub(_whole(value) if _weak(value) else re.escape(value), REDACTED, text)
    return _CONTROL.sub(" ", _PATTERNS.sub(REDACTED, text))


def _weak(value: str) -> bool:
    return len(value) < STRONG and value.isalpha()


def _whole(value: str) -> str:
    return rf"(?<![\w.-]){re.escape(value)}(?![\w-])"
