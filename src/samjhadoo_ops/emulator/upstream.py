"""The upstream: moto in process, for every AWS service that is not live here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

WORKERS = 16
OFFERINGS = "instance_type_offerings"


def moto_application(account: str, region: str) -> ASGIApp:
    """Return moto's server as an ASGI application. Bodies stream; requests run in threads."""
    os.environ["MOTO_ACCOUNT_ID"] = account  # read when moto is first imported
    from a2wsgi import WSGIMiddleware
    from moto.utilities import utils

    # moto.ec2 reads which instance types every region offers when it is imported: 70 MB that stay. EC2 is
    # here for its networks only, so the other regions' offerings are left out.
    utils.load_resource = _offerings_of_one_region(utils.load_resource, region)
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    application: Any = WSGIMiddleware(DomainDispatcherApplication(create_backend_app), workers=WORKERS)
    return application  # type: ignore[no-any-return]


def _offerings_of_one_region(load: Callable[[str], Any], region: str) -> Callable[[str], Any]:
    def load_resource(filename: str) -> Any:
        if OFFERINGS in filename and not os.path.basename(filename).startswith(region):
            return []
        return load(filename)

    return load_resource
