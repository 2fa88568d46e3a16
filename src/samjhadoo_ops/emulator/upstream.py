"""The upstream: moto in process, for every AWS service that is not live here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp

WORKERS = 16


def moto_application(account: str) -> ASGIApp:
    """Return moto's server as an ASGI application. Bodies stream; requests run in threads."""
    os.environ["MOTO_ACCOUNT_ID"] = account  # read when moto is first imported
    os.environ.setdefault("MOTO_S3_CUSTOM_ENDPOINTS", "")
    from a2wsgi import WSGIMiddleware
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    application: Any = WSGIMiddleware(DomainDispatcherApplication(create_backend_app), workers=WORKERS)
    return application  # type: ignore[no-any-return]
