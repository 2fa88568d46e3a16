"""The environment variables with which other programs use a running stack."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from samjhadoo_ops.aws import LOCAL_SECRET, local_key
from samjhadoo_ops.database.connection import Connection
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.stack.state import Addresses

FOREIGN = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
"""Variables that would send a program to another account, or make it ignore the endpoint."""


class _Cache(msgspec.Struct):
    """The secret of Redis; it may have more members."""

    password: str = ""


def client_variables(env: Environment, aws: Aws, addresses: Addresses) -> dict[str, str]:
    """Return the variables for AWS clients, PostgreSQL's programs, Redis, and the service's own address.

    Raises:
        ConfigurationError: A secret is malformed.
        AwsCallFailed: A secret could not be read.
    """
    database = Connection.from_secret(env.database.secret, env.database.secret.resolve(aws))
    password = quote(_cache_password(env, aws), safe="")
    return {
        "AWS_ENDPOINT_URL": addresses.aws,
        "AWS_REGION": env.aws.region,
        "AWS_DEFAULT_REGION": env.aws.region,
        "AWS_ACCESS_KEY_ID": local_key(env.root),
        "AWS_SECRET_ACCESS_KEY": LOCAL_SECRET,
        "DATABASE_URL": database.url,
        "PGHOST": database.host,
        "PGPORT": str(database.port),
        "PGDATABASE": database.dbname,
        "PGUSER": database.username,
        "PGPASSWORD": database.password.reveal(),
        "REDIS_URL": f"redis://:{password}@{addresses.redis}" if password else f"redis://{addresses.redis}",
        "SERVICE_URL": addresses.production,
        "SERVICE_TEST_URL": addresses.test,
    }


def _cache_password(env: Environment, aws: Aws) -> str:
    try:
        return msgspec.json.decode(env.cache.secret.resolve(aws).reveal(), type=_Cache).password
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise ConfigurationError(f"cache.secret: {env.cache.secret}: {error}") from None


def shell_lines(variables: Mapping[str, str]) -> list[str]:
    """Return the lines that set the variables in a POSIX shell, and unset those that would lead elsewhere."""
    return [f"unset {' '.join(FOREIGN)}", *(f"export {k}={shlex.quote(v)}" for k, v in variables.items())]
