"""Amazon ECS: clusters, task definitions and services."""

from __future__ import annotations

from samjhadoo_emulator.cloudformation.resources.ecs import clusters, services, task_definitions

TYPES = (*clusters.TYPES, *task_definitions.TYPES, *services.TYPES)
