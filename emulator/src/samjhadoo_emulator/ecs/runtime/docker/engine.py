"""The Docker engine as the runtime calls it: docker-py in threads, JSON in and out."""

from __future__ import annotations

import asyncio
import functools
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, DockerException, NotFound
from requests import RequestException

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

THREADS = 16
"""Calls under way at the same time. None of them waits for a container: events report ends."""
CONFLICT = 409


class EngineError(Exception):
    """The engine refused, or cannot be reached.

    Args:
        status: The HTTP status of its answer; 0 if there was none.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Missing(EngineError):
    """The engine has no such thing."""


class Engine:
    """Calls of an engine.

    Args:
        client: A `docker.DockerClient`; closed with this.
    """

    def __init__(self, client: Any) -> None:
        # Streams hold connections for long, and urllib3 logs each one that it does not keep.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        self.client = client
        self.api = client.api
        self._threads = ThreadPoolExecutor(THREADS, "docker")

    async def call(self, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call a method of docker-py in a thread.

        Raises:
            EngineError: The engine refuses, or does not answer.
        """
        work = functools.partial(translated, method, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def create(self, name: str, config: dict[str, Any]) -> str:
        """Create a container from the API's own description; return its id."""
        made = await self.call(self.api.create_container_from_config, config, name)
        return str(made["Id"])

    async def remove(self, container: str) -> None:
        """Remove a container with its anonymous volumes, even if it runs; it may be gone already."""
        try:
            await self.call(self.api.remove_container, container, force=True, v=True)
        except Missing:
            pass
        except EngineError as error:
            if error.status != CONFLICT:  # another process is removing it
                raise

    async def signal(self, container: str, signal: str) -> None:
        """Send a signal to a container's first process; one that has ended hears nothing."""
        try:
            await self.call(self.api.kill, container, signal)
        except Missing:
            pass
        except EngineError as error:
            if error.status != CONFLICT:  # it is not running
                log.warning("%s cannot be sent to container %s: %s", signal, container[:12], error)

    def close(self) -> None:
        """Close all connections; calls under way are left to themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.client.close()


def translated(method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call a method of docker-py; blocking.

    Raises:
        EngineError: The engine refuses, or does not answer.
    """
    try:
        return method(*arguments, **named)
    except NotFound as error:
        raise Missing(str(error.explanation or error), error.status_code or 0) from error
    except APIError as error:
        raise EngineError(str(error.explanation or error), error.status_code or 0) from error
    except (DockerException, RequestException, OSError) as error:
        raise EngineError(f"the Docker engine does not answer: {error}") from error
