"""The image of the migrations task: Flyway's image with the release's scripts, in the release's repository.

Its tag is a hash of its content, so that the same scripts are built and pushed only once.
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
    """Return the relative folders with scripts; raise `ConfigurationError` if one is not in the project."""
    found = []
    for named in env.database.migrations:
        path = PurePosixPath(os.path.relpath(env.root / named, env.root))
        if path.parts[:1] == ("..",) or str(path) == ".":
            raise ConfigurationError(
                f"database.migrations: {named} is not a folder inside the project, so its scripts cannot be "
                "added to the task's image",
                hint='move it into the project, or set database.runner = "cli"',
            )
        if not (env.root / named).is_dir():
            raise ConfigurationError(
                f"database.migrations: the folder {env.root / named} does not exist",
                hint=FOLDERS,
            )
        found.append(str(path))
    return found


def write_context(root: Path, chosen: Iterable[str], base: str, target: Path) -> None:
    """Write the build context: the folders under their own paths, and the Dockerfile.

    Everybody may read the files, because Flyway's image may run as another user.
    """
    for folder in chosen:
        shutil.copytree(root / folder, target / "project" / folder, dirs_exist_ok=True)
    if (root / CONFIGURATION).is_file():
        shutil.copy(root / CONFIGURATION, target / "project" / CONFIGURATION)
    for path in (target / "project").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (target / "Dockerfile").write_text(f"FROM {base}\nWORKDIR {PROJECT}\nCOPY project/ ./\n")


def pushed(env: Environment, aws: Aws, console: Console) -> str:
    """Return the image's reference by digest; it is built and pushed if the repository does not have it.

    Raises:
        ConfigurationError: A folder with scripts or the base image does not exist.
        OpsError: The image could not be built or pushed.
    """
    from samjhadoo_ops.release import ecr
    from samjhadoo_ops.release.builder import BuildJob, make
    from samjhadoo_ops.release.context import BuildContext
    from samjhadoo_ops.release.identity import Identity
    from samjhadoo_ops.release.image import BuiltImage
    from samjhadoo_ops.release.pusher import push

    chosen = folders(env)
    with tempfile.TemporaryDirectory(prefix="samjhadoo-migrations-") as place:
        write_context(env.root, chosen, env.database.flyway_image, Path(place))
        context = BuildContext(Path(place))
        tag = f"migrations-{context.digest()[:_LENGTH]}"
        uri = ecr.repository_uri(aws, env.build.repository)
        digest = ecr.find_digest(aws, env.build.repository, tag)
        if digest is not None:
            return f"{uri}@{digest}"
        console.event("build", f"building the migrations image {tag} ({env.build.builder})", version=tag)
        own = msgspec.structs.replace(env.build, command=[], args={})
        job = BuildJob(context, BuiltImage(tag, tag, uri), Identity(tag, tag))
        built = make(msgspec.structs.replace(env, build=own), aws, console, job)
        return push(env, aws, console, built).reference
