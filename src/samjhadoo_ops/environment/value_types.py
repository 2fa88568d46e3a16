"""Types of the settings' values, with the limits that AWS or common sense sets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast, get_args, get_origin

from msgspec import Meta

from samjhadoo_ops.environment.duration import Duration
from samjhadoo_ops.environment.secret import SecretRef
from samjhadoo_ops.environment.section import metas
from samjhadoo_ops.environment.window import Window

# The grammar of the distribution library: name, tag and digest.
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?"
_VERSION = r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
IMAGE_PATTERN = rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*{_VERSION}"
REGISTRY_PATTERN = rf"(?:{_HOST}|{_COMPONENT})(?:/{_COMPONENT})*"
DOCKER_HUB = "docker.io"
Text = Annotated[str, Meta(min_length=1)]
Account = Annotated[
    str, Meta(pattern=r"^[0-9]{12}$", extra={"wanted": "an AWS account ID of 12 digits, in quotes"})
]
Region = Annotated[
    str, Meta(pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9]$", extra={"wanted": "an AWS region such as ap-south-1"})
]
RoleArn = Annotated[
    str,
    Meta(
        pattern=r"^(arn:aws[a-z-]*:iam::[0-9]{12}:role/.+)?$",
        extra={"wanted": "the ARN of an IAM role, or an empty text"},
    ),
]
CertificateArn = Annotated[
    str,
    Meta(
        pattern=r"^(arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+)?$",
        extra={"wanted": "the ARN of a certificate in ACM, or an empty text"},
    ),
]
ProviderArn = Annotated[
    str,
    Meta(
        pattern=r"^(arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/.+)?$",
        extra={"wanted": "the ARN of an identity provider, or an empty text"},
    ),
]
GitHubRepository = Annotated[
    str,
    Meta(
        pattern=r"^([A-Za-z0-9-]+/[A-Za-z0-9._-]+)?$",
        extra={"wanted": "a GitHub repository as OWNER/NAME, or an empty text"},
    ),
]
_ADDRESS = r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
Cidr = Annotated[
    str,
    Meta(
        pattern=rf"\A{_ADDRESS}/(?:3[0-2]|[12]?[0-9])\Z",
        extra={"wanted": "a range of addresses such as 203.0.113.0/24"},
    ),
]
# Four subnets of 4,096 addresses each must fit in.
NetworkCidr = Annotated[
    str, Meta(pattern=rf"\A{_ADDRESS}/1[678]\Z", extra={"wanted": "a range such as 10.0.0.0/16, /16 to /18"})
]
Url = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s/@?#]+(/[^\s@]*)?$",
        extra={"wanted": "an http(s) URL without user or password"},
    ),
]
UrlOrNone = Annotated[
    str,
    Meta(
        pattern=r"^(https?://[^\s/@?#]+(/[^\s@]*)?)?$", extra={"wanted": "an http(s) URL, or an empty text"}
    ),
]
Origin = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z][a-z0-9+.-]*://[^\s/@?#*]+\Z",
        extra={"wanted": "an origin such as http://localhost:3000, without a path"},
    ),
]
HostName = Annotated[
    str,
    Meta(
        pattern=r"\A(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\Z",
        extra={"wanted": "a host name such as aws.test or *.aws.test, without a port"},
    ),
]
UrlPath = Annotated[str, Meta(pattern=r"^/[^\s]*$", extra={"wanted": "a path that starts with /"})]
UrlPathOrNone = Annotated[
    str, Meta(pattern=r"^(/[^\s]*)?$", extra={"wanted": "a path that starts with /, or an empty text"})
]
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
ImageName = Annotated[
    str,
    Meta(
        pattern=rf"\A{IMAGE_PATTERN}\Z", extra={"wanted": "an image name such as mirror.example/postgres:14"}
    ),
]
ImageNameOrNone = Annotated[
    str, Meta(pattern=rf"\A(?:{IMAGE_PATTERN})?\Z", extra={"wanted": "an image name, or an empty text"})
]
StackPrefix = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z][a-z0-9-]{0,30}\Z",
        extra={"wanted": "a name of small letters, digits and -, up to 31 characters"},
    ),
]
Registry = Annotated[
    str,
    Meta(
        pattern=rf"\A(?:{REGISTRY_PATTERN}/?)?\Z",
        extra={"wanted": "a registry such as mirror.example:5000/hub, without https://, or an empty text"},
    ),
]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Count = Annotated[int, Meta(ge=1, le=10_000)]
# AWS WAF's limits of a rate.
RateLimit = Annotated[int, Meta(ge=10, le=2_000_000_000)]
# How long RDS keeps automated backups; 0 turns them off, and read replicas need them.
BackupDays = Annotated[int, Meta(ge=0, le=35)]
# A task's memory in MiB.
Memory = Annotated[int, Meta(ge=512, le=122_880)]
# The most that is allowed; -1 for any number.
Limit = Annotated[int, Meta(ge=-1, le=1_000_000)]
Mebibytes = Annotated[int, Meta(ge=0, le=1_000_000)]
Percent = Annotated[float, Meta(gt=0, le=100)]
# A probability of being wrong; at 0.5 the result would be a guess.
Share = Annotated[float, Meta(gt=0, lt=0.5)]
# AWS accepts multiples of 0.1 from 0.1 to 100.
TrafficPercent = Annotated[float, Meta(ge=0.1, le=100)]
# An emulated clock may run up to 60,000 times faster than the wall clock, never slower.
ClockMinute = Annotated[Duration, Meta(extra={"least": "1ms", "most": "1m"})]
# Canary and bake time: AWS accepts 0 to 1440 whole minutes.
Bake = Annotated[Duration, Meta(extra={"least": "0s", "most": "1d", "whole": "1m"})]
# The time-out of a PAUSE hook: AWS accepts 1 to 20160 whole minutes.
HookTimeout = Annotated[Duration, Meta(extra={"least": "1m", "most": "14d", "whole": "1m"})]
# Alarm periods are whole minutes.
AlarmTime = Annotated[Duration, Meta(extra={"least": "1m", "most": "1d", "whole": "1m"})]
# AWS takes the health check grace period in whole seconds.
Grace = Annotated[Duration, Meta(extra={"least": "0s", "most": "366d", "whole": "1s"})]
Span = Annotated[Duration, Meta(extra={"least": "1ms", "most": "366d"})]


def custom_type(kind: Any) -> type | None:
    """Return the type of this project that a field holds (`X`, `X | None` or annotated), or None."""
    for option in (kind, getattr(kind, "__origin__", None), *get_args(kind)):
        if option in (Duration, Window, SecretRef):
            return cast("type", option)
    return None


def parse(kind: type, value: Any) -> Any:
    """Parse the text of a value of one of this project's types; raise `ValueError` if it is not valid."""
    if not isinstance(value, str):
        raise ValueError(f"expected text in quotes, got {type(value).__name__}")  # noqa: TRY004 - the caller expects ValueError
    if kind is Duration:
        return Duration.parse(value)
    if kind is Window:
        return Window.parse(value)
    if kind is SecretRef:
        return SecretRef.parse(value)
    raise NotImplementedError(kind)


