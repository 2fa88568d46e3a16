"""The database connection from its secret, for Flyway (JDBC) and psycopg."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import msgspec

from samjhadoo_ops.environment import Secret
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.environment.secret import SecretRef

CONNECT_TIMEOUT = 10
"""Real seconds that connecting may take."""


class _Document(msgspec.Struct):
    """The secret, in the format of RDS; it may have more members (engine, instance identifier)."""

    host: str
    dbname: str
    username: str
    password: str
    port: int = 5432


@dataclass(frozen=True)
class Connection:
    """The address of the database and the user's credentials."""

    host: str
    port: int
    dbname: str
    username: str
    password: Secret

    @classmethod
    def from_secret(cls, ref: SecretRef | str, secret: Secret) -> Connection:
        """Read the JSON of the database secret `ref`; raise `ConfigurationError` if it is malformed."""
        try:
            # Not strict, because some secrets have the port as text.
            found = msgspec.json.decode(secret.reveal(), type=_Document, strict=False)
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            # No cause: it might contain a part of the secret.
            raise ConfigurationError(
                f"database.secret: {ref}: {error}",
                hint='its value must be JSON: {"host", "port", "dbname", "username", "password"}',
            ) from None
        return cls(found.host, found.port, found.dbname, found.username, Secret(found.password))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.dbname}"

    @property
    def url(self) -> str:
        """The URI of libpq, with user and password (PostgreSQL documentation, 34.1.1.2)."""
        who = f"{quote(self.username, safe='')}:{quote(self.password.reveal(), safe='')}"
        return f"postgresql://{who}@{self._host}:{self.port}/{quote(self.dbname, safe='')}"

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def jdbc_url(self, *, application: str, parameters: Mapping[str, str]) -> str:
        """Return the URL of PostgreSQL's JDBC driver, without user and password.

        Args:
            application: The session's name in `pg_stat_activity`.
            parameters: Server parameters for the session, such as `lock_timeout`.
        """
        query = jdbc_query(application=application, parameters=parameters)
        return f"jdbc:postgresql://{self._host}:{self.port}/{quote(self.dbname)}?{query}"

    def open(self) -> Any:
        """Return a psycopg connection in autocommit mode; statements time out after 10 s.

        Raises:
            psycopg.OperationalError: The database cannot be reached, or refused the connection.
        """
        import psycopg

        return psycopg.connect(
            host=self.host,
            port=self.port,
            dbname=self.dbname,
            user=self.username,
            password=self.password.reveal(),
            connect_timeout=CONNECT_TIMEOUT,
            application_name="samjhadoo-ops",
            options="-c statement_timeout=10000",
            autocommit=True,
        )

    def end_sessions(self, application: str) -> None:
        """End the sessions of a killed Flyway, if the database answers.

        Otherwise PostgreSQL would finish the running statement first.
        """
        import psycopg

        with suppress(psycopg.Error), self.open() as session:
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
                (application,),
            )


def jdbc_query(*, application: str, parameters: Mapping[str, str]) -> str:
    """Return the query of a URL for PostgreSQL's JDBC driver; see `jdbc_url`."""
    query = {
        "ApplicationName": application,
        "connectTimeout": str(CONNECT_TIMEOUT),
        "options": " ".join(f"-c {name}={value}" for name, value in parameters.items()),
    }
    return urlencode(query, quote_via=quote)
