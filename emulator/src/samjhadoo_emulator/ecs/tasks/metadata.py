"""The task metadata endpoint, version 4, and the task role's credentials, as a container requests them.

On AWS they are at 169.254.170.2, a link-local address; here they are on the edge, under `/_ecs`, where
the containers' variables point. The documents are those of the ECS developer guide (task metadata endpoint
version 4 for tasks on Fargate).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.processes import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from samjhadoo_emulator.ecs.tasks.task import ContainerState, Task
    from samjhadoo_emulator.edge import Edge
    from samjhadoo_emulator.service import AwsApi

PREFIX = "/_ecs"
SESSION_SECONDS = 3600
"""How long the credentials of a task role are valid; real seconds."""


def variables(edge_url: str, task: Task, container: ContainerState) -> dict[str, str]:
    """Return the variables that ECS gives a container so that it can ask about itself."""
    name = f"{task.id}-{_number(task, container)}"
    found = {
        "ECS_CONTAINER_METADATA_URI": f"{edge_url}{PREFIX}/v3/{name}",
        "ECS_CONTAINER_METADATA_URI_V4": f"{edge_url}{PREFIX}/v4/{name}",
    }
    if task_role(task):
        # Clients accept a full address on loopback; a relative one would be at 169.254.170.2.
        found["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{edge_url}{PREFIX}/v2/credentials/{name}"
    return found


def task_role(task: Task) -> str:
    """Return the ARN of the role that a task's containers act as; empty if it has none."""
    overrides, definition = task.request.overrides, task.request.task_definition
    return str(overrides.get("taskRoleArn") or definition.get("taskRoleArn") or "")


def find(tasks: dict[str, Task], name: str) -> tuple[Task, ContainerState] | None:
    """Return the task and container that a name in the endpoint's paths stands for."""
    task_id, _, number = name.partition("-")
    for task in tasks.values():
        if task.id == task_id:
            return next(
                ((task, each) for each in task.containers if _number(task, each) == number),
                None,
            )
    return None


async def credentials(aws: AwsApi, task: Task) -> dict[str, Any]:
    """Return credentials of the task role, as STS gives them."""
    role = task_role(task)
    if not role:
        raise AwsError("NoIdInRequest", "CredentialsV2Request: No Credential ID in the request")
    answer = await aws.call(
        "sts", "AssumeRole", RoleArn=role, RoleSessionName=task.id, DurationSeconds=SESSION_SECONDS
    )
    given = answer["Credentials"]
    expires = datetime.fromtimestamp(time.time() + SESSION_SECONDS, UTC)
    return {
        "RoleArn": role,
        "AccessKeyId": given["AccessKeyId"],
        "SecretAccessKey": given["SecretAccessKey"],
        "Token": given["SessionToken"],
        "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def container_document(task: Task, container: ContainerState) -> dict[str, Any]:
    """Return `${ECS_CONTAINER_METADATA_URI_V4}`."""
    definition = container.definition
    document: dict[str, Any] = {
        "DockerId": container.handle.runtime_id if container.handle else "",
        "Name": container.name,
        "DockerName": container.name,
        "Image": definition["image"],
        "ImageID": container.image_digest,
        "Labels": {
            "com.amazonaws.ecs.cluster": task.cluster_arn,
            "com.amazonaws.ecs.container-name": container.name,
            "com.amazonaws.ecs.task-arn": task.arn,
            "com.amazonaws.ecs.task-definition-family": task.family,
            "com.amazonaws.ecs.task-definition-version": _revision(task),
            **definition.get("dockerLabels", {}),
        },
        "DesiredStatus": task.desired_status,
        "KnownStatus": container.last_status,
        "Limits": _limits(definition.get("cpu"), definition.get("memory")),
        "CreatedAt": _written(task.pull_stopped_at),
        "StartedAt": _written(task.started_at),
        "Type": "NORMAL",
        "ContainerARN": container.arn,
        "LogDriver": (definition.get("logConfiguration") or {}).get("logDriver"),
        "LogOptions": _log_options(task, container),
        "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": [LOOPBACK]}],
        "Snapshotter": "overlayfs",
    }
    if container.checked:
        document["Health"] = {"status": container.health_status}
    if container.exit_code is not None:
        document["ExitCode"] = container.exit_code
    return {name: value for name, value in document.items() if value not in (None, "", {})}


