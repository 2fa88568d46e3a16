"""The ELBV2 service."""

from __future__ import annotations

from typing import ClassVar

from samjhadoo_ops.emulator.service import LiveService


class Elbv2(LiveService):
    """The ELBV2 API."""

    name: ClassVar[str] = "elbv2"
