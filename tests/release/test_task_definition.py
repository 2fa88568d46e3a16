"""Rendering the task definition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import ConfigurationError, ExitCode
from samjhadoo_ops.release import render_task_definition, task_definition

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "repo@sha256:abc"


@pytest.fixture
def template() -> dict[str, Any]:
    return {
        "family": "samjhadoo-backend",
        "cpu": "${cpu}",
        "memory": "${memory}",
        "containerDefinitions": [
            {"name": "sidecar", "image": "side:1", "memory": 64},
            {
                "name": "backend",
                "image": "placeholder",
                "portMappings": [{"containerPort": 8080}],
                "environment": [{"name": "WHERE", "value": "${environment} in ${region} of ${account}"}],
            },
        ],
    }


def render(project: Any, template: Any, **variables: str) -> dict[str, Any]:
    text = template if isinstance(template, str) else json.dumps(template)
    (project.context / "task-definition.json").write_text(text)
    return render_task_definition(project.env(**variables), IMAGE, "v1")


def refusal(project: Any, template: Any, **variables: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        render(project, template, **variables)
    assert caught.value.exit_code == ExitCode.USAGE
    return "\n".join([caught.value.message, *caught.value.details])


def test_the_image_is_named_by_digest_in_its_container_only(folder_project: Any, template: Any) -> None:
    containers = render(folder_project, template)["containerDefinitions"]
    assert [container["image"] for container in containers] == ["side:1", IMAGE]


def test_placeholders_are_filled(folder_project: Any, template: Any) -> None:
    template["family"] = "${name}-${version}"
    made = render(folder_project, template)
    assert (made["family"], made["cpu"], made["memory"]) == ("samjhadoo-service-v1", "256", "512")
    assert made["containerDefinitions"][1]["environment"][0]["value"] == "local in ap-south-1 of 000000000000"


@pytest.mark.parametrize(
    ("environment", "cpu", "memory"), [("staging", "2048", "8192"), ("production", "4096", "16384")]
)
def test_a_task_gets_what_the_plans_instance_type_has(environment: str, cpu: str, memory: str) -> None:
    env = load_environment(environment, root=ROOT, variables={})
    made = render_task_definition(env, IMAGE, "v1")
    assert (made["cpu"], made["memory"]) == (cpu, memory)


def test_a_variable_overrides_what_the_instance_type_has() -> None:
    env = load_environment("staging", root=ROOT, variables={"SAMJHADOO_SERVICE__VARIABLES__CPU": "4096"})
    made = render_task_definition(env, IMAGE, "v1")
    assert (made["cpu"], made["memory"]) == ("4096", "8192")


def test_a_placeholder_becomes_the_number_or_truth_that_its_place_asks_for(
    folder_project: Any, template: Any
) -> None:
    backend = template["containerDefinitions"][1]
    backend["portMappings"][0]["containerPort"] = "${PORT}"
    backend["essential"] = "${ESSENTIAL}"
    made = render(
        folder_project, template, SERVICE__VARIABLES__PORT="8080", SERVICE__VARIABLES__ESSENTIAL="true"
    )
    backend = made["containerDefinitions"][1]
    assert (backend["portMappings"][0]["containerPort"], backend["essential"]) == (8080, True)
    said = refusal(
        folder_project, template, SERVICE__VARIABLES__PORT="high", SERVICE__VARIABLES__ESSENTIAL="true"
    )
    assert "containerDefinitions[1].portMappings[0].containerPort: '${PORT}' is not a valid integer" in said


def test_other_dollars_are_left_alone(folder_project: Any, template: Any) -> None:
    command = ["sh", "-c", "curl http://localhost:$PORT/$${literal}/$(id) $$"]
    template["containerDefinitions"][1]["command"] = command
    made = render(folder_project, template)["containerDefinitions"][1]["command"]
    assert made[2] == "curl http://localhost:$PORT/${literal}/$(id) $$"


def test_every_unknown_placeholder_is_named_with_its_path(folder_project: Any, template: Any) -> None:
    template["cpu"] = "${cpus}"
    template["containerDefinitions"][1]["environment"][0]["value"] = "${nothing}"
    said = refusal(folder_project, template)
    assert "docker/backend/task-definition.json: 2 problems" in said
    assert "cpu: unknown placeholder ${cpus}; known are account, cpu, environment" in said
    assert "containerDefinitions[1].environment[0].value: unknown placeholder ${nothing}" in said


def test_malformed_json_is_reported_with_line_and_column(folder_project: Any) -> None:
    said = refusal(folder_project, '{\n  "family": "a",\n  "cpu" "256"\n}')
    assert said == "docker/backend/task-definition.json:3:9: Expecting ':' delimiter"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"famly": "x"}, 'Unknown parameter in input: "famly"', id="unknown-member"),
        pytest.param({"cpu": 256}, "Invalid type for parameter cpu, value: 256", id="wrong-type"),
        pytest.param({"family": None}, 'Missing required parameter in input: "family"', id="missing"),
    ],
)
def test_what_awss_model_does_not_know_is_refused(
    folder_project: Any, template: Any, change: dict[str, Any], said: str
) -> None:
    assert said in refusal(folder_project, {**template, **change})


def test_a_misspelt_member_deep_inside_is_reported_with_its_path(folder_project: Any, template: Any) -> None:
    template["containerDefinitions"][1]["portMappings"][0]["contianerPort"] = 1
    said = refusal(folder_project, template)
    assert 'Unknown parameter in containerDefinitions[1].portMappings[0]: "contianerPort"' in said


def test_a_container_that_is_not_there_is_reported_with_those_that_are(
    folder_project: Any, template: Any
) -> None:
    template["containerDefinitions"][1]["name"] = "web"
    said = refusal(folder_project, template)
    assert "has no container 'backend' (service.container), only sidecar, web" in said
    assert "only none" in refusal(folder_project, {**template, "containerDefinitions": []})


def test_a_container_without_the_service_port_is_reported_with_the_ports_it_has(
    folder_project: Any, template: Any
) -> None:
    backend = template["containerDefinitions"][1]
    backend["portMappings"] = [{"containerPort": 9090}]
    assert "the container backend maps no port 8080 (service.container_port), only 9090" in refusal(
        folder_project, template
    )
    del backend["portMappings"]
    assert "only none" in refusal(folder_project, template)


def test_what_describe_task_definition_adds_is_dropped(folder_project: Any, template: Any) -> None:
    described = {
        **template,
        "taskDefinitionArn": "arn",
        "revision": 3,
        "status": "ACTIVE",
        "requiresAttributes": [{"name": "x"}],
        "compatibilities": ["FARGATE"],
        "registeredAt": "2026-01-01",
        "registeredBy": "me",
        "taskRoleArn": None,
    }
    assert set(render(folder_project, described)) == set(template)


def test_a_missing_file_and_a_file_that_is_not_an_object_are_refused(folder_project: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        render_task_definition(folder_project.env(), IMAGE, "v1")
    assert "expected an object" in refusal(folder_project, "[]")


def test_the_projects_own_task_definition_renders(folder_project: Any) -> None:
    own = Path(__file__).parents[2] / "docker" / "backend" / "task-definition.json"
    made = render(folder_project, own.read_text())
    assert IMAGE in [container["image"] for container in made["containerDefinitions"]]


def test_the_users_aws_profile_need_not_exist(
    folder_project: Any, template: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "not there")
    task_definition._shape.cache_clear()
    assert render(folder_project, template)["family"] == "samjhadoo-backend"
