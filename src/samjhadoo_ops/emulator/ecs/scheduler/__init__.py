"""The service scheduler: one loop per service that makes the world match what its deployments want."""

from samjhadoo_ops.emulator.ecs.scheduler.scheduler import Scheduler

__all__ = ["Scheduler"]
