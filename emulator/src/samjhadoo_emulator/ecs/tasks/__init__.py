"""Tasks: one run of a task definition each, the part of ECS below services."""

from __future__ import annotations

from samjhadoo_emulator.ecs.tasks.operations import TaskOperations
from samjhadoo_emulator.ecs.tasks.request import TaskRequest
from samjhadoo_emulator.ecs.tasks.store import Tasks
from samjhadoo_emulator.ecs.tasks.task import ContainerState, Task

__all__ = ["ContainerState", "Task", "TaskOperations", "TaskRequest", "Tasks"]
