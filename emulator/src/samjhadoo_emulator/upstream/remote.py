"""The upstream at a URL, with moto in process for the services that a LocalStack does not list."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from samjhadoo_emulator.errors import AwsError, not_implemented
from samjhadoo_emulator.identify import service_of
from samjhadoo_emulator.upstream.in_process import NAME as MOTO
from samjhadoo_emulator.upstream.in_process import moto_application, moto_name, moto_services, reset_moto
from samjhadoo_emulator.upstream.info import UpstreamInfo

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from samjhadoo_emulator.upstream.proxy import Proxy

log = logging.getLogger(__name__)

LOCALSTACK = "localstack"
RESETS = {
    LOCALSTACK: "/_localstack/state/reset",
    MOTO: "/moto-api/reset",
    "ministack": "/_ministack/reset",
}
"""Where upstreams that can be reset take a POST for it."""
RESET_TIME = 30.0
"""Real seconds that an upstream gets for a reset."""
_EDITIONS = {"community", "pro", "enterprise", "base", "ultimate"}


class Remote:
    """An upstream at a URL.

    What is not recognised gets every request. A LocalStack gets those for services that its health page
    lists; its open-source edition has no RDS, ElastiCache or Service Quotas, and moto serves these.

    Args:
        account: The account id, for moto.
        region: The region for requests that do not name one, for moto.
    """

    send = None

    def __init__(self, proxy: Proxy, *, account: str, region: str) -> None:
        self._proxy = proxy
        self._account = account
        self._region = region
        self._known: UpstreamInfo | None = None
        self._moto: ASGIApp | None = None
        self._falling_back = asyncio.Lock()
        self._loading = Loading()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the URL, or to moto."""
        service = scope.get("aws.service") or service_of(
            Headers(scope=scope), query=scope["query_string"].decode("latin-1"), path=scope["path"]
        )
        if service and await self._lacks(service):
            application = await self._fallback()
            await application(scope, receive, send)
        elif service and self._known and self._known.kind == LOCALSTACK:
            await self._loading.pass_on(self._proxy, service, scope, receive, send)
        else:
            await self._proxy(scope, receive, send)

    async def info(self) -> UpstreamInfo:
        """Ask the upstream what it is, and return that."""
        try:
            self._known = await self._recognised()
        except OSError as error:
            kind = self._known.kind if self._known else self._proxy.target.host.decode()
            return UpstreamInfo(kind, url=self._proxy.url, answers=False, problem=str(error))
        return self._known

    async def serving(self) -> dict[str, str]:
        """Return what serves each service; for an upstream that lists none, the services that moto has."""
        upstream = await self.info()
        if upstream.services is None:
            return dict.fromkeys(moto_services(), upstream.kind)
        here = {moto_name(service) for service in upstream.services}
        fallen = dict.fromkeys((name for name in moto_services() if name not in here), MOTO)
        return {**fallen, **dict.fromkeys(sorted(upstream.services), upstream.kind)}

    async def reset(self) -> None:
        """Forget every resource.

        Raises:
            AwsError: The upstream does not offer it, or does not answer.
        """
        if self._moto:
            await asyncio.to_thread(reset_moto)
        upstream = await self.info()
        path, status = RESETS.get(upstream.kind, ""), 0
        if path:
            try:
                status, _, _ = await self._proxy.ask("POST", path, within=RESET_TIME)
            except OSError as error:
                message = f"The upstream {self._proxy.url} was not reset: {error}"
                raise AwsError("ServiceUnavailable", message, status=503) from error
        if status not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
            message = f"The upstream {self._proxy.url} ({upstream.kind}) cannot be reset."
            raise not_implemented(message)

    async def stop(self) -> None:
        """Close the connections to the upstream."""
        await self._proxy.stop()

    async def _lacks(self, service: str) -> bool:
        """Return whether the upstream's list of services lacks one that moto has."""
        if self._known is None:
            await self.info()
        known = self._known.services if self._known else None
        return known is not None and service not in known and moto_name(service) in moto_services()

    async def _fallback(self) -> ASGIApp:
        """Return moto, which is loaded when the first request needs it: it takes a second and 50 MB."""
        async with self._falling_back:
            if self._moto is None:
                self._moto = await asyncio.to_thread(moto_application, self._account, self._region)
        return self._moto

    async def _recognised(self) -> UpstreamInfo:
        """Return what the upstream is, by what it reports.

        MiniStack answers LocalStack's health page, too, and has one of its own; moto's server has a
        dashboard; what has none of these is called by its host.
        """
        status, headers, page = await self._page("/_localstack/health")
        services = page.get("services")
        if status == 200 and isinstance(services, dict):  # noqa: PLR2004
            version = str(page.get("version", ""))
            if "x-localstack" in headers or page.get("edition") in _EDITIONS:
                has = frozenset(name for name, state in services.items() if state != "disabled")
                return UpstreamInfo(LOCALSTACK, version, self._proxy.url, services=has)
            if (await self._page("/_ministack/health"))[0] == 200:  # noqa: PLR2004
                return UpstreamInfo("ministack", version, self._proxy.url)
        elif (await self._page("/moto-api/data.json"))[2]:
            return UpstreamInfo(MOTO, url=self._proxy.url)
        return UpstreamInfo(self._proxy.target.host.decode(), url=self._proxy.url)

    async def _page(self, path: str) -> tuple[int, dict[str, str], dict[str, object]]:
        """Return a page's status, headers and document, empty if it is no JSON object of a good answer."""
        status, headers, content = await self._proxy.ask("GET", path)
        try:
            document = json.loads(content) if status == 200 else {}  # noqa: PLR2004
        except ValueError:
            document = {}
        return status, headers, document if isinstance(document, dict) else {}


LONGEST = 10.0
"""Seconds that one service's first request holds up another's: it may be one that waits for messages."""
SERVER_ERROR = 500


class Loading:
    """Passes requests on; those for services that have not answered yet, one after another."""

    def __init__(self) -> None:
        self._loaded: set[str] = set()
        self._turn = asyncio.Lock()

    async def pass_on(
        self, application: ASGIApp, service: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Pass a request to an application. After an answer that is no failure, the service is loaded."""
        if service in self._loaded:
            await application(scope, receive, send)
            return
        holds = False
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST):
                holds = await self._turn.acquire()

        def let_go() -> None:
            nonlocal holds
            if holds:
                holds = False
                self._turn.release()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < SERVER_ERROR:
                self._loaded.add(service)
            let_go()
            await send(message)

        try:
            if service in self._loaded:  # by the request before
                let_go()
            await application(scope, receive, answer)
        finally:
            let_go()
