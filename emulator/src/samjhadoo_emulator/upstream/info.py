"""What can be told about an upstream."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


@dataclass(frozen=True)
class UpstreamInfo:
    """Who the upstream is.

    Attributes:
        kind: `moto`, `localstack`, `ministack`; of others the URL's host.
        version: What it says of itself; empty where it says nothing.
        url: Where it is; empty for moto in process.
        answers: Whether it does.
        problem: Why it does not.
        services: What a LocalStack says it has; None where everything goes to the upstream.

    """

    kind: str
    version: str = ""
    url: str = ""
    answers: bool = True
    problem: str = ""
    services: frozenset[str] | None = field(default=None)

    def shown(self) -> dict[str, Any]:
        """Return it as a document for people and programs; who serves what is told elsewhere."""
        return {name: value for name, value in asdict(self).items() if name != "services"}


class Upstream(Protocol):
    """An ASGI application that serves AWS, and can tell who it is."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

    async def info(self) -> UpstreamInfo:
        """Tell who this is, and whether it answers now."""

    async def serving(self) -> dict[str, str]:
        """Tell who serves each service."""

    async def stop(self) -> None:
        """Let go of connections."""
