"""The service scheduler: one loop per service that makes the world match what its deployments want."""

from samjhadoo_emulator.ecs.scheduler.scheduler import Scheduler

__all__ = ["Scheduler"]
