"""The kinds of values that settings are made of, with the limits AWS or common sense sets."""

from __future__ import annotations

from typing import Annotated, Any, cast, get_args

from msgspec import Meta

from samjhadoo_ops.environment.duration import Duration
from samjhadoo_ops.environment.secret import SecretRef
from samjhadoo_ops.environment.window import Window

Text = Annotated[str, Meta(min_length=1)]
Account = Annotated[
    str, Meta(pattern=r"^[0-9]{12}$", extra={"wanted": "the 12 digits of an AWS account, in quotes"})
]
Region = Annotated[
    str, Meta(pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9]$", extra={"wanted": "an AWS region such as ap-south-1"})
]
RoleArn = Annotated[
    str,
    Meta(
        pattern=r"^(arn:aws[a-z-]*:iam::[0-9]{12}:role/.+)?$",
        extra={"wanted": "the ARN of an IAM role, or nothing"},
    ),
]
Url = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s/@?#]+(/[^\s@]*)?$",
        extra={"wanted": "an http(s) address without user or password"},
    ),
]
UrlOrNone = Annotated[
    str,
    Meta(pattern=r"^(https?://[^\s/@?#]+(/[^\s@]*)?)?$", extra={"wanted": "an http(s) address, or nothing"}),
]
UrlPath = Annotated[str, Meta(pattern=r"^/[^\s]*$", extra={"wanted": "a path that starts with /"})]
Email = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", extra={"wanted": "an e-mail address"})]
Bucket = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", extra={"wanted": "an S3 bucket name"})
]
Repository = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]+([._/-][a-z0-9]+)*$",
        max_length=256,
        extra={"wanted": "an ECR repository name such as samjhadoo/backend"},
    ),
]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Count = Annotated[int, Meta(ge=1, le=10_000)]
Percent = Annotated[float, Meta(gt=0, le=100)]
# AWS: multiples of 0.1 from 0.1 to 100.
TrafficPercent = Annotated[float, Meta(ge=0.1, le=100)]
# An emulated clock may run up to 60,000 times faster than the wall clock, never slower.
ClockMinute = Annotated[Duration, Meta(extra={"least": "1ms", "most": "1m"})]
# Canary and bake: 0 to 1440 minutes at AWS, whole minutes.
Bake = Annotated[Duration, Meta(extra={"least": "0s", "most": "1d", "whole": "1m"})]
# A PAUSE hook's time-out: 1 to 20160 minutes at AWS, whole minutes.
HookTimeout = Annotated[Duration, Meta(extra={"least": "1m", "most": "14d", "whole": "1m"})]
# An alarm's periods are whole minutes.
AlarmTime = Annotated[Duration, Meta(extra={"least": "1m", "most": "1d", "whole": "1m"})]
# A load balancer's grace period is an integer of seconds at AWS.
Grace = Annotated[Duration, Meta(extra={"least": "0s", "most": "366d", "whole": "1s"})]
Span = Annotated[Duration, Meta(extra={"least": "1ms", "most": "366d"})]


def own_kind(kind: Any) -> type | None:
    """Return this project's own kind that a field's type stands for (`X`, `X | None`, annotated), if any."""
    for option in (kind, getattr(kind, "__origin__", None), *get_args(kind)):
        if option in (Duration, Window, SecretRef):
            return cast("type", option)
    return None


def parse(kind: type, value: Any) -> Any:
    """Read a value of one of this project's own kinds from its text.

    Raises:
        ValueError: It is none.

    """
    if not isinstance(value, str):
        raise ValueError(f"expected text in quotes, got {type(value).__name__}")  # noqa: TRY004 - one kind of error
    if kind is Duration:
        return Duration.parse(value)
    if kind is Window:
        return Window.parse(value)
    if kind is SecretRef:
        return SecretRef.parse(value)
    raise NotImplementedError(kind)


def limit(extra: dict[str, Any], value: Any) -> str:
    """Return what is wrong with a duration under the limits in a kind's `extra`; empty when nothing is."""
    if not isinstance(value, Duration):
        return ""
    least, most, whole = (
        Duration.parse(extra[key]) if key in extra else None for key in ("least", "most", "whole")
    )
    if least is not None and value < least:
        return f"expected at least {least}, got {value}"
    if most is not None and value > most:
        return f"expected at most {most}, got {value}"
    if whole is not None and value.seconds % whole.seconds:
        return f"expected whole {'minutes' if whole.seconds > 1 else 'seconds'}, got {value}"
    return ""
