"""The ECS service."""

from __future__ import annotations

from typing import ClassVar

from samjhadoo_ops.emulator.service import LiveService


class Ecs(LiveService):
    """The ECS API."""

    name: ClassVar[str] = "ecs"
