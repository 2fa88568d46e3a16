"""A login to a registry that ends with the push.

`docker login` keeps what it is given: in `config.json` as plain text, or in the desktop's key chain. A push
gets a configuration of its own instead, a copy of the user's in a folder that nobody else reads and that is
removed afterwards. A logout would do less: it forgets a login that the user had, two pushes side by side
would log each other out, and after a kill the password would stay in the user's file.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.processes import is_loopback
from samjhadoo_ops.release import command, docker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samjhadoo_ops.console import Console
    from samjhadoo_ops.environment import Secret

VARIABLE = "DOCKER_CONFIG"
FILE = "config.json"


@contextmanager
def logged_in(
    host: str, password: Callable[[], Secret], console: Console, *, cwd: Path
) -> Iterator[dict[str, str]]:
    """Log in to ECR until the block ends, and give the variables by which `docker` is; loopback wants none.

    Args:
        host: The registry.
        password: Gives that of the user `AWS`.
        console: Where Docker's lines go.
        cwd: The folder in which it runs.

    Raises:
        CommandFailed: The registry let nobody in.

    """
    if is_loopback(host):
        yield {}
        return
    with borrowed_configuration(host) as variables:
        command.run(docker.login(host), console, cwd=cwd, given=password().reveal(), variables=variables)
        yield variables


@contextmanager
def borrowed_configuration(host: str) -> Iterator[dict[str, str]]:
    """Give the variables by which `docker` uses a copy of the user's configuration, until the block ends.

    Contexts, plugins, headers and proxies are the user's, and logins to other hosts that are in the file.
    The key chain is not, as the login would be kept there, nor what the user's file says of this host.

    Args:
        host: The registry that will be logged in to.

    Raises:
        ConfigurationError: The user's configuration cannot be read.

    """
    own = Path(os.environ.get(VARIABLE) or Path.home() / ".docker")
    with tempfile.TemporaryDirectory(prefix="samjhadoo-docker-") as folder:
        for entry in own.iterdir() if own.is_dir() else ():
            if entry.name != FILE:
                with suppress(OSError):  # what cannot be linked to (Windows) is done without
                    (Path(folder) / entry.name).symlink_to(entry.resolve())
        file = Path(folder) / FILE
        file.touch(mode=0o600)
        file.write_text(json.dumps(_without_login(_read(own / FILE), host)), encoding="utf-8")
        yield {VARIABLE: folder}


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"Docker's configuration {file} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"Docker's configuration {file} is no JSON object")
    return found


def _without_login(settings: dict[str, Any], host: str) -> dict[str, Any]:
    kept = {key: value for key, value in settings.items() if key != "credsStore"}
    for table in ("auths", "credHelpers"):
        kept[table] = {key: value for key, value in (kept.get(table) or {}).items() if host not in key}
    return kept
