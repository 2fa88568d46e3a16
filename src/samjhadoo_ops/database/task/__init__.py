"""Flyway as a one-off task in the environment's cluster: how a database is reached that only tasks reach."""

from __future__ import annotations

from samjhadoo_ops.database.task.runner import EcsTask

__all__ = ["EcsTask"]
