"""The OCI distribution API at `/v2`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from samjhadoo_ops.emulator.edge import Edge


def distribution_application(edge: Callable[[], Edge]) -> ASGIApp:
    """Return the registry."""
    return Starlette(routes=[])
