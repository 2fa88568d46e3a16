from __future__ import annotations

import hmac
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from samjhadoo_ops.errors import ConfigurationError, OpsError
from samjhadoo_ops.redaction import REDACTED, register_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEMES = {
    "secretsmanager": re.compile(r"[A-Za-z0-9/_+=.@:-]{1,2048}(#[A-Za-z0-9_.-]{1,200})?", re.ASCII),
    "ssm": re.compile(r"/?[A-Za-z0-9_./-]{1,1010}", re.ASCII),
    "env": re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}", re.ASCII),
}
_NOT_FOUND = ("ResourceNotFoundException", "ParameterNotFound", "ValidationException")
_FORMS = "secretsmanager:NAME[#KEY], ssm:/NAME or env:NAME"
_KNOWN_SECRETS = re.compile(
    r"\b(?:(?:sk|rk)_(?:live|test)_|whsec_|AKIA[A-Z0-9]{12}|ASIA[A-Z0-9]{12}|xox[abeprs]-|gh[pousr]_[A-Za-z0-9]{20}|github_pat_)"
    r"|hooks\.slack\.com/services/|-----BEGIN [A-Z ]*PRIVATE KEY|://[^/@\s:]+:[^/@\s]+@"
)


class Clients(Protocol):
    """Makes AWS clients, as `samjhadoo_ops.aws.Aws` does."""

    def client(self, service: str) -> Any:
        """Return a client of the AWS service."""


class Secret:
    """A value that is never printed; only `reveal` returns it."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value
        register_secret(value)

    def reveal(self) -> str:
        """Return the secret text."""
        return self.__value

    def __str__(self) -> str:
        return REDACTED

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash(self.__value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be serialised")

    __getstate__ = __reduce__ = __reduce_ex__  # type: ignore[assignment]


@dataclass(frozen=True)
class SecretRef:
    """A reference to a secret: `secretsmanager:NAME`, `secretsmanager:NAME#KEY`, `ssm:/NAME` or `env:NAME`.

    Args:
        name: The name or ARN of the secret, or the name of the parameter or variable.
        key: The key inside a secret that is a JSON object; empty for the whole secret.
    """

    scheme: str
    name: str
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> SecretRef:
        """Parse a reference, or raise `ValueError` without its text, which may be a secret itself."""
        scheme, colon, rest = text.partition(":")
        grammar = _SCHEMES.get(scheme)
        if not colon or grammar is None or grammar.fullmatch(rest) is None or looks_secret(rest):
            raise ValueError(f"expected a reference ({_FORMS}), not the secret itself (value not shown)")
        name, _, key = rest.partition("#")
        return cls(scheme, name, key)

    def __str__(self) -> str:
        return f"{self.scheme}:{self.name}" + (f"#{self.key}" if self.key else "")

    def resolve(self, clients: Clients, *, variables: Mapping[str, str] | None = None) -> Secret:
        """Fetch the secret; raise `ConfigurationError` if there is none, `AwsCallFailed` if AWS refuses."""
        if self.scheme == "env":
            return Secret(self._from_variables(os.environ if variables is None else variables))
        try:
            return Secret(self._fetched(clients))
        except OpsError:
            raise
        except Exception as error:  # noqa: BLE001 - raised again, explained
            raise self._explained(error) from None

    def _fetched(self, clients: Clients) -> str:
        if self.scheme == "ssm":
            parameter = clients.client("ssm").get_parameter(Name=self.name, WithDecryption=True)["Parameter"]
            return str(parameter["Value"])
        text = clients.client("secretsmanager").get_secret_value(SecretId=self.name).get("SecretString")
        if text is None:
            raise ConfigurationError(f"{self}: the secret is binary; expected text")
        return self._member(text) if self.key else str(text)

    def _explained(self, error: Exception) -> Exception:
        """Return AWS's error with the reference in its message; other errors unchanged."""
        from samjhadoo_ops.aws_errors import translate

        explained = translate(error)
        if explained is None:
            return error
        kind = ConfigurationError if getattr(explained, "code", "") in _NOT_FOUND else type(explained)
        hint = explained.hint or f"create {self.name}, or correct the reference"
        return kind(f"{self}: {explained.message}", hint=hint, details=explained.details)

    def _from_variables(self, variables: Mapping[str, str]) -> str:
        value = variables.get(self.name)
        if not value:
            raise ConfigurationError(
                f"{self}: the environment variable {self.name} is not set", hint=f"export {self.name}=…"
            )
        return value

    def _member(self, text: str) -> str:
        try:
            document = json.loads(text)
        except ValueError:
            raise ConfigurationError(
                f"{self}: the secret is not JSON, so there is no key {self.key}"
            ) from None
        if not isinstance(document, dict) or self.key not in document:
            raise ConfigurationError(f"{self}: the secret has no key {self.key}")
        value = document[self.key]
        return value if isinstance(value, str) else json.dumps(value)


def looks_secret(text: str) -> bool:
    """Return whether the text looks like a secret: a provider's key prefix, or a password in a URL."""
    return _KNOWN_SECRETS.search(text) is not None
