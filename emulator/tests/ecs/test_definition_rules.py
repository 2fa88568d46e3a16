"""RegisterTaskDefinition's refusals, one table."""

from __future__ import annotations

from typing import Any

import pytest

from samjhadoo_emulator.ecs import definition_rules
from samjhadoo_emulator.errors import AwsError

ROLE = "arn:aws:iam::000000000000:role/execution"
SECRET = {"name": "X", "valueFrom": "/x"}
LOGS = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": "g", "awslogs-region": "r", "awslogs-stream-prefix": "p"},
}


def container(**members: Any) -> dict[str, Any]:
    return {"name": "app", "image": "app:1", **members}


def definition(*containers: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "family": "web",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": ROLE,
        "containerDefinitions": list(containers) or [container()],
        **members,
    }


def size(cpu: str, memory: str) -> dict[str, Any]:
    return definition(cpu=cpu, memory=memory)


def no_size(cpu: int, memory: int) -> str:
    return (
        f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. "
        "See the Amazon ECS documentation for the valid values."
    )


def invalid(name: str) -> str:
    return (
        f"Invalid '{name}' setting for task. For more information, see the Troubleshooting section of the "
        "Amazon ECS Developer Guide."
    )


SHARED = (
    "The secret name must be unique and not shared with any new or existing environment variables set on the "
    "container, such as 'X'."
)
ROLE_NEEDED = "Fargate requires task definition to have execution role ARN to support"
PORTS = "When networkMode=awsvpc, the host ports and container ports in port mappings must match."
REFUSED = [
    (definition(family="a b"), "Family contains invalid characters."),
    (size("256", "64"), no_size(256, 64)),
    (size("1024", "1024"), no_size(1024, 1024)),
    (size("256", "1536"), no_size(256, 1536)),
    (size("300", "512"), no_size(300, 512)),
    (size("8 vCPU", "17 GB"), no_size(8192, 17408)),
    (size("much", "512"), invalid("cpu")),
    (size("1 GB", "512"), invalid("cpu")),
    (size("256", "half"), invalid("memory")),
    (size("256", ""), "Fargate requires that 'memory' be defined at the task level."),
    (definition(networkMode="bridge"), "Fargate only supports network mode \u2018awsvpc\u2019."),
    (definition(pidMode="host"), "Tasks using the Fargate launch type do not support pidMode 'host'. "),
    (definition(ipcMode="host"), "Fargate compatible task definitions do not support ipcMode"),
    (definition(container(privileged=True)), "Fargate compatible task definitions do not support privileged"),
    (
        definition(volumes=[{"name": "v", "host": {"sourcePath": "/"}}]),
        "Fargate compatible task definitions do not support sourcePath",
    ),
    (definition(*(container(name=f"c{i}") for i in range(11))), "Container list cannot have more than 10"),
    (definition(container(), container()), "Container names should be unique within a task definition."),
    (definition(container(name="a.b")), "Container.name contains invalid characters."),
    (definition(container(image="")), "Container.image should not be null or empty."),
    (definition(container(image="$IMAGE:1")), "Container.image contains invalid characters."),
    (definition(container(essential=False)), "Task definition does not have any essential containers."),
    (definition(container(memory=1024)), "The 'memory' setting for container is greater than for the task."),
    (definition(container(cpu=512)), "The 'cpu' setting for container is greater than for the task."),
    (definition(container(portMappings=[{"containerPort": 80, "hostPort": 8080}])), PORTS),
    (
        definition(container(memory=3)),
        "Invalid setting for container 'app'. The minimum of 'memory'",
    ),
    (definition(container(memoryReservation=-1)), "The minimum of 'memoryReservation' is 4 MiB."),
    (definition(container(memory=100, memoryReservation=101)), "'memory' must be greater than or equal to"),
    (definition(container(cpu=-1)), "'cpu' must not be negative."),
    (
        definition(container(cpu=200), container(name="b", cpu=57)),
        "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
    ),
    (
        definition(container(memoryReservation=300), container(name="b", memoryReservation=213)),
        "The sum of all container 'memoryReservation' values cannot be greater than the value of the task",
    ),
    (
        definition(container(linuxParameters={"capabilities": {"add": ["SYS_PTRACE", "SYS_ADMIN"]}})),
        "Fargate compatible task definitions do not support the capability SYS_ADMIN",
    ),
    (
        definition(pidMode="sideways", requiresCompatibilities=["EC2"]),
        "Invalid 'pidMode' sideways: ",
    ),
    (
        definition(container(portMappings=[{"containerPort": 80, "protocol": "icmp"}])),
        "Invalid protocol",
    ),
    (definition(container(portMappings=[{"containerPort": 80000}])), "Invalid port 80000"),
    (definition(container(secrets=[SECRET], environment=[{"name": "X", "value": "1"}])), SHARED),
    (definition(container(secrets=[SECRET, SECRET])), SHARED),
    (
        definition(container(secrets=[SECRET]), executionRoleArn=""),
        "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
    ),
    (
        definition(container(logConfiguration=LOGS), executionRoleArn=""),
        f"{ROLE_NEEDED} log driver awslogs.",
    ),
    (
        definition(container(image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/a"), executionRoleArn=""),
        f"{ROLE_NEEDED} ECR images.",
    ),
    (
        definition(container(logConfiguration={"logDriver": "paper"}), requiresCompatibilities=["EC2"]),
        "Log driver paper is not one of: ",
    ),
    (
        definition(container(logConfiguration={"logDriver": "syslog"})),
        "Fargate compatible task definitions do not support log driver syslog",
    ),
    (
        definition(container(logConfiguration={"logDriver": "awslogs"})),
        "Log driver awslogs requires options: awslogs-region, awslogs-group, awslogs-stream-prefix",
    ),
    (definition(container(mountPoints=[{"sourceVolume": "v"}])), "Unknown volume 'v'."),
    (definition(container(healthCheck={"command": ["curl"]})), "must begin with CMD or CMD-SHELL."),
    (
        definition(container(healthCheck={"command": ["CMD", "true"], "interval": 1})),
        "interval of container 'app' must be between 5 and 300.",
    ),
    (
        definition(container(dependsOn=[{"containerName": "db", "condition": "START"}])),
        "depends on 'db', which does not exist.",
    ),
    (
        definition(
            container(), container(name="b", dependsOn=[{"containerName": "app", "condition": "HEALTHY"}])
        ),
        "which has no health check.",
    ),
    (
        definition(
            container(), container(name="b", dependsOn=[{"containerName": "app", "condition": "COMPLETE"}])
        ),
        "which is essential.",
    ),
    (
        definition(
            container(dependsOn=[{"containerName": "b", "condition": "START"}]),
            container(name="b", dependsOn=[{"containerName": "app", "condition": "START"}]),
            container(name="c", dependsOn=[{"containerName": "app", "condition": "START"}]),
        ),
        "The containers app, b, c depend on one another in a circle.",
    ),
    (
        definition(requiresCompatibilities=["EC2"], cpu="", memory=""),
        "Invalid setting for container 'app'. At least one of 'memory' or 'memoryReservation' must be ",
    ),
]


@pytest.mark.parametrize(("params", "words"), REFUSED, ids=[words[:60] for _, words in REFUSED])
def test_a_task_definition_that_cannot_run_is_refused(params: dict[str, Any], words: str) -> None:
    with pytest.raises(AwsError) as caught:
        definition_rules.check(params)
    assert caught.value.code == "ClientException"
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("cpu", "memory", "units", "mebibytes"),
    [
        ("256", "512", "256", "512"),
        (".25 vCPU".replace(".", "0."), "0.5GB", "256", "512"),
        ("1 vcpu", "8 gb", "1024", "8192"),
        ("4096", "30 GB", "4096", "30720"),
        ("16 vCPU", "120GB", "16384", "122880"),
    ],
)
def test_sizes_may_be_given_in_vcpus_and_gigabytes(cpu: str, memory: str, units: str, mebibytes: str) -> None:
    params = size(cpu, memory)
    definition_rules.check(params)
    assert (params["cpu"], params["memory"]) == (units, mebibytes)


def test_all_that_fargate_supports_is_taken() -> None:
    definition_rules.check(
        definition(
            container(
                logConfiguration=LOGS,
                secrets=[SECRET],
                environment=[{"name": "Y", "value": "1"}],
                portMappings=[{"containerPort": 80, "hostPort": 80}, {"containerPort": 81}],
                healthCheck={"command": ["CMD-SHELL", "true"], "interval": 5, "startPeriod": 0},
                mountPoints=[{"sourceVolume": "scratch", "containerPath": "/tmp"}],
            ),
            container(
                name="sidecar",
                essential=False,
                memoryReservation=64,
                dependsOn=[{"containerName": "app", "condition": "HEALTHY"}],
            ),
            volumes=[{"name": "scratch"}],
            pidMode="task",
        )
    )


def test_fargate_takes_temporary_file_systems() -> None:
    tmpfs = {"tmpfs": [{"containerPath": "/tmp", "size": 64}]}
    definition_rules.check(definition(container(linuxParameters=tmpfs, readonlyRootFilesystem=True)))
