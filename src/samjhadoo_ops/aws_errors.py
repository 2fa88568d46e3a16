"""The errors of AWS clients as our own: the call, the reason and a remedy."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from samjhadoo_ops.errors import ConfigurationError, OpsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.exceptions import BotoCoreError

_LOOPBACK = ("127.0.0.1", "::1", "localhost", "localhost.localstack.cloud")


class AwsCallFailed(OpsError):
    """AWS refused a call or could not be reached; what was changed before stays changed.

    `code` is AWS's error code, empty if there was no response.
    """

    code: str = ""


@contextmanager
def aws_errors() -> Iterator[None]:
    """Turn the exception of an AWS client into an `OpsError` with the call and a remedy.

    Raises:
        ConfigurationError: Credentials or profile are missing.
        AwsCallFailed: AWS refused the call or could not be reached.
    """
    try:
        yield
    except Exception as error:
        translated = translate(error)
        if translated is None:
            raise
        raise translated from error


def translate(error: BaseException, *, changed: str = "") -> OpsError | None:
    """Return the exception of an AWS client as our own; None for any other exception."""
    from botocore import exceptions as aws
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        return _refused_call(error, changed)
    if not isinstance(error, BotoCoreError):
        return None
    text = " ".join(str(error).split())
    hint = _login(error)
    if hint:
        kind = AwsCallFailed if changed else ConfigurationError
        return kind(f"no usable AWS credentials: {text}", hint=hint, changed=changed)
    unreachable = (
        aws.EndpointConnectionError,
        aws.ConnectTimeoutError,
        aws.ReadTimeoutError,
        aws.ConnectionClosedError,
    )
    if isinstance(error, (*unreachable, aws.HTTPClientError)):
        endpoint = str(error.kwargs.get("endpoint_url", "")) or "AWS"
        return AwsCallFailed(
            f"{endpoint} cannot be reached: {text}", hint=_connection_hint(endpoint), changed=changed
        )
    return AwsCallFailed(f"AWS client: {text}", changed=changed)


def _login(error: BotoCoreError) -> str:
    """Return how to get credentials, for an error about them; else nothing."""
    from botocore import exceptions as aws

    if isinstance(error, aws.ProfileNotFound):
        name = error.kwargs["profile"]
        return (
            f"create it: aws configure --profile {name}; or correct aws.profile (or AWS_PROFILE), "
            "known profiles: aws configure list-profiles"
        )
    if isinstance(error, aws.PartialCredentialsError):
        return f"set {error.kwargs['cred_var']}, too, or remove the others"
    if isinstance(error, aws.NoCredentialsError | aws.ConfigNotFound):
        return "aws configure; or set aws.profile to a profile with credentials: aws configure list-profiles"
    expired = (aws.TokenRetrievalError, aws.SSOTokenLoadError, aws.UnauthorizedSSOTokenError, aws.SSOError)
    if isinstance(error, expired):
        return "log in again, with --profile NAME where aws.profile is set: aws sso login"
    return ""


def _connection_hint(endpoint: str) -> str:
    if urlsplit(endpoint).hostname in _LOOPBACK:
        return "invoke stack.status shows whether the local stack is running; invoke stack.up starts it"
    return "check network, proxy and aws.region"


def _refused_call(error: Any, changed: str) -> OpsError:
    response = error.response.get("Error", {})
    code, message = str(response.get("Code", "")), str(response.get("Message", ""))
    call = f"AWS {error.operation_name}"
    request = error.response.get("ResponseMetadata", {}).get("RequestId", "")
    details = (f"request id {request}",) if request else ()
    failed = AwsCallFailed(f"{call}: {code}: {message}", hint=_remedy(code), changed=changed, details=details)
    failed.code = code
    return failed


def _remedy(code: str) -> str:
    if code.startswith(("ExpiredToken", "RequestExpired", "TokenRefresh")):
        return "the credentials have expired: log in again, then run it again"
    if code in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"):
        return "the role lacks this permission: invoke config shows aws.profile and aws.role_arn"
    if code in (
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "AuthFailure",
    ):
        return "these credentials are not valid for this account and region: check aws.profile"
    if "Throttl" in code or code in ("RequestLimitExceeded", "TooManyRequestsException", "SlowDown"):
        return "AWS is throttling calls: run it again, or raise aws.retries"
    if code == "NoSuchBucket":
        return "create the bucket, or correct journal.bucket"
    return ""
