"""How live services call AWS: neighbours that are live on the same loop directly, everything else through
boto3 at the edge. Callers see no difference, so live services work over every upstream.
"""

from __future__ import annotations

import asyncio
import re
import threading
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from samjhadoo_emulator.errors import AwsError, validation_error
from samjhadoo_emulator.faults.effects import disturb_call
from samjhadoo_emulator.guard.keys import OWN_CALLS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from samjhadoo_emulator.faults.table import FaultTable
    from samjhadoo_emulator.reset import Requests
    from samjhadoo_emulator.service import AwsApi

    Dispatch = Callable[[str, str, str, dict[str, Any]], Awaitable[dict[str, Any]]]


class InternalAws:
    """The AWS API as seen from inside the emulator, in one region.

    Args:
        edge_url: Where the edge listens.
        is_live: Whether an operation of a service is served live.
        dispatch: Performs a live operation.
        passed_on: Gets the name of each operation that is passed to the upstream.
        send: Answers a request of boto3 in this process (its event `before-send`); None: by the edge.
    """

    def __init__(
        self,
        region: str,
        *,
        edge_url: str,
        is_live: Callable[[str, str], bool],
        dispatch: Dispatch,
        faults: FaultTable,
        requests: Requests,
        passed_on: set[str],
        send: Callable[..., Any] | None = None,
    ) -> None:
        self._region = region
        self._edge_url = edge_url
        self._is_live = is_live
        self._dispatch = dispatch
        self._faults = faults
        self._requests = requests
        self._passed_on = passed_on
        self._send = send
        self._clients: dict[str, Any] = {}
        self._regions: dict[str, InternalAws] = {}
        self._making = threading.Lock()

    def in_region(self, region: str) -> InternalAws:
        """Return the API of another region."""
        if region == self._region:
            return self
        if region not in self._regions:
            self._regions[region] = InternalAws(
                region,
                edge_url=self._edge_url,
                is_live=self._is_live,
                dispatch=self._dispatch,
                faults=self._faults,
                requests=self._requests,
                passed_on=self._passed_on,
                send=self._send,
            )
        return self._regions[region]

    async def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """Call an operation; see `AwsApi`."""
        struck = self._faults.strike(service, operation, callers="services") if self._faults else []
        if struck:
            return await disturb_call(struck, lambda: self._perform(service, operation, params))
        return await self._perform(service, operation, params)

    async def _perform(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        if self._is_live(service, operation):
            return await self._dispatch(service, operation, self._region, params)
        # A thread keeps running when the code that waits for it is cancelled: a reset has to know of it.
        return await asyncio.shield(asyncio.create_task(self._to_upstream(service, operation, params)))

    async def _to_upstream(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        self._passed_on.add(operation)
        async with self._requests.serving(own=True):
            return await asyncio.to_thread(self._call_upstream, service, operation, params)

    def _call_upstream(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import ClientError, ParamValidationError

        method = getattr(self._client(service), _snake(operation))
        try:
            answer: dict[str, Any] = method(**params)
        except ParamValidationError as error:
            raise validation_error(str(error)) from error
        except ClientError as error:
            details = error.response.get("Error", {})
            raise AwsError(
                details.get("Code", "InternalFailure"), details.get("Message", str(error))
            ) from error
        return answer

    def _client(self, service: str) -> Any:
        with self._making:  # calls come from several threads
            if service not in self._clients:
                self._clients[service] = self._make_client(service)
        return self._clients[service]

    def _make_client(self, service: str) -> Any:
        import boto3
        from botocore.config import Config

        session = boto3.session.Session(
            aws_access_key_id=OWN_CALLS,
            aws_secret_access_key="emulator",  # noqa: S106 - nothing checks it
            region_name=self._region,
        )
        client = session.client(
            service, endpoint_url=self._edge_url, config=Config(max_pool_connections=32, proxies={})
        )
        if self._send:
            client.meta.events.register("before-send", self._send)
        return client


@runtime_checkable
class Regional(Protocol):
    """An AWS API that reaches other regions."""

    def in_region(self, region: str) -> AwsApi:
        """Return the API of another region."""


def in_region(aws: AwsApi, region: str) -> AwsApi:
    """Return the API of a region, as far as `aws` reaches others."""
    return aws.in_region(region) if region and isinstance(aws, Regional) else aws


def _snake(operation: str) -> str:
    from botocore import xform_name

    return str(xform_name(operation)) if re.match("[A-Z]", operation) else operation
