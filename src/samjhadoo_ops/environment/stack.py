"""Settings of the local stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from samjhadoo_ops.environment.image_reference import names_registry
from samjhadoo_ops.environment.section import Section
from samjhadoo_ops.environment.value_types import (  # noqa: TC001 - msgspec reads the annotations
    HostName,
    ImageName,
    ImageNameOrNone,
    Origin,
    Port,
    Registry,
    UrlOrNone,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

LiveService = Literal["application-autoscaling", "cloudwatch", "ecr", "ecs", "elbv2"]
"""The AWS services that the emulator runs itself."""


class Images(Section, frozen=True, kw_only=True):
    """Images of the containers stack."""

    registry: Registry
    postgres: ImageName
    redis: ImageName
    localstack: ImageName
    pause: ImageNameOrNone

    def named(self, image: str) -> str:
        """Return an image's full name: with the registry, unless it names its own."""
        return image if not self.registry or names_registry(image) else f"{self.registry.rstrip('/')}/{image}"


class StackSettings(Section, frozen=True, kw_only=True):
    """The local stack: its kind, its preferred ports, and its containers.

    Attributes:
        upstream: Serves what the emulator does not; empty: moto (embedded) or LocalStack (containers).
        upstream_ca: A file of CA certificates for the upstream's https; empty: the system's.
        passed_on: Services that the emulator leaves to the upstream.
        allow_origins: Origins whose web pages may use the local AWS.
        allow_hosts: Further names under which clients reach it, or `*.NAME`.
        allow_users: Other users of this machine who may use it.
        require_key: Who has to send the stack's key as the access key id.
        localstack: Environment variables of LocalStack's container.

    """

    kind: Literal["embedded", "containers"]
    edge_port: Port
    postgres_port: Port
    redis_port: Port
    upstream: UrlOrNone
    upstream_ca: str
    passed_on: list[LiveService]
    allow_origins: list[Origin]
    allow_hosts: list[HostName]
    allow_users: list[str]
    require_key: Literal["never", "unknown", "always"]
    images: Images
    localstack: dict[str, str]

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as in Section
        seen: dict[int, str] = {}
        for key in ("edge_port", "postgres_port", "redis_port"):
            other = seen.setdefault(getattr(self, key), key)
            if other != key:
                yield key, f"must differ from {other}"
        if self.upstream and urlsplit(self.upstream).path not in ("", "/"):
            yield "upstream", "expected a URL without a path"
        if self.upstream_ca and not self.upstream.startswith("https:"):
            yield "upstream_ca", "needs an upstream with https"
        if self.require_key == "always" and self.kind == "containers":
            yield "require_key", "cannot be always with kind = containers: Docker pushes without a login"
        for name, value in self.localstack.items():
            if not name or "=" in name or "\0" in name + value:
                yield "localstack", f"{name!r}: not a valid environment variable"
