"""The task definition of the migrations task, and the arguments of RunTask; nothing here does I/O.

ECS passes host, port, name, user and password from the database's secret to the container, and the tool never
sees them. Flyway's arguments are overrides of RunTask, so that one task definition serves every command.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.database.flyway import QUIET, VARIABLES
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samjhadoo_ops.environment import Environment

CONTAINER = "flyway"
PROJECT = PurePosixPath("/flyway/project")
"""The folder in the image that holds the folders with scripts, under their paths in the project."""
DIGEST_TAG = "samjhadoo-ops:definition"
"""The tag with the digest of a registered definition."""
BEGIN, END = "samjhadoo-ops: answer", "samjhadoo-ops: end"
"""The lines around Flyway's output in the log; the second has the exit code and the size in bytes."""
STOP_TIMEOUT = 10
_PREFIX = "flyway"
_CHECKED_FROM = 14
_MEMBERS = {
    "FLYWAY_USER": "username",
    "FLYWAY_PASSWORD": "password",
    "DATABASE_HOST": "host",
    "DATABASE_PORT": "port",
    "DATABASE_NAME": "dbname",
}
# A log mixes standard output and standard error, and may split long lines. So the output is printed after
# Flyway has ended, between marks and with its size. Empty lines are no log events: line ends are not counted.
_SCRIPT = f"""\
query=$1; shift
host=$DATABASE_HOST
case $host in *:*) host="[$host]";; esac
answer=${{TMPDIR:-/tmp}}/flyway-answer.$$
stopped=
flyway "-url=jdbc:postgresql://$host:$DATABASE_PORT/$DATABASE_NAME?$query" "$@" >"$answer" &
flyway=$!
trap 'stopped=1; kill -TERM "$flyway" 2>/dev/null' TERM INT
wait "$flyway"; code=$?
if [ -n "$stopped" ]; then wait "$flyway"; code=143; fi
echo "{BEGIN}"
cat "$answer"
echo
echo "{END} $code $(tr -d '\\r\\n' <"$answer" | wc -c | tr -d ' ')"
rm -f "$answer"
exit "$code"
"""


@dataclass(frozen=True)
class Placement:
    """Where the task runs and logs.

    Attributes:
        log_region: The log group's region.
        log_created: Whether ECS creates the log group (`awslogs-create-group`, as for the service).
    """

    cluster: str
    subnets: Sequence[str]
    security_groups: Sequence[str]
    log_group: str
    log_region: str
    log_created: bool = False

    def network(self) -> dict[str, Any]:
        """Return RunTask's network configuration."""
        return {
            "awsvpcConfiguration": {
                "subnets": list(self.subnets),
                "securityGroups": list(self.security_groups),
                "assignPublicIp": "DISABLED",
            }
        }


def family(env: Environment) -> str:
    """Return the family of an environment's migration tasks."""
    return f"{env.service.name}-migrate"


def log_options(env: Environment, template: Mapping[str, Any]) -> tuple[str, str, bool]:
    """Return log group, region and whether ECS creates the group, from the settings or the service.

    Raises:
        ConfigurationError: The settings have none, and the service does not log to CloudWatch Logs.
    """
    for container in template["containerDefinitions"]:
        logging = container.get("logConfiguration") or {}
        options = logging.get("options") or {}
        if container["name"] == env.service.container and logging.get("logDriver") == "awslogs":
            region = str(options.get("awslogs-region") or env.aws.region)
            if env.database.task.log_group:
                return env.database.task.log_group, region, False
            created = str(options.get("awslogs-create-group", "")).lower() == "true"
            return str(options.get("awslogs-group", "")), region, created
    if not env.database.task.log_group:
        raise ConfigurationError(
            f"database.task.log_group is empty, and the container {env.service.container} in "
            f"{env.service.task_definition} has no awslogs-group to take instead",
            hint="set it to a log group of CloudWatch Logs, from which the task's output is read",
        )
    return env.database.task.log_group, env.aws.region, False


def definition(
    env: Environment, template: Mapping[str, Any], placement: Placement, *, image: str, secret: str
) -> dict[str, Any]:
    """Return the arguments of RegisterTaskDefinition.

    Args:
        template: The service's task definition, for values that the settings leave empty.
        image: The migrations image, by digest.
        secret: The ARN of the database's secret.

    Raises:
        ConfigurationError: There is no execution role.
    """
    settings = env.database.task
    role = settings.execution_role or template.get("executionRoleArn")
    if not role:
        raise ConfigurationError(
            f"database.task.execution_role is empty, and {env.service.task_definition} has no "
            "executionRoleArn to take instead",
            hint="set it to the role with which ECS pulls the image, reads the secret and writes the log",
        )
    document = {
        "family": family(env),
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": str(settings.cpu),
        "memory": str(settings.memory),
        "executionRoleArn": role,
        "containerDefinitions": [
            {
                "name": CONTAINER,
                "image": image,
                "essential": True,
                "entryPoint": ["sh", "-c", _SCRIPT, "flyway"],
                "environment": [{"name": name, "value": value} for name, value in VARIABLES.items()],
                "secrets": [
                    {"name": name, "valueFrom": f"{secret}:{member}::"} for name, member in _MEMBERS.items()
                ],
                "stopTimeout": STOP_TIMEOUT,
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": placement.log_group,
                        "awslogs-region": placement.log_region,
                        "awslogs-stream-prefix": _PREFIX,
                        "mode": "blocking",  # the other mode drops lines of large output
                        **({"awslogs-create-group": "true"} if placement.log_created else {}),
                    },
                },
            }
        ],
    }
    if "runtimePlatform" in template:
        document["runtimePlatform"] = template["runtimePlatform"]
    return document


def digest(document: Mapping[str, Any]) -> str:
    """Return a digest that identifies a definition."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def log_stream(task_arn: str) -> str:
    """Return the log stream of a task."""
    return f"{_PREFIX}/{CONTAINER}/{task_arn.rpartition('/')[2]}"


def parameters(own: Mapping[str, str], *, engine_version: str) -> dict[str, str]:
    """Return the server parameters for the task's sessions.

    The tool cannot end the sessions of a stopped task. From version 14 on, PostgreSQL does so itself if it
    checks the client's connection.
    """
    major = engine_version.partition(".")[0]
    checked = major.isdecimal() and int(major) >= _CHECKED_FROM
    return {**own, **({"client_connection_check_interval": "2000"} if checked else {})}


def overrides(query: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Return RunTask's overrides; `query` is the query of the JDBC URL."""
    return {"containerOverrides": [{"name": CONTAINER, "command": [query, QUIET, *arguments]}]}
