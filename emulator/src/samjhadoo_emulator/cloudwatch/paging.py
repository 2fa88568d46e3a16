"""Pages of a list: `NextToken`."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from samjhadoo_emulator.errors import AwsError


def page(items: list[Any], token: str | None, size: int) -> tuple[list[Any], str | None]:
    """Return the page that a token names, and the next one's token.

    Raises:
        AwsError: The token is not one that was handed out.

    """
    start = position(token)
    end = start + size
    return items[start:end], token_of(end) if end < len(items) else None


def token_of(at: int) -> str:
    """Return the token of a position."""
    return base64.b64encode(f"position:{at}".encode()).decode()


def position(token: str | None) -> int:
    """Return the position that a token names; 0 without one.

    Raises:
        AwsError: The token is not one that was handed out.

    """
    if not token:
        return 0
    try:
        return int(base64.b64decode(token, validate=True).decode().removeprefix("position:"))
    except (binascii.Error, ValueError) as error:
        raise AwsError("InvalidNextToken", "The specified nextToken is invalid") from error
