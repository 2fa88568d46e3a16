"""Clients nobody here wrote, run as they are. `nox -s clients` installs them and says where they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.testing import running_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from samjhadoo_emulator.testing import Emulator

TOOLS = os.environ.get("SAMJHADOO_CLIENTS", "")
"""The folder of the clients' commands."""

collect_ignore_glob = [] if TOOLS else ["test_*.py"]


class Client:
    """Commands that talk to an emulator, and what they answered."""

    def __init__(self, emulator: Emulator, home: Path) -> None:
        self.emulator = emulator
        self.environment = {
            **emulator.environment,
            "AWS_PAGER": "",
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": str(home),
            "PATH": os.pathsep.join([TOOLS, os.environ["PATH"]]),
        }

    def run(self, *argv: str, within: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; the test is skipped when there is no such command."""
        command = shutil.which(argv[0], path=self.environment["PATH"])
        if command is None:
            pytest.skip(f"{argv[0]} is not installed")
        return subprocess.run(
            [command, *argv[1:]],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )

    def aws(self, *argv: str, **documents: Any) -> Any:
        """Run the AWS CLI; documents become options of JSON.

        Raises:
            AssertionError: It failed; the text is what it said.

        """
        options = [
            word
            for name, document in documents.items()
            for word in (
                f"--{name.replace('_', '-')}",
                document if isinstance(document, str) else json.dumps(document),
            )
        ]
        done = self.run("aws", "--output", "json", *argv, *options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Lend commands that talk to an emulator of tasks without processes, with a task definition `web`."""
    folder = tmp_path_factory.mktemp("clients")
    with running_emulator(minute=0.05, runtime="noop", folder=folder) as emulator:
        client = Client(emulator, folder)
        client.aws("ecs", "create-cluster", cluster_name="c")
        client.aws(
            "ecs",
            "register-task-definition",
            family="web",
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            container_definitions=[{"name": "app", "image": "app:1"}],
        )
        yield client
