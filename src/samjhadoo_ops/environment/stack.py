"""The local stack: what it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from samjhadoo_ops.environment.kinds import (  # noqa: TC001 - msgspec reads the annotations
    ImageName,
    ImageNameOrNone,
    Port,
    Registry,
    UrlOrNone,
)
from samjhadoo_ops.environment.section import Section

if TYPE_CHECKING:
    from collections.abc import Iterator


LiveService = Literal["application-autoscaling", "cloudwatch", "ecr", "ecs", "elbv2"]
"""What the emulator serves itself."""


class Images(Section, frozen=True, kw_only=True):
    """Images of the containers stack.

    Attributes:
        registry: Put before each name that names no registry itself: a mirror; empty for Docker Hub.
        pause: Holds the network of a task: any image with `python3`; empty for LocalStack's.

    """

    registry: Registry
    postgres: ImageName
    redis: ImageName
    localstack: ImageName
    pause: ImageNameOrNone

    def named(self, image: str) -> str:
        """Return the full name of an image: with the registry, unless it names one itself."""
        first, slash, _ = image.partition("/")
        own = bool(slash) and (first == "localhost" or "." in first or ":" in first)
        return f"{self.registry.rstrip('/')}/{image}" if self.registry and not own else image


class StackSettings(Section, frozen=True, kw_only=True):
    """The local stack: its kind, the ports it prefers, and what its containers are made from.

    Attributes:
        upstream: Serves what the emulator does not; empty: moto (embedded) or LocalStack (containers).
        upstream_ca: A file of certificates that an upstream's https is verified with; empty: the system's.
        passed_on: Services of the emulator that are left to the upstream, for one that has them itself.
        localstack: Variables of LocalStack's container.

    """

    kind: Literal["embedded", "containers"]
    edge_port: Port
    postgres_port: Port
    redis_port: Port
    upstream: UrlOrNone
    upstream_ca: str
    passed_on: list[LiveService]
    images: Images
    localstack: dict[str, str]

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as in Section
        seen: dict[int, str] = {}
        for key in ("edge_port", "postgres_port", "redis_port"):
            other = seen.setdefault(getattr(self, key), key)
            if other != key:
                yield key, f"is the port of {other} too"
        if self.upstream and urlsplit(self.upstream).path not in ("", "/"):
            yield "upstream", "expected an address without a path: AWS requests bring their own"
        if self.upstream_ca and not self.upstream.startswith("https:"):
            yield "upstream_ca", "is for an upstream at https"
        for name, value in self.localstack.items():
            if not name or "=" in name or "\0" in name + value:
                yield "localstack", f"{name!r}: no process can have such a variable"
