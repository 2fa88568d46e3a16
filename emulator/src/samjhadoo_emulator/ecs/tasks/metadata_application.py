"""The HTTP side of the task metadata endpoint; see `metadata`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from samjhadoo_emulator.ecs.tasks import metadata
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from samjhadoo_emulator.ecs.tasks.task import ContainerState, Task
    from samjhadoo_emulator.edge import Edge


def metadata_application(edge: Callable[[], Edge]) -> Starlette:
    """Return the endpoint of the edge that `edge` gives (it exists after this application)."""

    def asked(request: Request) -> tuple[Any, Task, ContainerState] | None:
        regions: list[Any] = [service for (name, _), service in edge().live.items() if name == "ecs"]
        for service in regions:
            found = metadata.find(service.tasks.tasks, request.path_params["name"])
            if found:
                return service, *found
        return None

    async def document(request: Request) -> JSONResponse:
        found = asked(request)
        if found is None:
            return _missing("V4 metadata handler: unable to get task arn from request")
        _, task, container = found
        return await _document(task, container, request.path_params.get("kind", ""))

    async def credentials(request: Request) -> JSONResponse:
        found = asked(request)
        if found is None or found[1].last_status == "STOPPED":
            return _missing("CredentialsV2Request: ID not found", code="InvalidIdInRequest")
        service, task, _ = found
        try:
            return JSONResponse(await metadata.credentials(service.aws, task))
        except AwsError as error:
            return JSONResponse(
                {"code": error.code, "message": error.message, "HTTPErrorCode": 400}, status_code=400
            )

    return Starlette(
        routes=[
            Route(f"{metadata.PREFIX}/v2/credentials/{{name}}", credentials),
            *(
                Route(f"{metadata.PREFIX}/{version}/{{name}}{rest}", document)
                for version in ("v3", "v4")
                for rest in ("", "/", "/{kind:path}")
            ),
        ]
    )


async def _document(task: Task, container: ContainerState, kind: str) -> JSONResponse:
    if not kind:
        return JSONResponse(metadata.container_document(task, container))
    if kind == "task":
        return JSONResponse(metadata.task_document(task))
    if kind == "taskWithTags":
        tags = {tag["key"]: tag.get("value", "") for tag in task.tags}
        return JSONResponse({**metadata.task_document(task), "TaskTags": tags})
    if kind == "stats":
        return JSONResponse(await metadata.statistics(container))
    if kind == "task/stats":
        running = list(task.containers)
        found = {each.handle.runtime_id: await metadata.statistics(each) for each in running if each.handle}
        return JSONResponse(found)
    return _missing("404 page not found")


def _missing(message: str, *, code: str = "NotFound") -> JSONResponse:
    return JSONResponse({"code": code, "message": message, "HTTPErrorCode": 404}, status_code=404)
