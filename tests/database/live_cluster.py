"""A live emulator with what a migrations task needs, and projects whose database is reached by tasks."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.testing import running_emulator
from samjhadoo_ops.aws import Aws
from samjhadoo_ops.clock import Clock
from samjhadoo_ops.console import Console
from samjhadoo_ops.database.schema import Schema, runner_for
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.stack.planning import host_commands

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samjhadoo_emulator.testing import Emulator
    from samjhadoo_ops.database.connection import Connection
    from samjhadoo_ops.environment import Environment

ROOT = Path(__file__).parents[2]
LOG_GROUP = "/ecs/samjhadoo-backend"
SECRET = "samjhadoo/local/database"
MINUTE = 0.2


class Listener:
    """A view that keeps what is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def receive(self, event: str, text: str, fields: Mapping[str, Any]) -> None:
        self.events.append((event, dict(fields)))

    def put(self, text: str) -> bool:
        return True

    def close(self) -> None:
        pass


@dataclass
class TaskProject:
    """A project with scripts of its own; what its runs tell is kept."""

    root: Path
    emulator: Emulator
    connection: Connection
    listener: Listener = field(default_factory=Listener)

    @property
    def folder(self) -> Path:
        return self.root / "db" / "migration"

    @property
    def aws(self) -> Aws:
        return Aws(self.env(), self.emulator.url)

    @property
    def ecs(self) -> Any:
        return self.aws.client("ecs")

    @property
    def cluster(self) -> str:
        return self.env().service.cluster

    def write(self, **scripts: str) -> None:
        for name, text in scripts.items():
            (self.folder / f"{name}.sql").write_text(text)

    def env(self, **variables: str) -> Environment:
        settings = {"DATABASE__RUNNER": "ecs-task", **variables}
        return load_environment(
            "local", root=self.root, variables={f"SAMJHADOO_{key}": value for key, value in settings.items()}
        )

    def schema(self, **variables: str) -> Schema:
        env = self.env(**variables)
        console = Console()
        console.attach(self.listener)
        runner = runner_for(env, Aws(env, self.emulator.url), console, Clock(minute=MINUTE))
        return Schema(runner, console, [env.root / each for each in env.database.migrations])

    def told(self, event: str, member: str) -> list[Any]:
        return [fields[member] for name, fields in self.listener.events if name == event]

    def query(self, statement: str) -> list[tuple[object, ...]]:
        with self.connection.open() as session:
            rows: list[tuple[object, ...]] = session.execute(statement).fetchall()
            return rows

    def keep_secret(self, **changes: object) -> None:
        """Store how the database is reached, in the form of RDS; None takes a member out."""
        found = self.connection
        document = {
            **{name: getattr(found, name) for name in ("host", "port", "dbname", "username")},
            "password": found.password.reveal(),
            **changes,
        }
        kept = {name: value for name, value in document.items() if value is not None}
        self.aws.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=json.dumps(kept))


@contextmanager
def furnished_emulator(folder: Path) -> Iterator[Emulator]:
    """Run an emulator that holds what a first deployment expects to find, as far as migrations go."""
    commands = [part for command in host_commands() for part in ("--host-command", command)]
    with running_emulator(*commands, minute=MINUTE, folder=folder) as emulator:
        env = load_environment("local", root=ROOT, variables={})
        aws = Aws(env, emulator.url)
        aws.client("ecs").create_cluster(clusterName=env.service.cluster)
        aws.client("ecr").create_repository(
            repositoryName=env.build.repository, imageTagMutability="IMMUTABLE"
        )
        aws.client("logs").create_log_group(logGroupName=LOG_GROUP)
        aws.client("secretsmanager").create_secret(Name=SECRET, SecretString="{}")
        zones = aws.client("ec2").describe_subnets()["Subnets"]
        aws.client("elbv2").create_load_balancer(
            Name=env.service.load_balancer, Subnets=[zone["SubnetId"] for zone in zones[:2]]
        )
        yield emulator


def task_project(emulator: Emulator, root: Path, connection: Connection) -> TaskProject:
    """Make a project with one script, not yet applied, whose secret tells of a database."""
    shutil.copytree(ROOT / "environments", root / "environments")
    definition = Path("docker/backend/task-definition.json")
    (root / definition).parent.mkdir(parents=True)
    shutil.copy(ROOT / definition, root / definition)
    base = root / "environments" / "base.toml"
    base.write_text(base.read_text().replace('["docker/backend/db/migration"]', '["db/migration"]'))
    project = TaskProject(root, emulator, connection)
    project.folder.mkdir(parents=True)
    project.write(V1__start="CREATE TABLE t (id bigint PRIMARY KEY);")
    project.keep_secret()
    return project
