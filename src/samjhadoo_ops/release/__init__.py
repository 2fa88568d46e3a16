"""A release: its version, its image, and the task definition that names the image by digest."""

from __future__ import annotations

from samjhadoo_ops.release.builder import build, version_here, wanted
from samjhadoo_ops.release.identity import Identity, identify
from samjhadoo_ops.release.image import BuiltImage, PushedImage
from samjhadoo_ops.release.promotion import existing
from samjhadoo_ops.release.pusher import push
from samjhadoo_ops.release.task_definition import render_task_definition

__all__ = [
    "BuiltImage",
    "Identity",
    "PushedImage",
    "build",
    "existing",
    "identify",
    "push",
    "render_task_definition",
    "version_here",
    "wanted",
]