def limit(kind: Any, value: Any) -> str:
    """Return why a number or duration is outside its limits; empty if it is not."""
    if isinstance(value, float) and not math.isfinite(value):
        return "expected a finite number"
    if not isinstance(value, Duration):
        return ""
    extra = {key: Duration.parse(text) for meta in metas(kind) for key, text in (meta.extra or {}).items()}
    if "least" in extra and value < extra["least"]:
        return f"expected at least {extra['least']}, got {value}"
    if "most" in extra and value > extra["most"]:
        return f"expected at most {extra['most']}, got {value}"
    if "whole" in extra and value.seconds % extra["whole"].seconds:
        return f"expected whole {'minutes' if extra['whole'].seconds > 1 else 'seconds'}, got {value}"
    return ""


def expectation(kind: Any) -> str:
    """Return in words what values a field's type takes."""
    found = metas(kind)
    wanted = next((str(meta.extra["wanted"]) for meta in found if meta.extra and "wanted" in meta.extra), "")
    base = kind.__origin__ if hasattr(kind, "__metadata__") else kind
    if get_origin(base) is Literal:
        return f"one of {', '.join(get_args(base))}"
    if get_origin(base) is list:
        return "a list"
    if get_origin(base) is dict:
        return "a table of text values"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return wanted or words.get(base, "something else") + _bounds(found)


def plain(kind: Any) -> tuple[type, ...]:
    """Return the Python types of a field's values in TOML."""
    base = kind.__origin__ if hasattr(kind, "__metadata__") else kind
    if get_origin(base) is Literal:
        return (str,)
    return (base,) if base in (str, int, float) else ()


def is_text(kind: Any) -> bool:
    """Return whether a field holds any text, which its type may limit."""
    return (kind.__origin__ if hasattr(kind, "__metadata__") else kind) is str


def _bounds(found: list[Meta]) -> str:
    bounds = []
    for meta in found:
        bounds += ["that is not empty"] if meta.min_length else []
        bounds += [f"from {meta.ge}"] if meta.ge is not None else []
        bounds += [f"above {meta.gt}"] if meta.gt is not None else []
        bounds += [f"to {meta.le}"] if meta.le is not None else []
        bounds += [f"and below {meta.lt}"] if meta.lt is not None else []
    return " " + " ".join(bounds) if bounds else ""


@dataclass(frozen=True)
class ImageReference:
    """A reference to an image: the registry's host, the repository in it, and a tag or digest."""

    host: str
    repository: str
    version: str = "latest"

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Read a reference as Docker does, with Docker Hub and the tag `latest` as defaults."""
        name, at, digest = text.partition("@")
        host, path = _split_host(name)
        repository, _, tag = path.partition(":")
        return cls(host or DOCKER_HUB, repository, digest if at else tag or "latest")


def names_registry(text: str) -> bool:
    """Return whether a reference names its registry."""
    return bool(_split_host(text)[0])


def _split_host(name: str) -> tuple[str, str]:
    """Return host and path. The part before the first slash is a host if it looks like one."""
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and (first == "localhost" or "." in first or ":" in first)
    return (first, rest) if is_host else ("", name)
