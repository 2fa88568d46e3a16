"""Build a release with the environment's builder, unless the registry already has its image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import OpsError
from samjhadoo_ops.release import command, docker, ecr, oci
from samjhadoo_ops.release.context import OWN_FOLDER
from samjhadoo_ops.release.engine_builder import DockerBuilder
from samjhadoo_ops.release.identity import LONG, Identity, build_context, identify
from samjhadoo_ops.release.image import BuiltImage
from samjhadoo_ops.release.registry import RemoteRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.release.context import BuildContext

FOLDER = f"{OWN_FOLDER}/build"


def version_here(env: Environment) -> str:
    """Return the version that a build would have now; raise `ConfigurationError` without a build context."""
    return identify(env).version


def wanted(env: Environment, aws: Aws) -> BuiltImage:
    """Return the image that a build would make now, with its digest if the registry already has it.

    Raises:
        ConfigurationError: The build context or the repository does not exist.
    """
    return _named(env, aws, identify(env))


def _named(env: Environment, aws: Aws, identity: Identity) -> BuiltImage:
    uri = ecr.repository_uri(aws, env.build.repository)
    digest = ecr.find_digest(aws, env.build.repository, identity.version)
    return BuiltImage(identity.version, identity.version, uri, digest or "", reused=digest is not None)


def build(env: Environment, aws: Aws, console: Console) -> BuiltImage:
    """Build a release from the current source, unless the registry already has it.

    Raises:
        ConfigurationError: A setting or the Dockerfile is wrong, or a program is missing.
        OpsError: The build failed, or the source was changed meanwhile.
    """
    identity = identify(env)
    image = _named(env, aws, identity)
    for difference in identity.differences:
        console.line(f"! not as in commit {identity.revision[:LONG]}: {difference}")
    if image.reused:
        text = f"release {image.version} is already in the registry: nothing to build"
        console.event("build", text, version=image.version, digest=image.digest, reused=True)
        return image
    console.event("build", f"building release {image.version} ({env.build.builder})", version=image.version)
    built = make(env, aws, console, BuildJob(build_context(env), image, identity))
    if version_here(env) != image.version:
        raise OpsError(
            f"the source was changed while release {image.version} was built", hint="build it again"
        )
    return built


@dataclass(frozen=True)
class BuildJob:
    """An image to build: its context, its name, and the identity of its source."""

    context: BuildContext
    image: BuiltImage
    identity: Identity


def make(env: Environment, aws: Aws, console: Console, job: BuildJob) -> BuiltImage:
    """Build an image with the environment's builder; see `build` for errors."""
    if env.build.command:
        command.run(env.build.command, console, cwd=env.root)
    return (_daemonless if env.build.builder == "oci" else _by_docker)(env, aws, console, job)


def build_arguments(env: Environment, identity: Identity) -> dict[str, str]:
    """Return the build arguments of the environment and of the release."""
    return {**env.build.args, "GIT_SHA": identity.revision, "VERSION": identity.version}


def labels(identity: Identity) -> dict[str, str]:
    """Return the labels that name an image's source."""
    return {
        "org.opencontainers.image.revision": identity.revision,
        "org.opencontainers.image.version": identity.version,
    }


def _daemonless(env: Environment, aws: Aws, console: Console, job: BuildJob) -> BuiltImage:
    context, image, identity = job.context, job.image, job.identity
    # Services are built in parallel, and may have the same version.
    folder = env.root / FOLDER / env.key / image.version
    host = image.registry_host
    digest = oci.build_layout(
        context,
        folder,
        arguments=build_arguments(env, identity),
        labels=labels(identity),
        platform=env.build.platform,
        registry=RemoteRegistry(host, lambda: ecr.password(aws)),
        base_required=env.build.base == "registry",
        name=_display_path(context.dockerfile, env.root),
    )
    console.event("built", f"built {digest}", version=image.version, digest=digest)
    return BuiltImage(image.version, image.tag, image.repository_uri, digest, layout=folder)


def _by_docker(env: Environment, aws: Aws, console: Console, job: BuildJob) -> BuiltImage:
    context, image, identity = job.context, job.image, job.identity
    wanted_image = docker.ImageBuild(
        image.tagged,
        context.root,
        context.dockerfile,
        build_arguments(env, identity),
        labels(identity),
        env.build.platform,
        env.build.cache_from,
        env.build.cache_to,
        identity.epoch,
    )
    DockerBuilder(env, console).build(
        context,
        wanted_image,
        name=_display_path(context.dockerfile, env.root),
        host=image.registry_host,
        password=lambda: ecr.password(aws),
    )
    console.event("built", f"built {image.tagged}", version=image.version)
    return image


def _display_path(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
