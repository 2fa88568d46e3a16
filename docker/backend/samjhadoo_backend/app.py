"""The service's routes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg  # noqa: TID253 - this program cannot start without it
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from samjhadoo_backend import health, log, webhooks
from samjhadoo_backend.cache import Redis
from samjhadoo_backend.database import Pool
from samjhadoo_backend.lessons import Lessons

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from samjhadoo_backend.settings import Settings

BIGINT = 2**63 - 1
_HOME = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Samjhadoo</title>
<h1>Samjhadoo</h1>
<p>Version {version}. Start with <a href="/api/v1/lessons/1">the first lesson</a>.</p></html>
"""


@dataclass(frozen=True)
class Backend:
    """The routes and what they need."""

    settings: Settings
    pool: Pool
    redis: Redis
    lessons: Lessons

    @classmethod
    def of(cls, settings: Settings) -> Backend:
        """Make a backend; nothing is connected before the first request."""
        pool, redis = Pool(settings.database), Redis(*settings.redis)
        return cls(settings, pool, redis, Lessons(pool, redis))

    def app(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/", self._page(self.home)),
                Route("/health", self.health),
                Route("/api/v1/version", self._page(self.version)),
                Route("/api/v1/lessons/{lesson:int}", self._page(self.lesson)),
                Route("/webhooks/stripe", self.stripe, methods=["POST"]),
            ],
            exception_handlers={psycopg.Error: self._no_database, 500: self._failed},
        )

    def _page(
        self, answer: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Put a route in the way of the release's faults."""
        faults = self.settings.faults

        async def page(request: Request) -> Response:
            if faults.latency:
                await asyncio.sleep(faults.latency)
            if faults.strikes():
                log.event("fault", level="error", path=request.url.path, status=500)
                return JSONResponse({"error": "this release is faulty (FAULT_ERROR_RATE)"}, status_code=500)
            return await answer(request)

        return page

    async def home(self, _: Request) -> Response:
        return HTMLResponse(_HOME.format(version=self.settings.version))

    async def version(self, _: Request) -> Response:
        return JSONResponse({"version": self.settings.version, "git_sha": self.settings.git_sha})

    async def lesson(self, request: Request) -> Response:
        number = request.path_params["lesson"]
        page, hit = await self.lessons.page(number) if number <= BIGINT else (None, False)
        if page is None:
            return JSONResponse({"error": "no such lesson"}, status_code=404)
        return Response(page, media_type="application/json", headers={"X-Cache": "hit" if hit else "miss"})

    async def health(self, _: Request) -> Response:
        result = await health.check(self.pool, self.redis)
        if self.settings.faults.unhealthy():
            result = {**result, "status": "DOWN"}
            result["checks"]["fault"] = {"status": "DOWN", "reason": "FAULT_HEALTH"}
        if result["status"] != "UP":
            log.event("unhealthy", level="error", checks=result["checks"])
        return JSONResponse(result, status_code=200 if result["status"] == "UP" else 503)

    async def stripe(self, request: Request) -> Response:
        if self.settings.faults.strikes_webhook():
            log.event("fault", level="error", path=request.url.path, status=500)
            return JSONResponse(
                {"error": "this release is faulty (FAULT_WEBHOOK_ERROR_RATE)"}, status_code=500
            )
        if not self.settings.webhook_secrets:
            log.event("webhook-refused", level="error", reason="STRIPE_WEBHOOK_SECRET is not set")
            return JSONResponse({"error": "not configured"}, status_code=503)
        header = request.headers.get("stripe-signature")
        body = await request.body()
        try:
            # In a thread for the sake of the first one, which imports Stripe's package.
            event = await asyncio.to_thread(webhooks.verify, body, header, self.settings.webhook_secrets)
        except webhooks.EventError as error:
            log.event("webhook-refused", level="warning", reason=str(error))
            return JSONResponse({"error": "not an event signed by Stripe"}, status_code=400)
        receipt = await self.pool.run(lambda connection: webhooks.receive(connection, event))
        if receipt.lesson is not None:
            await self.lessons.forget(receipt.lesson)
        log.event(
            "webhook", id=event.id, type=event.type, duplicate=receipt.duplicate, handled=receipt.handled
        )
        return JSONResponse({"received": True, "duplicate": receipt.duplicate, "handled": receipt.handled})

    async def _no_database(self, request: Request, error: Exception) -> Response:
        log.event("database-failed", level="error", path=request.url.path, reason=str(error))
        return JSONResponse({"error": "the database does not answer"}, status_code=503)

    async def _failed(self, request: Request, error: Exception) -> Response:
        log.event("failed", level="error", path=request.url.path, reason=repr(error))
        return JSONResponse({"error": "internal error"}, status_code=500)

    async def close(self) -> None:
        """Close what was connected."""
        await self.pool.close()
        await self.redis.close()
