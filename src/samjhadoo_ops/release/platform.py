"""The platform of an image, such as linux/arm64, and the build arguments that name it."""

from __future__ import annotations

import platform as machine
from dataclasses import dataclass

from samjhadoo_ops.errors import ConfigurationError

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Platform:
    """A platform in Docker's words: operating system, architecture, and perhaps a variant, such as v7."""

    system: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.system, self.architecture, self.variant)))

    def description(self) -> dict[str, str]:
        """Return its members of an image configuration."""
        variant = {"variant": self.variant} if self.variant else {}
        return {"architecture": self.architecture, "os": self.system, **variant}


def resolve_platform(platform: str) -> Platform:
    """Return the platform of `build.platform`; raise `ConfigurationError` for a wrong name."""
    if platform == "native":
        name = machine.machine().lower()
        return Platform("linux", _ARCHITECTURES.get(name, name))
    parts = platform.split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):  # noqa: PLR2004 - system, architecture and variant
        raise ConfigurationError(
            f"build.platform is {platform!r}; expected native, or a platform such as linux/amd64"
        )
    system, architecture, *variant = parts
    return Platform(system, _ARCHITECTURES.get(architecture, architecture), *variant)


def platform_arguments(platform: str) -> dict[str, str]:
    """Return the build arguments that Docker predefines, for FROM and for a stage that names them with ARG.

    https://docs.docker.com/reference/dockerfile/#automatic-platform-args-in-the-global-scope
    """
    found = {"TARGETSTAGE": "default"}
    for prefix, each in (("TARGET", resolve_platform(platform)), ("BUILD", resolve_platform("native"))):
        found |= {
            f"{prefix}PLATFORM": str(each),
            f"{prefix}OS": each.system,
            f"{prefix}ARCH": each.architecture,
            f"{prefix}VARIANT": each.variant,
        }
    return found
