"""What the service is told by environment variables; the README lists them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samjhadoo_backend.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Mapping


class SettingError(ValueError):
    """A variable holds what cannot be understood; the message names it."""


@dataclass(frozen=True)
class Settings:
    """The service's configuration.

    Args:
        database: Connection parameters as psycopg names them.
        redis: Host, port and password; no password if that is empty.
        webhook_secrets: Every secret that may have signed an event; two while one is being rolled.
        stop_timeout: Seconds that requests in flight get after SIGTERM.
    """

    version: str
    git_sha: str
    address: str
    port: int
    database: dict[str, Any] = field(repr=False)
    redis: tuple[str, int, str]
    webhook_secrets: tuple[str, ...] = field(repr=False)
    stop_timeout: float
    faults: Faults

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> Settings:
        """Read the settings.

        Raises:
            SettingError: A variable is missing or malformed.
        """
        git_sha = variables.get("GIT_SHA") or variables.get("VERSION") or "unknown"
        secrets = variables.get("STRIPE_WEBHOOK_SECRET", "").split(",")
        try:
            return cls(
                version=variables.get("VERSION") or git_sha,
                git_sha=git_sha,
                address=variables.get("SERVER_ADDRESS") or "0.0.0.0",
                port=_integer(variables.get("SERVER_PORT") or variables.get("PORT") or "8080", "SERVER_PORT"),
                database=_database(variables),
                redis=_redis(variables),
                webhook_secrets=tuple(secret.strip() for secret in secrets if secret.strip()),
                stop_timeout=float(variables.get("STOP_TIMEOUT") or "25"),
                faults=Faults.read(variables),
            )
        except SettingError:
            raise
        except ValueError as error:
            raise SettingError(str(error)) from error


def _database(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return PostgreSQL's connection parameters: an RDS secret in `DATABASE`, or one variable each."""
    secret = _object(variables, "DATABASE")
    wanted = {"host": "host", "port": "port", "dbname": "dbname", "user": "username", "password": "password"}
    found = {
        name: secret.get(key) or variables.get(f"DATABASE_{key.upper()}", "") for name, key in wanted.items()
    }
    found["port"] = _integer(str(found["port"] or "5432"), "DATABASE port")
    for name in ("host", "dbname", "user"):
        if not found[name]:
            raise SettingError(f"no {name} of the database: set DATABASE or DATABASE_{wanted[name].upper()}")
    return {name: value for name, value in found.items() if value}


def _redis(variables: Mapping[str, str]) -> tuple[str, int, str]:
    secret = _object(variables, "REDIS")
    host = secret.get("host") or variables.get("REDIS_HOST")
    if not host:
        raise SettingError("no host of Redis: set REDIS or REDIS_HOST")
    port = str(secret.get("port") or variables.get("REDIS_PORT") or "6379")
    password = secret.get("password") or variables.get("REDIS_PASSWORD") or ""
    return str(host), _integer(port, "REDIS port"), str(password)


def _object(variables: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        document = json.loads(variables.get(name) or "{}")
    except ValueError:
        document = None
    if not isinstance(document, dict):
        # The value is a secret: it is not shown.
        raise SettingError(f"{name} is not a JSON object")
    return document


def _integer(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SettingError(f"{name} is not a number: {text!r}") from None