def task_document(task: Task) -> dict[str, Any]:
    """Return `${ECS_CONTAINER_METADATA_URI_V4}/task`."""
    definition = task.request.task_definition
    cpu, memory = definition.get("cpu"), definition.get("memory")
    document = {
        "Cluster": task.cluster_arn,
        "TaskARN": task.arn,
        "Family": task.family,
        "Revision": _revision(task),
        "DesiredStatus": task.desired_status,
        "KnownStatus": task.last_status,
        "Limits": _limits(int(cpu) / 1024 if cpu else None, int(memory) if memory else None),
        "PullStartedAt": _written(task.pull_started_at),
        "PullStoppedAt": _written(task.pull_stopped_at),
        "AvailabilityZone": f"{task.arn.split(':')[3]}a",
        "LaunchType": task.launch_type,
        "ServiceName": task.group.removeprefix("service:") if task.group.startswith("service:") else "",
        "Containers": [container_document(task, each) for each in task.containers],
        "ClockDrift": {"ClockSynchronizationStatus": "SYNCHRONIZED"},
    }
    return {name: value for name, value in document.items() if value not in (None, "", {})}


async def statistics(container: ContainerState) -> dict[str, Any] | None:
    """Return `${ECS_CONTAINER_METADATA_URI_V4}/stats` as far as it is known: CPU (nanoseconds) and memory."""
    usage = await container.handle.usage() if container.handle else None
    if usage is None or container.handle is None:
        return None
    limit = container.definition.get("memory")
    return {
        "id": container.handle.runtime_id,
        "name": container.name,
        "read": _written(datetime.now(UTC)),
        "cpu_stats": {"cpu_usage": {"total_usage": round(usage.cpu_seconds * 1e9)}},
        "memory_stats": {
            "usage": usage.memory_bytes,
            **({"limit": limit << 20} if limit else {}),
        },
    }


def _number(task: Task, container: ContainerState) -> str:
    return f"{task.containers.index(container) + 1:010d}"


def _revision(task: Task) -> str:
    return task.task_definition_arn.rpartition(":")[2]


def _limits(cpu: float | None, memory: int | None) -> dict[str, Any]:
    return {name: value for name, value in (("CPU", cpu), ("Memory", memory)) if value}


def _log_options(task: Task, container: ContainerState) -> dict[str, str]:
    configuration = container.definition.get("logConfiguration") or {}
    options: dict[str, str] = dict(configuration.get("options") or {})
    if configuration.get("logDriver") == "awslogs" and options.get("awslogs-stream-prefix"):
        options["awslogs-stream"] = f"{options.pop('awslogs-stream-prefix')}/{container.name}/{task.id}"
    return options


def _written(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else ""


def metadata_application(edge: Callable[[], Edge]) -> Starlette:
    """Return the endpoint of the edge that `edge` gives (it exists after this application)."""

    def asked(request: Request) -> tuple[Any, Task, ContainerState] | None:
        regions: list[Any] = [service for (name, _), service in edge().live.items() if name == "ecs"]
        for service in regions:
            found = find(service.tasks.tasks, request.path_params["name"])
            if found:
                return service, *found
        return None

    async def document(request: Request) -> JSONResponse:
        found = asked(request)
        if found is None:
            return _missing("V4 metadata handler: unable to get task arn from request")
        _, task, container = found
        return await _document(task, container, request.path_params.get("kind", ""))

    async def credentials_of_role(request: Request) -> JSONResponse:
        found = asked(request)
        if found is None or found[1].last_status == "STOPPED":
            return _missing("CredentialsV2Request: ID not found", code="InvalidIdInRequest")
        service, task, _ = found
        try:
            given = await credentials(service.aws, task)
            edge().host.keys.issue(given["AccessKeyId"], SESSION_SECONDS)
            return JSONResponse(given)
        except AwsError as error:
            return JSONResponse(
                {"code": error.code, "message": error.message, "HTTPErrorCode": 400}, status_code=400
            )

    return Starlette(
        routes=[
            Route(f"{PREFIX}/v2/credentials/{{name}}", credentials_of_role),
            *(
                Route(f"{PREFIX}/{version}/{{name}}{rest}", document)
                for version in ("v3", "v4")
                for rest in ("", "/", "/{kind:path}")
            ),
        ]
    )


async def _document(task: Task, container: ContainerState, kind: str) -> JSONResponse:
    if not kind:
        return JSONResponse(container_document(task, container))
    if kind == "task":
        return JSONResponse(task_document(task))
    if kind == "taskWithTags":
        tags = {tag["key"]: tag.get("value", "") for tag in task.tags}
        return JSONResponse({**task_document(task), "TaskTags": tags})
    if kind == "stats":
        return JSONResponse(await statistics(container))
    if kind == "task/stats":
        running = list(task.containers)
        found = {each.handle.runtime_id: await statistics(each) for each in running if each.handle}
        return JSONResponse(found)
    return _missing("404 page not found")


def _missing(message: str, *, code: str = "NotFound") -> JSONResponse:
    return JSONResponse({"code": code, "message": message, "HTTPErrorCode": 404}, status_code=404)
