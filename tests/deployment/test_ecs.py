from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from samjhadoo_ops.deployment.ecs import EcsService, has_served
from samjhadoo_ops.errors import DeploymentFailed


class Client:
    """An ECS that answers every change with one error."""

    def __init__(self, code: str) -> None:
        self._code = code

    def _fail(self, operation: str) -> Any:
        raise ClientError({"Error": {"Code": self._code, "Message": "no"}}, operation)

    def update_service(self, **_: Any) -> Any:
        return self._fail("UpdateService")

    def register_task_definition(self, **_: Any) -> Any:
        return self._fail("RegisterTaskDefinition")


def service(code: str) -> EcsService:
    return EcsService(Client(code), cluster="c", name="s")


def test_what_ecs_refuses_is_a_deployment_that_has_not_begun() -> None:
    with pytest.raises(DeploymentFailed, match="ECS refuses UpdateService: no") as refused:
        service("InvalidParameterException").update(known=(), taskDefinition="t:1")
    assert "not touched" in refused.value.hint
    with pytest.raises(DeploymentFailed, match="ECS refuses RegisterTaskDefinition: no"):
        service("ClientException").register({"family": "f"}, {})


def test_any_other_error_is_raised_as_it_is() -> None:
    with pytest.raises(ClientError):
        service("AccessDeniedException").update(known=(), taskDefinition="t:1")


@pytest.mark.parametrize(
    ("rollout", "statuses", "served"),
    [
        ([], [], False),
        (["FAILED"], ["ROLLBACK_FAILED"], False),
        (["IN_PROGRESS"], ["IN_PROGRESS"], False),
        (["COMPLETED"], ["SUCCESSFUL"], True),
        (["IN_PROGRESS"], ["IN_PROGRESS", "SUCCESSFUL"], True),
        (["COMPLETED"], [], True),
        (["IN_PROGRESS", "COMPLETED"], ["IN_PROGRESS"], True),
    ],
)
def test_a_service_has_served_also_when_ecs_has_forgotten_the_deployment(rollout, statuses, served) -> None:
    shown = {"deployments": [{"rolloutState": state} for state in rollout]} if rollout else None
    assert has_served(shown, [{"status": status} for status in statuses]) is served
