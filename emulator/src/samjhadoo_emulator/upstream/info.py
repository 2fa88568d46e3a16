"""What an upstream is, and what is known of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send


@dataclass(frozen=True)
class UpstreamInfo:
    """What the upstream is.

    Attributes:
        kind: `moto`, `localstack`, `ministack`; of others the URL's host.
        version: Its version; empty if it reports none.
        url: Where it is; empty for moto in process.
        answers: Whether it does.
        problem: Why it does not.
        services: The services that a LocalStack lists; None if everything goes to the upstream.
    """

    kind: str
    version: str = ""
    url: str = ""
    answers: bool = True
    problem: str = ""
    services: frozenset[str] | None = field(default=None)

    def shown(self) -> dict[str, Any]:
        """Return it as the control endpoint shows it, without the services."""
        return {name: value for name, value in asdict(self).items() if name != "services"}


class Upstream(Protocol):
    """An ASGI application that serves AWS, and knows what it is.

    Attributes:
        send: Answers a request of boto3 from this process without a socket; None if it cannot.
    """

    @property
    def send(self) -> Callable[..., Any] | None:
        """See above."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

    async def info(self) -> UpstreamInfo:
        """Return what this is, and whether it answers now."""

    async def serving(self) -> dict[str, str]:
        """Return what serves each service."""

    async def reset(self) -> None:
        """Forget every resource."""

    async def stop(self) -> None:
        """Close its connections."""
