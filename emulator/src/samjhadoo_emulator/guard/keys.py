"""The keys that an emulator accepts: its own, and those of its tasks' roles.

AWS clients send a key as their access key id, Docker's and other HTTP clients as a password (HTTP's Basic).
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import stat
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from samjhadoo_emulator.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

MOST_ISSUED = 500
"""Keys; older ones are forgotten."""
_SIGNED = re.compile(r"Credential=([\w-]+)/|^AWS ([\w-]+):")
_KEY = re.compile(r"[A-Za-z][\w-]{15,127}", re.ASCII)


def new_key() -> str:
    """Return a random key."""
    return f"emulator{secrets.token_hex(16)}"


OWN_CALLS = new_key()
"""The access key id, or password, of the calls that the emulator's own services make."""


class Keys:
    """Keys that clients may send.

    Args:
        key: The emulator's own; a random one by default.

    Attributes:
        key: The emulator's own.
    """

    def __init__(self, key: str = "") -> None:
        self.key = key or new_key()
        self._issued: dict[str, float] = {}

    def issue(self, key: str, seconds: float) -> None:
        """Accept a further key for some real seconds."""
        now = time.monotonic()
        valid = [(each, until) for each, until in self._issued.items() if until > now]
        self._issued = {**dict(valid[-MOST_ISSUED:]), key: now + seconds}

    def accepts(self, authorization: str, query: str) -> bool:
        """Return whether a request carries one of the keys."""
        return any(
            sent in (self.key, OWN_CALLS) or self._issued.get(sent, 0.0) > time.monotonic()
            for sent in _sent(authorization, query)
        )


def key_of(file: Path) -> str:
    """Return the key in a file, which is made, for its owner only, if there is none.

    Raises:
        ConfigurationError: The file holds no key, or others can read it.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    except OSError as error:
        raise ConfigurationError(f"--key-file: {error}") from error
    else:
        with os.fdopen(descriptor, "w", encoding="ascii") as made:
            made.write(f"{new_key()}\n")
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--key-file {file}: {error}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigurationError(f"--key-file {file}: others can read it", hint=f"chmod 600 {file}")
    if not _KEY.fullmatch(text):
        raise ConfigurationError(
            f"--key-file {file}: no key in it: expected a letter and at least 15 more letters, digits, - or _"
        )
    return text


def _sent(authorization: str, query: str) -> list[str]:
    """Return the access key ids and the password of a request."""
    found = []
    if authorization[:6].lower() == "basic ":
        try:
            found.append(base64.b64decode(authorization[6:], validate=True).decode().partition(":")[2])
        except ValueError:
            return []
    elif match := _SIGNED.search(authorization):
        found.append(match[1] or match[2])
    if "X-Amz-Credential=" in query or "AWSAccessKeyId=" in query:
        fields = parse_qs(query)
        found += [each.partition("/")[0] for each in fields.get("X-Amz-Credential", [])]
        found += fields.get("AWSAccessKeyId", [])
    return found
