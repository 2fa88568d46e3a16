"""The ECR service."""

from __future__ import annotations

from typing import ClassVar

from samjhadoo_ops.emulator.service import LiveService


class Ecr(LiveService):
    """The ECR API."""

    name: ClassVar[str] = "ecr"
