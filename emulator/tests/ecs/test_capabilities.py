"""What a registered task definition shows beyond what was given, as Terraform and the CLI compare it."""

from __future__ import annotations

import pytest

from samjhadoo_emulator.ecs.capabilities import required_attributes

AGENT, ECS = "com.amazonaws.ecs.capability.", "ecs.capability."
ECR = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1"


def container(**more):
    return {"name": "web", "image": "public.ecr.aws/web:1", **more}


@pytest.mark.parametrize(
    ("definition", "names"),
    [
        ({}, []),
        ({"networkMode": "awsvpc"}, [f"{ECS}task-eni"]),
        ({"taskRoleArn": "r"}, [f"{AGENT}task-iam-role"]),
        ({"executionRoleArn": "r", "containerDefinitions": [container(image=ECR)]},
         [f"{AGENT}ecr-auth", f"{ECS}execution-role-ecr-pull"]),
        ({"executionRoleArn": "r",
          "containerDefinitions": [container(logConfiguration={"logDriver": "awslogs"})] * 2},
         [f"{AGENT}docker-remote-api.1.19", f"{AGENT}logging-driver.awslogs",
          f"{ECS}execution-role-awslogs"]),
        ({"containerDefinitions": [container(secrets=[
            {"name": "A", "valueFrom": "arn:aws:secretsmanager:eu-west-1:1:secret:a"},
            {"name": "B", "valueFrom": "/b"}])]},
         [f"{ECS}secrets.asm.environment-variables", f"{ECS}secrets.ssm.environment-variables"]),
        ({"containerDefinitions": [container(dependsOn=[{"containerName": "x", "condition": "START"}])]},
         [f"{ECS}container-ordering"]),
    ],
)  # fmt: skip
def test_a_definition_asks_for_what_its_members_need(definition, names):
    definition = {"containerDefinitions": [container()], **definition}
    found = [each["name"] for each in required_attributes(definition)]
    assert found == sorted([f"{AGENT}docker-remote-api.1.18", *names])


def test_what_was_not_given_is_shown_with_awss_defaults(noop_emulator):
    ecs = noop_emulator.client("ecs")
    registered = ecs.register_task_definition(
        family="shared",
        containerDefinitions=[container(memory=64)],
        volumes=[{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}],
    )["taskDefinition"]
    assert registered["containerDefinitions"][0]["systemControls"] == []
    assert registered["volumes"][0]["efsVolumeConfiguration"]["rootDirectory"] == "/"
    assert {"name": f"{ECS}efsAuth"} in registered["requiresAttributes"]
    assert ecs.describe_task_definition(taskDefinition="shared")["taskDefinition"] == registered
