"""Which errors of AWS pass by themselves: throttling, faults of the service, lost connections."""

from __future__ import annotations

_THROTTLING = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
    }
)
_SERVER_FAULT = 500


def throttled(error: BaseException) -> bool:
    """Tell whether AWS refused a call for its rate: it was not carried out."""
    from botocore.exceptions import ClientError

    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code", "") in _THROTTLING


def passes(error: BaseException) -> bool:
    """Tell whether the same call may succeed in a while."""
    from botocore.exceptions import ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as Unreachable
    from botocore.parsers import ResponseParserError

    if isinstance(error, ClientError):
        answer = error.response
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return answer.get("Error", {}).get("Code", "") in _THROTTLING or status >= _SERVER_FAULT
    return isinstance(error, HTTPClientError | Unreachable | ResponseParserError | ConnectionError)
