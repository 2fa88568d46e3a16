"""The control endpoint's faults, and what those do that strike at once: tasks die, a clock jumps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from samjhadoo_emulator.errors import AwsError, invalid_parameter, validation_error
from samjhadoo_emulator.faults.kinds import (
    ClockJump,
    Disturbance,
    KilledTask,
    OfTasks,
    PartitionedTask,
    SecondDeployer,
    fault_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from samjhadoo_emulator.ecs.service import Ecs
    from samjhadoo_emulator.ecs.tasks import Task
    from samjhadoo_emulator.edge import Edge

EARLIEST, LATEST = 31536000.0, 221845391999.0
"""Unix times within which dates can be computed with; far enough from the ends for what is added to them."""
Action = KilledTask | PartitionedTask | SecondDeployer | ClockJump


async def act(edge: Edge, fault: Action) -> dict[str, Any]:
    """Carry out a fault; return what it did.

    Raises:
        AwsError: There is no such task or service, or no date can be so late or early.
    """
    if isinstance(fault, ClockJump):
        if not EARLIEST <= edge.host.clock.timestamp() + fault.minutes * 60 <= LATEST:
            raise validation_error("The clock cannot jump out of the years 1971 to 8999.")
        edge.host.jumps.offset += edge.host.clock.real(fault.minutes * 60)
        for service in edge.live.values():
            service.clock_jumped()
        return {"now": edge.host.clock.timestamp()}
    region = fault.region or edge.region
    if isinstance(fault, SecondDeployer):
        return await _deploy(edge, fault, region)
    tasks = _tasks(await edge.service("ecs", region), fault)
    if isinstance(fault, KilledTask):
        for task in tasks:
            for handle in _handles(task):
                handle.kill()
        return {"tasks": [task.arn for task in tasks]}
    for task in tasks:
        for handle in _handles(task):
            handle.suspend()
    entry = edge.host.faults.add(fault, undo=_resuming(tasks), struck=len(tasks))
    return {"id": entry.id, "tasks": [task.arn for task in tasks]}


async def _deploy(edge: Edge, fault: SecondDeployer, region: str) -> dict[str, Any]:
    params: dict[str, Any] = {"cluster": fault.cluster, "service": fault.service}
    if fault.task_definition:
        params["taskDefinition"] = fault.task_definition
    else:
        params["forceNewDeployment"] = True
    answer = await edge.dispatch("ecs", "UpdateService", region, params)
    return {"deployment": answer["service"]["currentServiceDeployment"]}


def _tasks(ecs: Ecs, fault: OfTasks) -> list[Task]:
    running = [task for task in ecs.tasks.tasks.values() if task.last_status == "RUNNING"]
    if fault.task:
        found = [task for task in running if fault.task in (task.id, task.arn)]
    else:
        cluster = ecs.cluster(fault.cluster)
        group = f"service:{fault.service}"
        found = [task for task in running if task.group == group and task.cluster_arn == cluster.arn]
        found = sorted(found, key=lambda task: -task.number)[: fault.count]
    if not found:
        raise invalid_parameter("There is no such running task.")
    return found


def _handles(task: Task) -> list[Any]:
    return [state.handle for state in task.containers if state.handle is not None and state.essential]


def _resuming(tasks: list[Task]) -> Callable[[], None]:
    def resume() -> None:
        for task in tasks:
            for handle in _handles(task):
                handle.resume()

    return resume


def fault_routes(prefix: str, edge: Callable[[], Edge]) -> list[Route]:
    """Return the routes under `prefix`."""

    async def add(request: Request) -> JSONResponse:
        try:
            fault = fault_of(await request.body())
            if isinstance(fault, Disturbance):
                return JSONResponse(edge().host.faults.add(fault).document(), status_code=201)
            return JSONResponse(await act(edge(), fault), status_code=201)
        except (msgspec.DecodeError, AwsError) as error:
            return JSONResponse({"message": str(error)}, status_code=400)

    async def show(_: Request) -> JSONResponse:
        return JSONResponse([entry.document() for entry in edge().host.faults.entries.values()])

    async def clear(_: Request) -> Response:
        edge().host.faults.clear()
        return Response(status_code=204)

    async def remove(request: Request) -> Response:
        found = edge().host.faults.remove(request.path_params["id"])
        return (
            Response(status_code=204)
            if found
            else JSONResponse({"message": "There is no such fault."}, status_code=404)
        )

    return [
        Route(f"{prefix}/faults", add, methods=["POST"]),
        Route(f"{prefix}/faults", show, methods=["GET"]),
        Route(f"{prefix}/faults", clear, methods=["DELETE"]),
        Route(f"{prefix}/faults/{{id}}", remove, methods=["DELETE"]),
    ]
