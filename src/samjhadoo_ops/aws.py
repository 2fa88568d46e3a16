"""The only module that makes AWS clients; it also checks the account."""

from __future__ import annotations

import base64
import os
import threading
from collections import Counter
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from samjhadoo_ops.aws_errors import aws_errors
from samjhadoo_ops.errors import ConfigurationError, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_ops.environment import Environment

LOCAL_SECRET = "test"  # noqa: S105 - nothing checks it
KEY_FILE = Path(".samjhadoo", "local", "key")
"""The file with the key that the project's local stack may ask for; only its owner can read it."""
CONNECT_TIMEOUT = 5.0  # real seconds
READ_TIMEOUT = 60.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost", "localhost.localstack.cloud")
_ARN_ACCOUNT = 4
_DEFAULT_SESSION = threading.Lock()


class Aws:
    """Makes the AWS clients of an environment, each once.

    With an endpoint, every client talks to it through localstack-client, with the local stack's credentials;
    real credentials are never read. Without one, clients use the environment's profile, role and region.

    Args:
        endpoint_url: The local stack's edge; None for AWS itself.

    Attributes:
        calls: HTTP requests sent, by service.

    Raises:
        ConfigurationError: The environment has a local stack, but no endpoint is given.
    """

    def __init__(self, env: Environment, endpoint_url: str | None = None) -> None:
        if env.stack is not None and not endpoint_url:
            raise ConfigurationError(
                f"the environment {env.name} has a local stack, but its endpoint is not known",
                hint=f"invoke stack.up --env {env.name}",
            )
        self.env = env
        self.endpoint_url = endpoint_url or None
        self.calls: Counter[str] = Counter()
        self._clients: dict[tuple[str, bool, str], Any] = {}
        self._session: Any = None
        self._localstack: Any = None
        self._lock = threading.RLock()

    def client(self, service: str, *, resend: bool = True, region: str = "") -> Any:
        """Return the client of a service; it can be used from several threads.

        Args:
            service: botocore's name of the service.
            resend: Whether it repeats requests that were throttled or not answered.
            region: The region, if it is not the environment's.
        """
        with self._lock:
            key = (service, resend, region or self.env.aws.region)
            if key not in self._clients:
                make = self._local if self.endpoint_url else self._real
                self._clients[key] = make(service, self._config(resend=resend, region=key[2]))
                self._clients[key].meta.events.register("before-send", self._count)
            return self._clients[key]

    def call_counts(self) -> dict[str, int]:
        """Return how many HTTP requests were sent to each service, including repeated ones."""
        with self._lock:
            return {"total": self.calls.total(), **dict(sorted(self.calls.items()))}

    def _count(self, *, event_name: str, **_: Any) -> None:
        with self._lock:
            self.calls[event_name.split(".")[1]] += 1

    @cached_property
    def caller(self) -> str:
        """The ARN of the credentials' user or role, as AWS sees it."""
        with aws_errors():
            return str(self.client("sts").get_caller_identity()["Arn"])

    def account_guard(self) -> str:
        """Return the account of the credentials; raise `Refused` if it is not the environment's."""
        account = self.caller.split(":")[_ARN_ACCOUNT]
        if account != self.env.aws.account:
            raise Refused(
                f"these credentials belong to account {account}, but {self.env.name} is "
                f"{self.env.aws.account} ({self._source('account')})",
                hint=f"use the credentials of {self.env.name}, or correct aws.account",
            )
        return account

    def _source(self, key: str) -> str:
        return self.env.sources.get(("aws", key), "aws." + key)

    def _config(self, *, resend: bool = True, region: str = "") -> Any:
        from botocore.config import Config

        attempts = self.env.aws.retries if resend else 1
        config = Config(
            region_name=region or self.env.aws.region,
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            ignore_configured_endpoint_urls=True,  # AWS_ENDPOINT_URL must not redirect a production deploy
            user_agent_extra="samjhadoo-ops",
        )
        if self.endpoint_url:
            config = config.merge(Config(s3={"addressing_style": "path"}))
            if urlsplit(self.endpoint_url).hostname in _LOOPBACK:
                config = config.merge(Config(proxies={}))
        return config

    def _local(self, service: str, config: Any) -> Any:
        """Make a client through localstack-client, for any service, always at our endpoint."""
        from localstack_client.session import Session

        endpoint = str(self.endpoint_url)
        if self._session is None:
            self._session = _plain_session(self.env)
            address = urlsplit(endpoint)
            self._localstack = Session(
                aws_access_key_id=local_key(self.env.root),
                aws_secret_access_key=LOCAL_SECRET,
                region_name=self.env.aws.region,
                localstack_host=f"{address.hostname}:{address.port or 80}",
            )
        # Its table lacks services, has no https, and AWS_ENDPOINT_URL overrides it. It has one region.
        self._localstack._service_endpoint_mapping[service] = endpoint  # noqa: SLF001
        self._localstack.common_protected_kwargs["region_name"] = config.region_name
        with _default_session(self._session):
            return self._localstack.client(service, config=config)

    def _real(self, service: str, config: Any) -> Any:
        import boto3
        import botocore.session

        with aws_errors():
            if self._session is None:
                source = botocore.session.Session(profile=self.env.aws.profile or None)
                if self.env.aws.role_arn:
                    source = _assuming(source, self.env, self._config())
                self._session = boto3.Session(botocore_session=source, region_name=self.env.aws.region)
            return self._session.client(service, region_name=config.region_name, config=config)


