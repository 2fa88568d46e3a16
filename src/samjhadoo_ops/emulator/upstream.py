"""The upstream: moto in process, for every AWS service that is not live here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.emulator import lean

if TYPE_CHECKING:
    from starlette.types import ASGIApp

WORKERS = 16
_NOT_AWS = {"core", "moto_api", "moto_server", "s3bucket_path", "utilities"}


def moto_application(account: str, region: str) -> ASGIApp:
    """Return moto's server as an ASGI application. Bodies stream; requests run in threads."""
    os.environ["MOTO_ACCOUNT_ID"] = account  # read when moto is first imported
    lean.trim(region)
    from a2wsgi import WSGIMiddleware
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    application: Any = WSGIMiddleware(DomainDispatcherApplication(create_backend_app), workers=WORKERS)
    return application  # type: ignore[no-any-return]


def upstream_services() -> list[str]:
    """Return the names of the services that moto has."""
    from moto.backends import list_of_moto_modules

    return sorted(name for name in list_of_moto_modules() if name not in _NOT_AWS)
