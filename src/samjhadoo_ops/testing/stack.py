"""A whole local stack for tests, of either kind: for a copy of the project, on ports of its own."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samjhadoo_ops.rehearsal.project import Project
    from samjhadoo_ops.task_process import TaskProcess

PORTS = ("SAMJHADOO_STACK__EDGE_PORT", "SAMJHADOO_STACK__POSTGRES_PORT", "SAMJHADOO_STACK__REDIS_PORT")
"""The variables with a stack's preferred ports."""


@dataclass(frozen=True)
class LocalStack:
    """A running local stack and the copy of the project that it belongs to.

    Attributes:
        project: The copy, a git repository; a test may change its files and `commit` them.
        kind: `embedded` or `containers`.
        aws: URL of the local AWS, for any AWS client.
        region: Its region.
        production: URL of the load balancer's production listener; it answers once a release is deployed.
        test: URL of its test listener.
        postgres: URL of the database, as psycopg takes it.
        redis: URL of Redis, as `redis.from_url` takes it.
    """

    project: Project
    kind: str
    aws: str
    region: str
    production: str
    test: str
    postgres: str = field(repr=False)
    redis: str = field(repr=False)

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service of the local AWS."""
        from samjhadoo_ops.aws import Aws

        return Aws(self.project.environment(), self.aws).client(service)

    def clear_faults(self) -> None:
        """End all faults of the local AWS."""
        from samjhadoo_ops.rehearsal.faults import EmulatorFaults

        EmulatorFaults(self.aws, self.project.environment()).clear()

    def invoke(self, *arguments: str) -> TaskProcess:
        """Run a task of the project to its end, as `invoke ... --env local --json`.

        Returns:
            The ended task: its `code`, `events`, `result` and `output`.

        Raises:
            OpsError: It had not ended after ten minutes, and was killed.
        """
        return self.project.invoke(*arguments)

    def start(self, *arguments: str) -> TaskProcess:
        """Start a task of the project and return at once."""
        return self.project.start(*arguments)


@contextlib.contextmanager
def running_stack(
    root: Path | str = ".",
    *,
    environment: str = "local",
    variables: Mapping[str, str] | None = None,
    folder: Path | str | None = None,
) -> Iterator[LocalStack]:
    """Run a local stack for a copy of the project until the block ends.

    Its kind is the environment's: `SAMJHADOO_STACK`, or `[stack] kind`. On Linux it always ends with this
    process; elsewhere it stays if this process is killed.

    Args:
        root: The project's folder.
        environment: The environment with the stack.
        variables: Environment variables of its tasks: `{"SAMJHADOO_CLOCK__MINUTE": "0.05s"}`.
        folder: An empty folder for the copy; a temporary one by default.

    Raises:
        ConfigurationError: The settings are not valid, or an image or the Docker engine is missing.
        OpsError: The stack did not start; nothing is left running.
    """
    from samjhadoo_ops.rehearsal.project import Project
    from samjhadoo_ops.stack.planning import OWNER

    with contextlib.ExitStack() as cleanup:
        if folder is None:
            temporary = tempfile.TemporaryDirectory(prefix="samjhadoo-stack-", ignore_cleanup_errors=True)
            folder = Path(cleanup.enter_context(temporary))
            folder.chmod(0o711)  # PostgreSQL may run as another user below it
        own = {**stack_on_free_ports(), **(variables or {}), OWNER: str(os.getpid())}
        project = Project.copy(Path(root), Path(folder), environment, own)
        cleanup.callback(project.close)
        yield _up(project)


def stack_on_free_ports() -> dict[str, str]:
    """Return environment variables that make a stack use ports which are free now.

    The ports of the load balancer's listeners belong to the service's settings and move when they are taken.
    """
    free = free_ports(*[0] * len(PORTS))
    return {name: str(port) for name, port in zip(PORTS, free, strict=True)}


def _up(project: Project) -> LocalStack:
    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.stack import lifecycle
    from samjhadoo_ops.stack.variables import client_variables

    env = project.environment()
    state = lifecycle.start(env, lambda _: None, owner=os.getpid())
    endpoints = state.endpoints
    aws = Aws(env, endpoints.aws)
    variables = client_variables(env, aws, endpoints)
    return LocalStack(
        project=project,
        kind=state.kind,
        aws=endpoints.aws,
        region=env.aws.region,
        production=endpoints.production,
        test=endpoints.test,
        postgres=variables["DATABASE_URL"],
        redis=variables["REDIS_URL"],
    )