def _assuming(source: Any, env: Environment, config: Any) -> Any:
    """Return a session with the role's credentials, which are renewed before they expire.

    A canary deployment takes longer than the hour for which an assumed role's credentials are valid.
    """
    import botocore.credentials
    import botocore.session

    class AssumedRole(botocore.credentials.CredentialProvider):  # type: ignore[misc]
        METHOD = CANONICAL_NAME = "samjhadoo-assume-role"

        def load(self) -> Any:
            credentials = source.get_credentials()
            if credentials is None:
                return None
            fetcher = botocore.credentials.AssumeRoleCredentialFetcher(
                client_creator=lambda *names, **options: source.create_client(
                    *names, **{"region_name": env.aws.region, "config": config, **options}
                ),
                source_credentials=credentials,
                role_arn=env.aws.role_arn,
                extra_args={"RoleSessionName": f"samjhadoo-ops-{env.name}"[:64]},
            )
            return botocore.credentials.DeferredRefreshableCredentials(
                method=self.METHOD, refresh_using=fetcher.fetch_credentials
            )

    session = botocore.session.Session(profile=env.aws.profile or None)
    resolver = botocore.credentials.CredentialResolver([AssumedRole()])
    session.register_component("credential_provider", resolver)
    return session


def local_key(root: Path) -> str:
    """Return the access key id for the local stack of the project in a folder; any will do without a file."""
    try:
        return (root / KEY_FILE).read_text(encoding="ascii").strip()
    except OSError:
        return "test"


def local_login(root: Path) -> str:
    """Return the `Authorization` header with which the local AWS's control endpoint gets the stack's key."""
    return f"Basic {base64.b64encode(f':{local_key(root)}'.encode()).decode()}"


def _plain_session(env: Environment) -> Any:
    """Return a boto3 session that ignores the user's AWS profile and files."""
    import boto3
    import botocore.session

    nothing = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return boto3.Session(
        aws_access_key_id=local_key(env.root),
        aws_secret_access_key=LOCAL_SECRET,
        region_name=env.aws.region,
        botocore_session=botocore.session.Session(session_vars=nothing),
    )


@contextmanager
def _default_session(session: Any) -> Iterator[None]:
    """Make this boto3's default session for a moment, because localstack-client uses that one.

    With the user's own, an unknown profile in AWS_PROFILE would be an error, and the settings in the user's
    files would affect local clients.
    """
    import boto3

    with _DEFAULT_SESSION:
        before = boto3.DEFAULT_SESSION
        boto3.DEFAULT_SESSION = session
        try:
            yield
        finally:
            boto3.DEFAULT_SESSION = before
