"""Rehearse and release ECS deployments: Invoke tasks with a local emulation stack that really runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samjhadoo_ops.tasks import ns

__all__ = ["ns"]


def __getattr__(name: str) -> Any:
    """Load the Invoke namespace on first use: other importers do not need it."""
    if name == "ns":
        from samjhadoo_ops.tasks import ns

        return ns
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
