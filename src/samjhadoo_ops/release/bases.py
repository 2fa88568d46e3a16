"""Base images that nobody publishes: built locally, and rebuilt when their sources change.

`[build.bases]` lists them: image → Dockerfile in the build context. A label holds a hash of the sources: the
Dockerfile, the files of the context that it copies, and its build arguments. An image without the label (a
stand-in on an air-gapped machine, or a pulled one) is used unchanged. A newer version of the image that a
base is built on is not noticed: remove the base (`docker image rm`) to rebuild it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.release import docker, dockerfile, engine_images, stages
from samjhadoo_ops.release.context import BuildContext, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LABEL = "samjhadoo-ops.base"
"""The label of base images; its value is the hash of their sources."""


def prepare(
    context: BuildContext,
    bases: Mapping[str, str],
    arguments: Mapping[str, str],
    make: Callable[[docker.ImageBuild], None],
    *,
    name: str,
    platform: str = "native",
) -> list[str]:
    """Build the listed base images that a Dockerfile uses and the engine lacks; return all that it uses.

    Args:
        bases: Image → Dockerfile in the context.
        arguments: The environment's build arguments.
        make: Builds an image.
        name: The Dockerfile's name in errors.
        platform: The platform of the image.

    Raises:
        ConfigurationError: A Dockerfile is missing, or a base is built on itself.

    """
    return _prepare(context, bases, arguments, make, name=name, platform=platform, above=())


def _prepare(
    context: BuildContext,
    bases: Mapping[str, str],
    arguments: Mapping[str, str],
    make: Callable[[docker.ImageBuild], None],
    *,
    name: str,
    platform: str,
    above: tuple[str, ...],
) -> list[str]:
    instructions = read(context, name)
    needed = [image for image in stages.images(instructions, arguments) if image in bases]
    for image in needed:
        if image in above:
            raise ConfigurationError(
                f"build.bases: {image} is built on itself ({' → '.join((*above, image))})"
            )
        own = BuildContext(context.root, bases[image])
        _prepare(own, bases, arguments, make, name=bases[image], platform=platform, above=(*above, image))
        _ensure(image, own, arguments, make, name=bases[image], platform=platform)
    return needed


def read(context: BuildContext, name: str) -> list[dockerfile.Instruction]:
    """Return a Dockerfile's instructions.

    Raises:
        ConfigurationError: The file cannot be read.

    """
    try:
        return dockerfile.instructions(context.dockerfile.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"{name}: cannot be read: {error.strerror}"
        raise ConfigurationError(message, hint="correct build.dockerfile or build.bases") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name}: is not UTF-8 text: {error}") from error


def mark(context: BuildContext, arguments: Mapping[str, str], *, name: str, platform: str = "native") -> str:
    """Return a hash of a base image's sources."""
    patterns = stages.copied(read(context, name))
    total = hashlib.sha256(context.dockerfile.read_bytes())
    total.update(json.dumps([platform, _taken(context, arguments, name)]).encode())
    for path in context.walk():
        if stages.matches(path, patterns):
            total.update(f"{path}\0{fingerprint(context.root / path)}\0".encode())
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
    there = engine_images.found(image)
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
    engine_images.discard(there, for_name=image)


def _taken(context: BuildContext, arguments: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the build arguments that a Dockerfile takes."""
    return {key: arguments[key] for key in sorted(stages.arguments_of(read(context, name)) & set(arguments))}
