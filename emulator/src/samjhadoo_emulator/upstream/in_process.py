"""moto in process: the upstream of an emulator that was given none, and what a LocalStack lacks."""

from __future__ import annotations

import asyncio
import functools
import os
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator import lean
from samjhadoo_emulator.exchange import Exchange
from samjhadoo_emulator.identify import service_of
from samjhadoo_emulator.upstream.crashes import answering
from samjhadoo_emulator.upstream.info import UpstreamInfo

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

NAME = "moto"
WORKERS = 16
MOST_READ = 70_167_211
"""Bytes of the longest request to AWS besides S3's: Lambda's CreateFunction with a package of 50 MB."""
_ACM_WAIT = "MOTO_ACM_VALIDATION_WAIT"
"""Seconds until a certificate that is requested counts as validated, for those who want to wait."""
_NOT_AWS = {"core", "moto_api", "moto_server", "s3bucket_path", "utilities"}


def moto_application(account: str, region: str) -> ASGIApp:
    """Return moto's server as an ASGI application. Bodies stream; requests run in threads."""
    os.environ["MOTO_ACCOUNT_ID"] = account  # read when moto is first imported
    lean.trim(region)
    from a2wsgi import WSGIMiddleware
    from moto import settings
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    if _ACM_WAIT not in os.environ:
        # There is no DNS in which a certificate's names could be validated, and so nothing to wait for.
        settings.ACM_VALIDATION_WAIT = 0
    application: Any = WSGIMiddleware(DomainDispatcherApplication(create_backend_app), workers=WORKERS)

    return answering(application, lambda service: moto_name(service) in moto_services())


@functools.cache
def moto_services() -> tuple[str, ...]:
    """Return the services that moto has, by its own names."""
    from moto.backends import list_of_moto_modules

    return tuple(sorted(name for name in list_of_moto_modules() if name not in _NOT_AWS))


def moto_name(service: str) -> str:
    """Return moto's name of a service."""
    return "awslambda" if service == "lambda" else service.replace("-", "")


def reset_moto() -> None:
    """Forget every resource of the moto in this process. Blocking."""
    from moto.moto_api._internal.models import moto_api_backend

    moto_api_backend.reset()


class InProcess:
    """moto, for every service."""

    def __init__(self, account: str, region: str) -> None:
        self._application = moto_application(account, region)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; moto reads all bodies whole but those of S3's objects."""
        exchange = Exchange(scope, receive, send)
        service = service_of(exchange.headers, query=exchange.query, path=scope["path"])
        if service not in ("", "s3"):
            await exchange.read(MOST_READ)
        await self._application(scope, exchange.replayed, send)

    async def info(self) -> UpstreamInfo:
        """Return that this is moto."""
        from moto import __version__

        return UpstreamInfo(kind=NAME, version=__version__)

    async def serving(self) -> dict[str, str]:
        """Return what serves each service: moto."""
        return dict.fromkeys(moto_services(), NAME)

    async def reset(self) -> None:
        """Forget every resource; what AWS gives a new account (VPCs, subnets) is there again."""
        await asyncio.to_thread(reset_moto)

    async def stop(self) -> None:
        """There is nothing to close."""
