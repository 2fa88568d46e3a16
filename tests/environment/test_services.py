"""Several services of one environment: `[services.NAME]` in its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from conftest import Project

WORKER = """
[services.api]

[services.worker]
after = ["api"]

[services.worker.service]
name = "samjhadoo-worker"
target_groups = ["worker-blue", "worker-green"]
production_listener_port = 9080
test_listener_port = 9081

[services.worker.service.variables]
cpu = "1024"

[services.worker.build]
repository = "samjhadoo/worker"

[services.worker.database]
migrations = []
"""
OTHER = """
[services.{name}]
after = {after}
[services.{name}.service]
name = "{name}"
target_groups = ["{name}-1", "{name}-2"]
production_listener_port = {port}
test_listener_port = {port}1
[services.{name}.build]
repository = "{name}"
"""


def test_without_services_there_is_the_one(project: Project) -> None:
    env = project.load()
    assert env.services == {}
    assert (env.key, env.after, env.title, env.options) == ("", (), "local", "--env local")


def test_a_services_table_is_laid_over_the_environments(project: Project) -> None:
    project.append("local", WORKER)
    env = project.load()
    api, worker = env.services["api"], env.services["worker"]
    assert list(env.services) == ["api", "worker"]
    assert api.service == env.service
    assert (worker.service.name, worker.service.cluster) == ("samjhadoo-worker", "samjhadoo-cluster")
    assert worker.service.variables == {"environment": "local", "cpu": "1024", "memory": "512"}
    assert (worker.build.repository, worker.build.builder) == ("samjhadoo/worker", "oci")
    assert worker.database.migrations == []
    assert (worker.key, worker.after, worker.title) == ("worker", ("api",), "local/worker")
    assert worker.options == "--env local --service worker"
    assert worker.journal == api.journal
    assert worker.sources["service", "name"] == "environments/local.toml"


def test_an_environments_own_file_is_laid_over_the_base_services_too(project: Project) -> None:
    project.append("base", WORKER)
    project.append("production", "\n[services.worker.service]\ndesired_count = 6\n")
    worker = project.load("production").services["worker"]
    assert (worker.service.name, worker.service.desired_count) == ("samjhadoo-worker", 6)


def test_variables_are_laid_over_every_service(project: Project) -> None:
    project.append("local", WORKER + "[services.worker.deployment]\ncanary_time = '5m'\n")
    assert project.load().services["worker"].deployment.canary_time == 300
    variables = {"SAMJHADOO_DEPLOYMENT__CANARY_TIME": "2m"}
    env = project.load(variables=variables)
    assert {each.deployment.canary_time for each in (env, *env.services.values())} == {120}


def test_one_service_is_loaded_by_its_name(project: Project, load_service: Any) -> None:
    project.append("local", WORKER)
    assert load_service("worker").service.name == "samjhadoo-worker"
    with pytest.raises(ConfigurationError, match="no service 'web'; its services are api, worker"):
        load_service("web")


def test_the_only_service_has_no_name(load_service: Any) -> None:
    with pytest.raises(ConfigurationError, match="it has only samjhadoo-service"):
        load_service("worker")


@pytest.fixture
def load_service(project: Project) -> Any:
    from samjhadoo_ops.environment import load_environment

    return lambda name: load_environment("local", service=name, root=project.root, variables={})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            OTHER.format(name="a", after='["b"]', port=900) + OTHER.format(name="b", after='["a"]', port=901),
            "services.a.after: is circular: a after b after a",
            id="circle",
        ),
        pytest.param(
            OTHER.format(name="a", after='["a"]', port=900),
            "services.a.after: is circular: a after a",
            id="after-itself",
        ),
        pytest.param(
            OTHER.format(name="a", after='["web"]', port=900),
            "services.a.after: unknown service 'web'; known are a",
            id="unknown",
        ),
        pytest.param(
            OTHER.format(name="a", after='"b"', port=900),
            "services.a.after: expected a list of service names",
            id="no-list",
        ),
        pytest.param(
            WORKER + "[services.worker.lock]\nlease = '1m'\n",
            "services.worker.lock: is shared by all services: set [lock]",
            id="common-table",
        ),
        pytest.param(
            WORKER + "[services.worker.smoke]\nhealth_pth = '/'\n",
            "services.worker.smoke.health_pth: unknown key; did you mean health_path? (service worker)",
            id="unknown-key",
        ),
        pytest.param(
            WORKER.replace("9081", "8081"),
            "services.worker.service.test_listener_port: the service api already has 8081",
            id="same-port",
        ),
        pytest.param(
            WORKER.replace('"samjhadoo-worker"', '"samjhadoo-service"'),
            "services.worker.service.name: the service api already has samjhadoo-service",
            id="same-name",
        ),
        pytest.param(
            WORKER.replace('"worker-blue"', '"samjhadoo-green"'),
            "services.worker.service.target_groups: the service api already has samjhadoo-green",
            id="same-target-group",
        ),
        pytest.param(
            WORKER.replace("samjhadoo/worker", "samjhadoo/backend")
            + "[services.worker.build.args]\nJAVA_VERSION = '21'\n",
            "services.worker.build.repository: the service api has it, too, but its [build] differs",
            id="same-repository",
        ),
        pytest.param(
            WORKER.replace("samjhadoo/worker", "samjhadoo/backend").replace('after = ["api"]', ""),
            "services.worker.after: is missing: api uses the same image, so one must come after the other",
            id="same-image",
        ),
        pytest.param(
            WORKER.replace('["worker-blue", "worker-green"]', "[]"),
            "services.worker.service.target_groups: is empty; a service without a load balancer cannot be "
            "deployed yet (service worker)",
            id="no-load-balancer",
        ),
        pytest.param("\n[services]\nworker = 1\n", "services.worker: expected a table", id="no-table"),
    ],
)
def test_mistakes_in_services_are_reported_with_file_line_and_key(
    project: Project, text: str, problem: str
) -> None:
    project.append("local", text)
    (told,) = project.refusal()
    place, _, said = told.partition(": ")
    name, _, line = place.partition(":")
    assert (name, said) == ("environments/local.toml", problem)
    assert int(line) > 87
    key = problem.partition(":")[0].rpartition(".")[2]
    expected = "[services.worker]" if "is missing" in problem else key
    assert expected in (project.root / name).read_text().splitlines()[int(line) - 1]


def test_a_mistake_in_the_shared_settings_is_reported_once(project: Project) -> None:
    project.append("local", WORKER)
    project.edit("local", "min_tasks = 1", "min_tasks = 3")
    (told,) = project.refusal()
    assert "service.desired_count: is outside infrastructure.min_tasks" in told
