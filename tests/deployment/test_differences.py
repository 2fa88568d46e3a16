from __future__ import annotations

from typing import Any

from samjhadoo_ops.deployment.differences import configuration_differences, task_definition_differences
from samjhadoo_ops.redaction import clean


def rendered(**container: Any) -> dict[str, Any]:
    """Return a task definition as a template gives it."""
    return {
        "family": "app",
        "containerDefinitions": [
            {
                "name": "backend",
                "image": "app@sha256:1",
                "portMappings": [{"containerPort": 8080}],
                "environment": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
                **container,
            }
        ],
    }


REGISTERED: dict[str, Any] = {
    "taskDefinitionArn": "arn:app:7",
    "revision": 7,
    "status": "ACTIVE",
    "requiresAttributes": [{"name": "x"}],
    "family": "app",
    "volumes": [],
    "placementConstraints": [],
    "containerDefinitions": [
        {
            "name": "backend",
            "image": "app@sha256:1",
            "cpu": 0,
            "essential": True,
            "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
            "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "mountPoints": [],
            "volumesFrom": [],
        }
    ],
}


def test_what_ecs_adds_and_the_order_of_variables_are_no_differences() -> None:
    assert task_definition_differences(REGISTERED, rendered()) == []


def test_a_new_image_and_a_changed_variable_are_named_with_their_places() -> None:
    wanted = rendered(image="app@sha256:2", environment=[{"name": "A", "value": "9"}])
    assert [str(each) for each in task_definition_differences(REGISTERED, wanted)] == [
        "~ containerDefinitions[backend].environment[A].value: 1 -> 9",
        '- containerDefinitions[backend].environment[B]: {"value": "2"}',
        "~ containerDefinitions[backend].image: app@sha256:1 -> app@sha256:2",
    ]


def test_a_value_that_looks_like_a_secret_is_not_shown() -> None:
    wanted = rendered(environment=[{"name": "KEY", "value": "sk_live_" + "a" * 24}])
    shown = " ".join(str(each) for each in task_definition_differences(REGISTERED, wanted))
    assert "sk_live_" not in shown
    assert "KEY" in shown


def test_a_deployment_configuration_is_compared_without_its_empty_values() -> None:
    current = {"strategy": "ROLLING", "alarms": {"alarmNames": [], "enable": False}, "lifecycleHooks": []}
    assert [str(each) for each in configuration_differences(current, {"strategy": "CANARY"})] == [
        "~ strategy: ROLLING -> CANARY"
    ]


def test_variables_that_are_secrets_by_their_names_are_not_shown() -> None:
    def document(**variables: str) -> dict[str, Any]:
        named = [{"name": name, "value": value} for name, value in variables.items()]
        return {"family": "f", "containerDefinitions": [{"name": "backend", "environment": named}]}

    before = document(API_TOKEN="planted-before-1", LEVEL="info")
    after = document(API_TOKEN="planted-after-2", LEVEL="debug")
    told = " ".join(map(str, task_definition_differences(before, after)))
    assert "API_TOKEN" in told
    assert "info -> debug" in told
    assert "planted" not in told
    assert clean("the application logs planted-after-2") == "the application logs ***"
