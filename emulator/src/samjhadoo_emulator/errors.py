"""Errors in AWS's words, and of the emulator's own start."""

from __future__ import annotations

from functools import partial
from typing import Any


class AwsError(Exception):
    """An error of an AWS API, serialised by the wire module in the service's own protocol.

    Args:
        code: The error's shape name in the service's model, for example `ServiceNotFoundException`.
        status: The HTTP status, where the model gives none.
        fields: Further members of the error's shape.
    """

    def __init__(self, code: str, message: str, *, status: int = 400, **fields: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        for name, value in fields.items():
            setattr(self, name, value)


# The codes that services refuse most mistakes with.
client_exception = partial(AwsError, "ClientException")  # ECS, of task definitions
invalid_parameter = partial(AwsError, "InvalidParameterException")  # ECS and ECR
validation_error = partial(AwsError, "ValidationError")  # ELBv2 and CloudWatch
validation_exception = partial(AwsError, "ValidationException")  # Application Auto Scaling
# What the emulator cannot do. Clients do not repeat a call that is answered with 501.
not_implemented = partial(AwsError, "NotImplemented", status=501)


class BodyTooLargeError(Exception):
    """A request's body has more bytes than is read whole."""

    def __init__(self, most: int) -> None:
        super().__init__(f"The request body has more than {most} bytes.")


class ConfigurationError(Exception):
    """The emulator cannot start with these options on this machine.

    Args:
        message: What is wrong.
        hint: What to do about it.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
