from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.database.ecs_task import definition, image
from samjhadoo_ops.database.flyway import Flyway, Timeouts
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment

ROOT = Path(__file__).parents[2]
SECRET = "arn:aws:secretsmanager:ap-south-1:000000000000:secret:db-AbCdEf"
IMAGE = "registry/app@sha256:1"
PLACE = definition.Placement("shop", ("subnet-1",), ("sg-1",), "/ecs/shop", "ap-south-1")


def env(root: Path = ROOT, **variables: str) -> Environment:
    settings = {"DATABASE__RUNNER": "ecs-task", **variables}
    return load_environment(
        "local", root=root, variables={f"SAMJHADOO_{key}": value for key, value in settings.items()}
    )


def template(**container: Any) -> dict[str, Any]:
    logging = {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/ecs/shop", "awslogs-region": "eu-west-1"},
    }
    return {
        "executionRoleArn": "arn:aws:iam::000000000000:role/execution",
        "taskRoleArn": "arn:aws:iam::000000000000:role/task",
        "runtimePlatform": {"cpuArchitecture": "ARM64"},
        "containerDefinitions": [{"name": "backend", "logConfiguration": logging, **container}],
    }


def made(environment: Environment) -> dict[str, Any]:
    return definition.definition(environment, template(), PLACE, image=IMAGE, secret=SECRET)


def test_the_task_gets_the_secrets_members_from_ecs_and_no_role_of_its_own() -> None:
    document = made(env())
    (container,) = document["containerDefinitions"]

    assert {each["name"]: each["valueFrom"] for each in container["secrets"]} == {
        "FLYWAY_USER": f"{SECRET}:username::",
        "FLYWAY_PASSWORD": f"{SECRET}:password::",
        "DATABASE_HOST": f"{SECRET}:host::",
        "DATABASE_PORT": f"{SECRET}:port::",
        "DATABASE_NAME": f"{SECRET}:dbname::",
    }
    assert "taskRoleArn" not in document
    assert document["executionRoleArn"] == "arn:aws:iam::000000000000:role/execution"
    assert document["runtimePlatform"] == {"cpuArchitecture": "ARM64"}
    assert (document["cpu"], document["memory"], container["image"]) == ("256", "1024", IMAGE)


def test_settings_go_before_what_the_service_has() -> None:
    role = "arn:aws:iam::000000000000:role/migrations"
    environment = env(DATABASE__TASK__EXECUTION_ROLE=role, DATABASE__TASK__LOG_GROUP="/migrations")

    assert made(environment)["executionRoleArn"] == role
    assert definition.log_options(environment, template()) == ("/migrations", "eu-west-1", False)
    assert definition.log_options(env(), template()) == ("/ecs/shop", "eu-west-1", False)


def test_a_log_group_that_ecs_creates_for_the_service_is_created_for_its_migrations_too() -> None:
    options = {"awslogs-group": "/new", "awslogs-region": "eu-west-1", "awslogs-create-group": "true"}
    creating = template(logConfiguration={"logDriver": "awslogs", "options": options})

    assert definition.log_options(env(), creating) == ("/new", "eu-west-1", True)
    own = definition.log_options(env(DATABASE__TASK__LOG_GROUP="/migrations"), creating)
    assert own == ("/migrations", "eu-west-1", False)
    place = definition.Placement("shop", (), (), "/new", "eu-west-1", log_created=True)
    document = definition.definition(env(), creating, place, image=IMAGE, secret=SECRET)
    (container,) = document["containerDefinitions"]
    assert container["logConfiguration"]["options"]["awslogs-create-group"] == "true"


def test_a_service_that_logs_elsewhere_needs_a_log_group_for_its_migrations() -> None:
    elsewhere = template(logConfiguration={"logDriver": "awsfirelens"})

    with pytest.raises(ConfigurationError, match=r"database\.task\.log_group is empty"):
        definition.log_options(env(), elsewhere)
    named = env(DATABASE__TASK__LOG_GROUP="/migrations")
    assert definition.log_options(named, elsewhere) == ("/migrations", named.aws.region, False)


