"""Build with a Docker engine: base images first, then the release."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.release import command, docker, dockerfile, engine
from samjhadoo_ops.release.context import BuildContext
from samjhadoo_ops.release.credentials import logged_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_ops.console import Console
    from samjhadoo_ops.environment import Environment, Secret
    from samjhadoo_ops.release.dockerfile import Instruction

LABEL = "samjhadoo-ops.base"
"""The label of base images; its value is the hash of their sources."""


def prepare_bases(
    context: BuildContext,
    bases: Mapping[str, str],
    arguments: Mapping[str, str],
    make: Callable[[docker.ImageBuild], None],
    *,
    name: str,
    platform: str = "native",
    above: tuple[str, ...] = (),
) -> list[str]:
    """Build the listed base images that a Dockerfile uses and the engine lacks; return all that it uses.

    Args:
        bases: Image → Dockerfile in the context.
        name: The Dockerfile's name in errors.
        above: The images that are built on the one of this Dockerfile.

    Raises:
        ConfigurationError: A Dockerfile is missing, or a base is built on itself.
    """
    instructions = dockerfile.read(context.dockerfile, name=name)
    used = dockerfile.images(instructions, arguments, platform=platform)
    needed = [image for image in used if image in bases]
    for image in needed:
        if image in above:
            raise ConfigurationError(
                f"build.bases: {image} is built on itself ({' → '.join((*above, image))})"
            )
        named = bases[image]
        own = BuildContext(context.root, named)
        prepare_bases(own, bases, arguments, make, name=named, platform=platform, above=(*above, image))
        _ensure(image, own, arguments, make, name=named, platform=platform)
    return needed


def mark(context: BuildContext, arguments: Mapping[str, str], *, name: str, platform: str = "native") -> str:
    """Return a hash of a base image's sources."""
    patterns = dockerfile.copied(dockerfile.read(context.dockerfile, name=name))
    total = hashlib.sha256(context.dockerfile.read_bytes())
    total.update(json.dumps([platform, _taken(context, arguments, name)]).encode())
    total.update(context.digest(dockerfile.taken(context, patterns)).encode())
    return total.hexdigest()


def _ensure(
    image: str,
    context: BuildContext,
    arguments: Mapping[str, str],
    make: Callable[[docker.ImageBuild], None],
    *,
    name: str,
    platform: str,
) -> None:
    wanted = mark(context, arguments, name=name, platform=platform)
    there = docker.found(image)
    if there is not None and ((there.get("Config") or {}).get("Labels") or {}).get(LABEL, wanted) == wanted:
        return
    make(
        docker.ImageBuild(
            image,
            context.root,
            context.dockerfile,
            _taken(context, arguments, name),
            {LABEL: wanted},
            platform,
        )
    )
    docker.discard(there, for_name=image)


def _taken(context: BuildContext, arguments: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the build arguments that a Dockerfile takes."""
    taken = dockerfile.arguments_of(dockerfile.read(context.dockerfile, name=name))
    return {key: arguments[key] for key in sorted(taken & set(arguments))}


HINTS = (
    ("no space left on device", "the engine's disk is full: docker system df, docker builder prune"),
    ("exec format error", 'install binfmt for build.platform, or set build.platform = "native"'),
    (
        "cache export is not supported",
        "empty build.cache_to, or use another builder (docker buildx create --use)",
    ),
    ("cache export feature is currently not supported", "empty build.cache_to, or use another builder"),
    ("cannot connect to the docker daemon", "start Docker, or set DOCKER_HOST"),
)
LARGE = 500_000_000
"""Bytes from which a build context gets a warning: the classic builder sends all of it each time."""


class DockerBuilder:
    """Builds images with the available engine.

    Args:
        console: Where the progress is shown.

    Raises:
        EngineUnavailable: The engine does not answer.
        ConfigurationError: The engine cannot build for the configured platform.
    """

    def __init__(self, env: Environment, console: Console) -> None:
        self._env = env
        self._console = console
        self._engine = engine.find_engine()
        console.event(
            "builder", self._engine.description, kind=self._engine.kind, platform=self._engine.platform
        )
        engine.check_platform(self._engine, env.build.platform)

    def build(
        self,
        context: BuildContext,
        wanted: docker.ImageBuild,
        *,
        name: str,
        host: str,
        password: Callable[[], Secret],
    ) -> None:
        """Build a release, and before it the listed base images that it needs.

        Args:
            name: The Dockerfile's name in errors.
            host: The target registry, which may hold base images and the cache.
            password: Returns the password of the registry's user `AWS`.

        Raises:
            ConfigurationError: A Dockerfile is missing, or needs BuildKit where there is none.
            CommandFailed: A build failed.
        """
        settings = self._env.build
        instructions = self._read(context, name)
        built_bases = prepare_bases(
            context,
            settings.bases,
            wanted.arguments,
            self._make_base,
            name=name,
            platform=settings.platform,
        )
        if self._engine.kind != "buildx" and (wanted.cache_from or wanted.cache_to):
            self._console.line(
                "  build.cache_from and build.cache_to are ignored, because buildx is not installed"
            )
        if self._engine.kind == "classic":
            self._warn_if_large(context)
        images = dockerfile.images(instructions, wanted.arguments, platform=settings.platform)
        if any(host in each for each in (*images, *wanted.cache_from, *wanted.cache_to)):
            with logged_in(host, password, self._console, cwd=self._env.root) as variables:
                self._run(wanted, own_images=bool(built_bases), variables=variables)
        else:
            self._run(wanted, own_images=bool(built_bases))

    def _make_base(self, wanted: docker.ImageBuild) -> None:
        self._console.event("base", f"building the base image {wanted.tag}", image=wanted.tag)
        try:
            self._run(wanted, own_images=True)
        except command.CommandFailed as error:
            error.hint = error.hint or "if no registry can be reached: docker/airgap builds stand-ins"
            raise

    def _run(
        self, wanted: docker.ImageBuild, *, own_images: bool, variables: Mapping[str, str] | None = None
    ) -> None:
        try:
            command.run(
                docker.build(wanted, self._engine),
                self._console,
                cwd=self._env.root,
                variables={
                    **docker.variables(wanted, self._engine, own_images=own_images),
                    **(variables or {}),
                },
            )
        except command.CommandFailed as error:
            text = error.output.lower()
            error.hint = next((hint for sign, hint in HINTS if sign in text), "")
            raise

    def _read(self, context: BuildContext, name: str) -> list[Instruction]:
        """Return the Dockerfile's instructions; refuse those that the available builder does not support."""
        instructions = dockerfile.read(context.dockerfile, name=name)
        if self._engine.kind == "classic":
            for line, feature in dockerfile.buildkit_features(instructions):
                raise ConfigurationError(
                    f"{name}:{line}: {feature} needs BuildKit; {self._engine.description}",
                    hint=engine.INSTALL,
                )
        return instructions

    def _warn_if_large(self, context: BuildContext) -> None:
        size = sum((context.root / path).lstat().st_size for path in context.walk())
        if size > LARGE:
            self._console.line(
                f"  the build context of {size / 1e6:,.0f} MB is sent to the engine: see .dockerignore"
            )
