"""Pages of a list: `Marker` and `PageSize`."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from samjhadoo_emulator.elbv2.refusals import invalid

PAGE_SIZE = 400


def page(member: str, items: list[Any], params: dict[str, Any]) -> dict[str, Any]:
    """Return the page that `params` ask for, and where the next one starts.

    Raises:
        AwsError: The marker is not one that was handed out.

    """
    start = _position(params["Marker"]) if params.get("Marker") else 0
    end = start + int(params.get("PageSize") or PAGE_SIZE)
    result: dict[str, Any] = {member: items[start:end]}
    if end < len(items):
        result["NextMarker"] = base64.b64encode(f"position:{end}".encode()).decode()
    return result


def _position(marker: str) -> int:
    try:
        return int(base64.b64decode(marker, validate=True).decode().removeprefix("position:"))
    except (binascii.Error, ValueError) as error:
        raise invalid(f"The marker '{marker}' is not valid") from error
