"""The image of the migrations task: Flyway's, with the release's scripts, in the release's own repository.

Its tag names its content, so that it is built and pushed once for the same scripts.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from samjhadoo_ops.database.ecs_task.definition import PROJECT
from samjhadoo_ops.database.refusal import FOLDERS
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.environment import Environment

CONFIGURATION = "flyway.toml"
_LENGTH = 12


def folders(env: Environment) -> list[str]:
    """Return the folders of scripts as they are in the project.

    Raises:
        ConfigurationError: One is outside the project, or there is none.

    """
    found = []
    for named in env.database.migrations:
        path = PurePosixPath(os.path.relpath(env.root / named, env.root))
        if path.parts[:1] == ("..",) or str(path) == ".":
            raise ConfigurationError(
                f"database.migrations: {named} is not a folder inside the project, so that a task cannot be "
                "given its scripts",
                hint='move it into the project, or set database.runner = "cli"',
            )
        if not (env.root / named).is_dir():
            raise ConfigurationError(
                f"database.migrations: there is no folder {env.root / named}",
                hint=FOLDERS,
            )
        found.append(str(path))
    return found


def gather(root: Path, chosen: Iterable[str], base: str, target: Path) -> None:
    """Put the build context together: the folders under their own paths, and the Dockerfile.

    Modes are made readable: Flyway's image may run it as another user.
    """
    for folder in chosen:
        shutil.copytree(root / folder, target / "project" / folder, dirs_exist_ok=True)
    if (root / CONFIGURATION).is_file():
        shutil.copy(root / CONFIGURATION, target / "project" / CONFIGURATION)
    for path in (target / "project").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (target / "Dockerfile").write_text(f"FROM {base}\nWORKDIR {PROJECT}\nCOPY project/ ./\n")


def pushed(env: Environment, aws: Aws, console: Console) -> str:
    """Return the image's reference by digest; it is built and pushed when the repository has not got it.

    Raises:
        ConfigurationError: A folder of scripts, or the base image, is not there.
        OpsError: It could not be built or pushed.

    """
    from samjhadoo_ops.release import ecr
    from samjhadoo_ops.release.builder import BuildJob, make
    from samjhadoo_ops.release.context import BuildContext
    from samjhadoo_ops.release.identity import Identity
    from samjhadoo_ops.release.image import BuiltImage
    from samjhadoo_ops.release.pusher import push

    chosen = folders(env)
    with tempfile.TemporaryDirectory(prefix="samjhadoo-migrations-") as place:
        gather(env.root, chosen, env.database.flyway_image, Path(place))
        context = BuildContext(Path(place))
        tag = f"migrations-{context.digest()[:_LENGTH]}"
        uri = ecr.repository_uri(aws, env.build.repository)
        digest = ecr.find_digest(aws, env.build.repository, tag)
        if digest is not None:
            return f"{uri}@{digest}"
        console.event("build", f"building the migrations image {tag} ({_builder(env)})", version=tag)
        own = msgspec.structs.replace(env.build, builder=_builder(env), args={})
        job = BuildJob(context, BuiltImage(tag, tag, uri), Identity(tag, tag))
        built = make(msgspec.structs.replace(env, build=own), aws, console, job)
        return push(env, aws, console, built).reference


def _builder(env: Environment) -> str:
    """Return the builder: there is nothing for Gradle to do."""
    return "docker" if env.build.builder == "gradle" else env.build.builder
