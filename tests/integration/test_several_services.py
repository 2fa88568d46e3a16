"""Two services of one environment, on one stack: deployed together, taken back together."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from user_project import user_project

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """
[services.api]

[services.worker]

[services.worker.service]
name = "samjhadoo-worker"
task_definition = "worker.json"
target_groups = ["worker-blue", "worker-green"]
production_listener_port = 9080
test_listener_port = 9081

[services.worker.build]
repository = "samjhadoo/worker"

[services.worker.database]
migrations = []
"""
ROLLED_BACK = {"SAMJHADOO_ROLLOUT__ON_FAILURE": "rollback"}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A project whose two services are deployed."""
    with user_project(tmp_path_factory.mktemp("services"), prepare=add_a_worker) as project:
        first = project.invoke("deploy", "--json", **ROLLED_BACK)
        assert first.code == 0, first.stdout + first.stderr
        assert {name: each["outcome"] for name, each in first.result["services"].items()} == {
            "api": "succeeded",
            "worker": "succeeded",
        }
        yield project


def add_a_worker(project: Path) -> None:
    local = project / "environments" / "local.toml"
    local.write_text(local.read_text() + SETTINGS)
    definition = (project / "docker" / "backend" / "task-definition.json").read_text()
    own = {
        '"family": "samjhadoo-backend"': '"family": "samjhadoo-worker"',
        "/ecs/samjhadoo-backend": "/ecs/worker",
    }
    for old, new in own.items():
        assert old in definition
        definition = definition.replace(old, new)
    (project / "worker.json").write_text(definition)


def urls(project: Any) -> dict[str, str]:
    looked = project.invoke("status", "--json")
    return {each["key"]: each["production"] for each in looked.events if each["event"] == "status"}


def version(url: str) -> str:
    with urllib.request.urlopen(f"{url}/api/v1/version", timeout=10) as answer:
        return str(json.load(answer)["version"])


def test_each_service_is_on_listeners_of_its_own(services: Any) -> None:
    found = urls(services)
    assert len(set(found.values())) == 2
    assert {version(url) for url in found.values()} == {services.git("rev-parse", "HEAD")}
    groups = services.client("logs").describe_log_groups()["logGroups"]
    assert "/ecs/worker" in {each["logGroupName"] for each in groups}


def test_what_is_of_one_service_asks_which(services: Any) -> None:
    refused = services.invoke("rollback", "--json")
    assert (refused.code, refused.result["error"]) == (2, "ConfigurationError")
    assert "several services: api, worker" in refused.result["message"]
    assert services.invoke("smoke", "--service", "worker").code == 0


def test_nothing_new_is_deployed_nowhere(services: Any) -> None:
    again = services.invoke("deploy", "--json", **ROLLED_BACK)
    assert again.code == 0
    assert {each["outcome"] for each in again.result["services"].values()} == {"unchanged"}


def test_when_one_fails_the_other_is_taken_back(services: Any) -> None:
    before = services.git("rev-parse", "HEAD")
    definition = services.folder / "worker.json"
    definition.write_text(definition.read_text().replace("${version}", "somebody-else"))
    services.change("LABEL changed=together")
    failed = services.invoke("deploy", "--json", **ROLLED_BACK)
    outcomes = {name: each["outcome"] for name, each in failed.result["services"].items()}
    assert (failed.code, outcomes["api"]) == (4, "rolled back"), failed.stdout + failed.stderr
    assert failed.result["services"]["worker"]["exit_code"] == 4
    assert {version(url) for url in urls(services).values()} == {before}
    history = services.invoke("history", "--json").events
    assert {each["service"] for each in history if each["event"] == "deployment"} == {"api", "worker"}
