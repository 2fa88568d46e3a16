"""moto in process: the upstream of an emulator that was given none, and what a LocalStack lacks."""

from __future__ import annotations

import asyncio
import functools
import io
import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from starlette.datastructures import Headers
from urllib3 import HTTPHeaderDict
from urllib3.response import HTTPResponse
from werkzeug.test import create_environ, run_wsgi_app

from samjhadoo_emulator import lean
from samjhadoo_emulator.exchange import Exchange
from samjhadoo_emulator.identify import service_of
from samjhadoo_emulator.upstream.amendments import amend
from samjhadoo_emulator.upstream.crashes import answering, refusal
from samjhadoo_emulator.upstream.info import UpstreamInfo

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from starlette.types import ASGIApp, Receive, Scope, Send

NAME = "moto"
WORKERS = 16
MOST_READ = 70_167_211
"""Bytes of the longest request to AWS besides S3's: Lambda's CreateFunction with a package of 50 MB."""
_NOT_AWS = {"core", "moto_api", "moto_server", "s3bucket_path", "utilities"}


def moto_application(account: str, region: str) -> ASGIApp:
    """Return moto's server as an ASGI application. Bodies stream; requests run in threads."""
    return _asgi(_moto_server(account, region))


def _asgi(moto: Any) -> ASGIApp:
    from a2wsgi import WSGIMiddleware

    application: Any = WSGIMiddleware(moto, workers=WORKERS)
    return answering(application, _has)


def _moto_server(account: str, region: str) -> Any:
    """Return moto's server, a WSGI application."""
    os.environ["MOTO_ACCOUNT_ID"] = account  # read when moto is first imported
    lean.trim(region)
    _validate_certificates_at_once()
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    def create(service: Any) -> Any:
        amend(service)
        return create_backend_app(service)

    return passing_on(DomainDispatcherApplication(create))


def passing_on(application: Any) -> Any:
    """Return a WSGI application with errors that its thread can pass on to who waits for it.

    A StopIteration, which moto raises when it looks for something with `next`, would be waited for for ever.
    """

    def serve(environ: Any, start_response: Any) -> Any:
        try:
            return application(environ, start_response)
        except StopIteration as error:
            raise RuntimeError("StopIteration") from error

    return serve


def _validate_certificates_at_once() -> None:
    """Let certificates be issued at the next look at them: stacks would wait for moto's minute."""
    from moto import settings

    if "MOTO_ACM_VALIDATION_WAIT" not in os.environ:
        settings.ACM_VALIDATION_WAIT = 0


def _has(service: str) -> bool:
    return moto_name(service) in moto_services()


@functools.cache
def moto_services() -> tuple[str, ...]:
    """Return the services that moto has, by its own names."""
    from moto.backends import list_of_moto_modules

    return tuple(sorted(name for name in list_of_moto_modules() if name not in _NOT_AWS))


def moto_name(service: str) -> str:
    """Return moto's name of a service."""
    return "awslambda" if service == "lambda" else service.replace("-", "")


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _content(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, bytes) else bytes(body.read() if hasattr(body, "read") else body)


def reset_moto() -> None:
    """Forget every resource of the moto in this process. Blocking."""
    from moto.moto_api._internal.models import moto_api_backend

    moto_api_backend.reset()


class InProcess:
    """moto, for every service."""

    def __init__(self, account: str, region: str) -> None:
        self._moto = _moto_server(account, region)
        self._application = _asgi(self._moto)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; moto reads all bodies whole but those of S3's objects."""
        exchange = Exchange(scope, receive, send)
        service = service_of(exchange.headers, query=exchange.query, path=scope["path"])
        if service not in ("", "s3"):
            await exchange.read(MOST_READ)
        await self._application(scope, exchange.replayed, send)

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """Answer a request of boto3 in this process, as a handler of its event `before-send`. Blocking.

        Without sockets and the edge between them, a call takes a third of the time.

        Raises:
            AwsError: moto failed at it.
        """
        parts = urlsplit(request.url)
        headers = [(name, _text(value)) for name, value in request.headers.items()]
        content = _content(request.body)
        environ = create_environ(
            path=parts.path or "/",
            base_url=f"{parts.scheme}://{parts.netloc}",
            query_string=parts.query,
            method=request.method,
            headers=headers,
            input_stream=io.BytesIO(content),
            content_length=len(content),
        )
        why: Exception | None = None
        try:
            chunks, status, answered = run_wsgi_app(self._moto, environ, buffered=True)
            code = int(status.split()[0])
        except Exception as error:  # noqa: BLE001 - whatever moto raises
            why, code = error, HTTPStatus.INTERNAL_SERVER_ERROR
        if code == HTTPStatus.INTERNAL_SERVER_ERROR:
            raise refusal(
                Headers(dict(headers)),
                query=parts.query,
                path=parts.path,
                body=content,
                error=why,
                has=_has,
            )
        body = io.BytesIO(b"".join(chunks))
        raw = HTTPResponse(body, headers=HTTPHeaderDict(list(answered)), status=code, preload_content=False)
        return AWSResponse(request.url, code, raw.headers, raw)

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