def test_without_an_execution_role_there_is_no_task() -> None:
    bare = {**template(), "executionRoleArn": ""}

    with pytest.raises(ConfigurationError, match=r"database\.task\.execution_role is empty"):
        definition.definition(env(), bare, PLACE, image=IMAGE, secret=SECRET)


def test_the_same_definition_has_the_same_digest_whatever_the_command() -> None:
    assert definition.digest(made(env())) == definition.digest(made(env()))
    assert definition.digest(made(env())) != definition.digest(made(env(DATABASE__TASK__MEMORY="2048")))


def test_flyways_arguments_are_overrides_without_secrets() -> None:
    flyway = Flyway([definition.PROJECT / "db"], Timeouts(5, 600, 900), application="ops-1")
    told = definition.overrides("ApplicationName=ops-1", flyway.arguments("info", "validate"))
    (override,) = told["containerOverrides"]

    assert override["command"][:2] == ["ApplicationName=ops-1", "-skipCheckForUpdate"]
    assert "-locations=filesystem:/flyway/project/db" in override["command"]
    assert override["command"][-2:] == ["info", "validate"]
    # AWS takes 8192 characters.
    assert len(json.dumps(told)) < 2000
    assert not [word for word in override["command"] if word.startswith(("-url", "-user", "-password"))]


@pytest.mark.parametrize(
    ("version", "checked"), [("14", True), ("16.3", True), ("13", False), ("aurora", False)]
)
def test_postgresql_checks_for_stopped_clients_where_it_can(version: str, checked: bool) -> None:
    found = definition.parameters({"lock_timeout": "5000"}, engine_version=version)

    assert found["lock_timeout"] == "5000"
    assert ("client_connection_check_interval" in found) is checked


@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [
        ("TASK__CPU", "300", "database.task.cpu: expected one of 256, 512, 1024, 2048, 4096"),
        ("TASK__MEMORY", "4096", "database.task.memory: for cpu 256"),
        ("TASK__EXECUTION_ROLE", "admin", "database.task.execution_role: expected the ARN of an IAM role"),
        ("RUNNER", "lambda", "database.runner: expected one of cli, image, ecs-task"),
        ("FLYWAY_IMAGE", "", "database.flyway_image"),
        ("SECRET", "ssm:/db", "database.secret: expected secretsmanager:NAME"),
        ("SECRET", "secretsmanager:db#url", "database.secret: expected secretsmanager:NAME"),
    ],
)
def test_a_wrong_setting_is_reported_with_its_key(setting: str, value: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        env(**{f"DATABASE__{setting}": value})

    assert problem in "\n".join([refused.value.message, *refused.value.details])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    for folder in ("db/one", "db/two/deep"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "V1__a.sql").write_text("SELECT 1;")
    return tmp_path


def migrations(project: Path, *folders: str) -> Environment:
    base = project / "environments" / "base.toml"
    base.write_text(base.read_text().replace('["docker/backend/db/migration"]', json.dumps(list(folders))))
    return env(project)


def test_the_image_holds_each_folder_under_its_own_path(project: Path, tmp_path: Path) -> None:
    (project / "flyway.toml").write_text("[flyway]\n")
    (project / "db" / "one" / "V1__a.sql").chmod(0o600)
    environment = migrations(project, "db/one", "./db/two/../two")
    context = tmp_path / "context"
    context.mkdir()

    chosen = image.folders(environment)
    image.write_context(environment.root, chosen, "flyway/flyway:1", context)

    assert chosen == ["db/one", "db/two"]
    files = {path.relative_to(context).as_posix() for path in context.rglob("*") if path.is_file()}
    assert files == {
        "Dockerfile",
        "project/flyway.toml",
        "project/db/one/V1__a.sql",
        "project/db/two/deep/V1__a.sql",
    }
    assert (context / "project/db/one/V1__a.sql").stat().st_mode & 0o777 == 0o644
    assert (context / "Dockerfile").read_text().startswith("FROM flyway/flyway:1\n")


@pytest.mark.parametrize(
    ("folder", "problem"),
    [
        ("../elsewhere", "not a folder inside the project"),
        (".", "not a folder inside"),
        ("db/gone", "does not exist"),
    ],
)
def test_scripts_that_cannot_be_added_to_the_image_are_refused(
    project: Path, folder: str, problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        image.folders(migrations(project, folder))
