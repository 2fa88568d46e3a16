"""A temporary login to a registry.

`docker login` stores the password in plain text in `config.json`, or in the desktop's key chain. Each push
therefore gets a private copy of the user's configuration, which is removed afterwards. A logout is no
replacement: it would remove a login that the user already had, parallel pushes would log each other out, and
a killed run would leave the password in the user's file.
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
    """Log in to ECR until the block ends, and yield the environment variables that `docker` needs for it.

    A registry on the loopback interface needs no login.

    Raises:
        CommandFailed: The registry refused the login.
    """
    if is_loopback(host):
        yield {}
        return
    with temporary_configuration(host) as variables:
        command.run(docker.login(host), console, cwd=cwd, given=password().reveal(), variables=variables)
        yield variables


@contextmanager
def temporary_configuration(host: str) -> Iterator[dict[str, str]]:
    """Yield the environment variables that make `docker` use a copy of the user's configuration.

    The copy has the user's contexts, plugins, headers, proxies and logins to other hosts. It has no key
    chain, in which the login would be stored, and no login to this host.

    Raises:
        ConfigurationError: The user's configuration cannot be read.
    """
    own = Path(os.environ.get(VARIABLE) or Path.home() / ".docker")
    with tempfile.TemporaryDirectory(prefix="samjhadoo-docker-") as folder:
        for entry in own.iterdir() if own.is_dir() else ():
            if entry.name != FILE:
                with suppress(OSError):  # Windows may not allow links: go without this entry
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
        raise ConfigurationError(f"Docker's configuration {file} is not a JSON object")
    return found


def _without_login(settings: dict[str, Any], host: str) -> dict[str, Any]:
    kept = {key: value for key, value in settings.items() if key != "credsStore"}
    for table in ("auths", "credHelpers"):
        kept[table] = {key: value for key, value in (kept.get(table) or {}).items() if host not in key}
    return kept
