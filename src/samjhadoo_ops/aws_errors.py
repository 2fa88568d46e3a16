"""What AWS refused, in our words: the call, the reason and a remedy."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from samjhadoo_ops.errors import ConfigurationError, OpsError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOPBACK = ("127.0.0.1", "::1", "localhost", "localhost.localstack.cloud")


class AwsCallFailed(OpsError):
    """AWS refused a call or could not be reached; what was changed before it stands.

    `code` is AWS's error code, empty when there was no answer.
    """

    code: str = ""


@contextmanager
def aws_errors() -> Iterator[None]:
    """Turn what an AWS client raises into an `OpsError` with the call and a remedy.

    Raises:
        ConfigurationError: Credentials or profile are missing.
        AwsCallFailed: Anything else that AWS or the way to it refused.

    """
    try:
        yield
    except Exception as error:
        translated = translate(error)
        if translated is None:
            raise
        raise translated from error


def translate(error: BaseException, *, changed: str = "") -> OpsError | None:
    """Return the error of an AWS client in our words; None when it is none."""
    from botocore import exceptions as aws
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        return _refused_call(error, changed)
    if not isinstance(error, BotoCoreError):
        return None
    text = " ".join(str(error).split())
    missing = (aws.NoCredentialsError, aws.PartialCredentialsError, aws.ProfileNotFound, aws.ConfigNotFound)
    expired = (aws.TokenRetrievalError, aws.SSOTokenLoadError, aws.UnauthorizedSSOTokenError, aws.SSOError)
    if isinstance(error, (*missing, *expired)):
        kind = AwsCallFailed if changed else ConfigurationError
        hint = (
            "aws sso login, then run it again"
            if isinstance(error, expired)
            else "aws configure, or set aws.profile"
        )
        return kind(f"no usable AWS credentials: {text}", hint=hint, changed=changed)
    unreachable = (
        aws.EndpointConnectionError,
        aws.ConnectTimeoutError,
        aws.ReadTimeoutError,
        aws.ConnectionClosedError,
    )
    if isinstance(error, (*unreachable, aws.HTTPClientError)):
        endpoint = str(error.kwargs.get("endpoint_url", "")) or "AWS"
        return AwsCallFailed(f"{endpoint} cannot be reached: {text}", hint=_reach(endpoint), changed=changed)
    return AwsCallFailed(f"AWS client: {text}", changed=changed)


def _reach(endpoint: str) -> str:
    if urlsplit(endpoint).hostname in _LOOPBACK:
        return "invoke stack.status tells whether the local stack runs; invoke stack.up starts it"
    return "check network, proxy and aws.region"


def _refused_call(error: Any, changed: str) -> OpsError:
    answer = error.response.get("Error", {})
    code, said = str(answer.get("Code", "")), str(answer.get("Message", ""))
    call = f"AWS {error.operation_name}"
    request = error.response.get("ResponseMetadata", {}).get("RequestId", "")
    details = (f"request id {request}",) if request else ()
    failed = AwsCallFailed(f"{call}: {code}: {said}", hint=_remedy(code), changed=changed, details=details)
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
        return "AWS asks to slow down: run it again, or raise aws.retries"
    return ""
