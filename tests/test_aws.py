from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from samjhadoo_ops.aws import Aws, _assuming
from samjhadoo_ops.aws_errors import AwsCallFailed, aws_errors, translate
from samjhadoo_ops.environment import Environment, SecretRef, load_environment
from samjhadoo_ops.errors import ConfigurationError, ExitCode, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
IDENTITY = """<GetCallerIdentityResponse>
<GetCallerIdentityResult><Arn>arn:aws:iam::{0}:root</Arn>
<UserId>{0}</UserId><Account>{0}</Account></GetCallerIdentityResult>
</GetCallerIdentityResponse>"""
DENIED = """<ErrorResponse>
<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not you</Message></Error>
<RequestId>r-1</RequestId></ErrorResponse>"""


class Edge:
    """A server that returns the caller's identity and records the requests."""

    def __init__(self) -> None:
        self.account = "000000000000"
        self.status = 200
        self.body = IDENTITY
        self.authorizations: list[str] = []
        edge = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                edge.authorizations.append(self.headers["Authorization"])
                answer = edge.body.format(edge.account).encode()
                self.send_response(edge.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments: object) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def edge() -> Iterator[Edge]:
    edge = Edge()
    thread = threading.Thread(target=edge.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield edge
    edge.server.shutdown()
    edge.server.server_close()
    thread.join()


@pytest.fixture
def local(tmp_path: Path) -> Environment:
    """The local environment of a project that has no key of a stack."""
    found = load_environment("local", root=ROOT, variables={"SAMJHADOO_AWS__RETRIES": "1"})
    return msgspec.structs.replace(found, root=tmp_path)


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    """The real environment of someone who has no AWS access on this machine."""
    config = tmp_path / "config"
    config.write_text("[profile samjhadoo-production]\nregion = eu-central-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return load_environment("production", root=ROOT, variables={})


def with_aws(environment: Environment, **changes: Any) -> Environment:
    return msgspec.structs.replace(environment, aws=msgspec.structs.replace(environment.aws, **changes))


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Everything in a user's shell that could lead a local client astray."""
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1:1")
    monkeypatch.setenv("LOCALSTACK_HOST", "192.0.2.2:2")
    monkeypatch.setenv("USE_SSL", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREALREALREALREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.3:3")
    monkeypatch.setenv("http_proxy", "http://192.0.2.3:3")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    config = tmp_path / "broken"
    config.write_text("this is no ini file")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))


@pytest.mark.usefixtures("hostile")
def test_a_local_client_calls_the_edge_with_test_credentials_whatever_the_shell_has_set(
    local: Environment, edge: Edge
) -> None:
    assert Aws(local, edge.url).account_guard() == "000000000000"
    (authorization,) = edge.authorizations
    assert "Credential=test/" in authorization
    assert "/ap-south-1/sts/" in authorization


@pytest.mark.parametrize(
    "service",
    ["ecs", "ecr", "elbv2", "application-autoscaling", "sts", "s3", "synthetics", "codeguru-security"],
)
def test_every_service_is_at_the_edge_even_those_unknown_to_localstack_client(
    local: Environment, service: str
) -> None:
    client = Aws(local, "http://127.0.0.1:1234").client(service)
    assert client.meta.endpoint_url == "http://127.0.0.1:1234"
    assert client.meta.region_name == "ap-south-1"


def test_a_client_can_be_of_another_region(local: Environment) -> None:
    aws = Aws(local, "http://127.0.0.1:1234")
    regions = [aws.client("rds", region=name).meta.region_name for name in ("us-east-1", "", "us-east-1")]
    assert regions == ["us-east-1", "ap-south-1", "us-east-1"]


def test_clients_are_made_once_and_retry_as_configured(local: Environment) -> None:
    aws = Aws(local, "http://127.0.0.1:1234")
    assert aws.client("ecs") is aws.client("ecs")
    assert aws.client("ecs").meta.config.retries == {"mode": "standard", "total_max_attempts": 1}


def test_the_callers_boto3_stays_as_it_was(local: Environment) -> None:
    import boto3

    before = boto3.DEFAULT_SESSION
    Aws(local, "http://127.0.0.1:1234").client("ecs")
    assert boto3.DEFAULT_SESSION is before


def test_a_local_environment_without_an_endpoint_makes_no_client(local: Environment) -> None:
    with pytest.raises(ConfigurationError, match="local stack") as caught:
        Aws(local, None)
    assert "stack.up" in caught.value.hint


def test_the_account_guard_refuses_another_account(local: Environment, edge: Edge) -> None:
    edge.account = "999988887777"
    with pytest.raises(Refused, match=r"999988887777.*000000000000.*environments/local\.toml") as caught:
        Aws(local, edge.url).account_guard()
    assert caught.value.exit_code == ExitCode.REFUSED


def test_a_refused_call_is_reported_with_its_name_and_a_remedy(local: Environment, edge: Edge) -> None:
    edge.status, edge.body = 403, DENIED
    with pytest.raises(AwsCallFailed, match="AWS GetCallerIdentity: AccessDenied: not you") as caught:
        Aws(local, edge.url).account_guard()
    assert "permission" in caught.value.hint
    assert caught.value.details == ("request id r-1",)


def test_an_edge_that_does_not_answer_points_to_the_stack(local: Environment) -> None:
    with pytest.raises(AwsCallFailed, match=r"127\.0\.0\.1:9") as caught:
        Aws(local, "http://127.0.0.1:9").account_guard()
    assert "stack.status" in caught.value.hint


def test_secret_references_are_resolved_by_the_clients(local: Environment, edge: Edge) -> None:
    edge.body = '{{"Name": "n", "SecretString": "{{\\"password\\": \\"p\\"}}"}}'
    secret = SecretRef.parse("secretsmanager:n#password").resolve(Aws(local, edge.url))
    assert secret.reveal() == "p"


def test_a_real_client_ignores_endpoints_from_the_shell(
    production: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", "http://127.0.0.1:4566")
    client = Aws(production).client("ecs")
    assert client.meta.endpoint_url == "https://ecs.ap-south-1.amazonaws.com"


def test_without_credentials_the_error_shows_how_to_get_them(production: Environment) -> None:
    for environment in (production, with_aws(production, role_arn="")):
        with pytest.raises(ConfigurationError, match="no usable AWS credentials") as caught:
            Aws(environment).account_guard()
        assert caught.value.exit_code == ExitCode.USAGE
        assert caught.value.hint


def test_an_unknown_profile_is_a_configuration_error(production: Environment) -> None:
    with pytest.raises(ConfigurationError, match="nobody"):
        Aws(with_aws(production, profile="nobody")).client("ecs")


class Source:
    """A session that may assume the role and counts how often it did."""

    def __init__(self, lifetime: timedelta) -> None:
        self.lifetime = lifetime
        self.calls: list[dict[str, Any]] = []

    def get_credentials(self) -> Any:
        from botocore.credentials import Credentials

        return Credentials("source", "secret")

    def create_client(self, service: str, **options: Any) -> Any:
        assert (service, options["region_name"]) == ("sts", "ap-south-1")
        return self

    def assume_role(self, **parameters: Any) -> dict[str, Any]:
        self.calls.append(parameters)
        expires = datetime.now(UTC) + self.lifetime
        keys = {"AccessKeyId": f"role-{len(self.calls)}", "SecretAccessKey": "s", "SessionToken": "t"}
        return {"Credentials": {**keys, "Expiration": expires}}

    def close(self) -> None:
        """Close nothing."""


@pytest.mark.parametrize(
    ("lifetime", "expected"), [(timedelta(hours=1), "role-1"), (timedelta(minutes=5), "role-2")]
)
def test_the_roles_credentials_are_renewed_before_they_expire(
    production: Environment, lifetime: timedelta, expected: str
) -> None:
    source = Source(lifetime)
    credentials = _assuming(source, production, None).get_credentials()
    assert credentials.get_frozen_credentials().access_key == "role-1"
    assert credentials.get_frozen_credentials().access_key == expected
    assert source.calls[0]["RoleArn"] == production.aws.role_arn
    assert source.calls[0]["RoleSessionName"] == "samjhadoo-ops-production"


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("ExpiredTokenException", "log in again"),
        ("ExpiredToken", "log in again"),
        ("AccessDeniedException", "permission"),
        ("UnrecognizedClientException", "not valid"),
        ("ThrottlingException", "throttling"),
        ("ServiceNotFoundException", ""),
    ],
)
def test_a_refusal_has_the_right_remedy(code: str, hint: str) -> None:
    from botocore.exceptions import ClientError

    error = translate(
        ClientError({"Error": {"Code": code, "Message": "m"}}, "UpdateService"), changed="a revision"
    )
    assert error is not None
    assert error.message == f"AWS UpdateService: {code}: m"
    assert hint in error.hint
    assert bool(hint) == bool(error.hint)
    assert error.changed == "a revision"


def test_credentials_lost_midway_are_not_a_configuration_error() -> None:
    from botocore.exceptions import NoCredentialsError

    error = translate(NoCredentialsError(), changed="the service")
    assert type(error) is AwsCallFailed
    assert error.exit_code == ExitCode.UNEXPECTED


def test_other_errors_are_not_aws_errors() -> None:
    assert translate(ValueError("x")) is None
    with pytest.raises(ValueError, match="x"), aws_errors():
        raise ValueError("x")
