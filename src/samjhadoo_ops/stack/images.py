"""The images of the containers stack, pulled when the engine does not have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from samjhadoo_ops.console import Progress


def ensure(client: Any, key: str, image: str, progress: Progress) -> str:
    """Return an image's name once the engine has it; pull it if it is missing.

    Args:
        key: The setting in `[stack.images]` that names it.
        image: Its full name.
        progress: Shows that an image is pulled.

    Raises:
        ConfigurationError: The engine does not have it and cannot pull it.

    """
    from docker.errors import DockerException, ImageNotFound
    from docker.utils import parse_repository_tag

    try:
        client.images.get(image)
    except ImageNotFound:
        progress(f"pulling {image}")
        repository, tag = parse_repository_tag(image)
        try:
            client.images.pull(repository, tag=tag or "latest")
        except DockerException as error:
            raise ConfigurationError(
                f"stack.images.{key}: the Docker engine has no image {image} and cannot pull it: "
                f"{getattr(error, 'explanation', None) or error}",
                hint="name another image or a mirror in [stack.images], or build the stand-ins: "
                'eval "$(docker/airgap/build)"',
            ) from error
    except DockerException as error:
        raise ConfigurationError(f"stack.images.{key}: {image}: {error}") from error
    return image
