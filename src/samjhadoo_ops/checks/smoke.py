"""The smoke test (plan, 8.1): the health of the service and its dependencies, and the deployed version."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from samjhadoo_ops.environment import Environment

PARTS = ("checks", "components")
"""Members of a health response that list the dependencies; `components` is Spring Boot's."""

_SAME = {"database": "db"}
"""What Spring Boot's Actuator calls a dependency whose plain name is another."""
_HIDDEN = (
    "the health response lists no dependencies; Spring Boot lists them with "
    "MANAGEMENT_ENDPOINT_HEALTH_SHOW_COMPONENTS=always"
)

PAUSE = 0.5
"""Real seconds between two attempts."""

_MOST = 8 * 1024 * 1024
"""Bytes of a response that are read; the health pages of services with many clients have hundreds of KiB."""

_OK = 200
_FAILED = frozenset({"DOWN", "OUT_OF_SERVICE", "FAIL", "FAILED", "FAILING", "ERROR", "UNHEALTHY", "CRITICAL"})
"""What health responses call a service that is not healthy, in any case, even if they are sent with 200."""


class SmokeFailed(Refused):
    """A check of the release failed; the check changed nothing."""


@dataclass(frozen=True)
class Answer:
    """A response, or the error that prevented one."""

    status: int = 0
    body: bytes = b""
    milliseconds: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class Check:
    """The result of one check."""

    name: str
    ok: bool
    status: int
    milliseconds: float
    detail: str

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}"


@dataclass(frozen=True)
class SmokeReport:
    """The results of the last attempt; the version is empty if the service has no version endpoint."""

    url: str
    checks: tuple[Check, ...]
    version: str
    attempts: int

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if not check.ok)


def smoke(
    env: Environment, url: str, *, version: str = "", wait: Callable[[float], None] = time.sleep
) -> SmokeReport:
    """Test the release at `url`, with the configured number of attempts.

    Args:
        version: The version that must answer, if the service has a version endpoint; empty for any.
        wait: Sleeps for real seconds between attempts.

    Raises:
        SmokeFailed: A check failed in the last attempt.
    """
    report = inspect(env, url, version=version, wait=wait)
    refuse(report)
    return report


def refuse(report: SmokeReport) -> None:
    """Raise `SmokeFailed` unless every check passed."""
    if report.ok:
        return
    first, *others = report.failed
    raise SmokeFailed(
        f"{report.url}: {first}",
        details=tuple(str(check) for check in others),
        hint="invoke status shows the running release; see the service's log for the reason",
    )


def inspect(
    env: Environment, url: str, *, version: str = "", wait: Callable[[float], None] = time.sleep
) -> SmokeReport:
    """Test as `smoke` does, and return the results, passed or failed."""
    settings, base = env.smoke, url.rstrip("/")
    attempt = 0
    while True:
        attempt += 1
        health = ask(f"{base}{settings.health_path}", timeout=settings.timeout)
        checks = list(judge_health(health, settings.dependencies))
        found = ""
        if settings.version_path:
            answer = ask(f"{base}{settings.version_path}", timeout=settings.timeout)
            checks.append(judge_version(answer, version))
            found = str(_object(answer.body).get("version", ""))
        report = SmokeReport(base, tuple(checks), found, attempt)
        if report.ok or attempt >= settings.attempts:
            return report
        wait(PAUSE)


def ask(url: str, *, timeout: float) -> Answer:
    """Send a GET request, without redirects; each part of the answer may take `timeout` real seconds."""
    import urllib3

    started = time.perf_counter()
    # With a kept connection, the same task would answer every request.
    with urllib3.PoolManager(retries=False, timeout=timeout, headers={"connection": "close"}) as http:
        try:
            response = http.request("GET", url, redirect=False, preload_content=False)
            body = response.read(_MOST + 1)
            response.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return Answer(milliseconds=since(started), error=reason_of(error))
    too_long = f"the response is larger than {_MOST >> 20} MiB" if len(body) > _MOST else ""
    return Answer(response.status, body[:_MOST], since(started), too_long)


def judge_health(answer: Answer, dependencies: Iterable[str]) -> Iterator[Check]:
    """Yield a check of the health response, and one for each dependency that it must report."""
    page = _object(answer.body)
    state = page.get("status")
    failed = isinstance(state, str) and state.upper() in _FAILED
    detail = f"HTTP {answer.status}" + (f", but status {state}" if failed and answer.status == _OK else "")
    ok = answer.status == _OK and not failed and not answer.error
    yield _check("health", answer, ok=ok, detail=answer.error or detail)
    parts = next((page[name] for name in PARTS if name in page), None)
    absent = _HIDDEN if parts is None and page else "the health response does not mention it"
    parts = parts if isinstance(parts, dict) else {}
    for name in dependencies:
        part = parts.get(name, parts.get(_SAME.get(name, name)))
        state = str(part.get("status", "")) if isinstance(part, dict) else ""
        reason = str(part.get("reason", "")) if isinstance(part, dict) else ""
        detail = " ".join(filter(None, [state or absent, reason]))
        yield _check(name, answer, ok=state == "UP", detail=detail)


def judge_version(answer: Answer, expected: str) -> Check:
    """Return the check of the version response; without an expected version, any is accepted."""
    found = str(_object(answer.body).get("version", ""))
    if answer.error or answer.status != _OK:
        return _check("version", answer, ok=False, detail=answer.error or f"HTTP {answer.status}")
    if not found:
        return _check("version", answer, ok=False, detail="the response has no version")
    if expected and found != expected:
        return _check("version", answer, ok=False, detail=f"{found} answers, expected {expected}")
    return _check("version", answer, ok=True, detail=found)


def _check(name: str, answer: Answer, *, ok: bool, detail: str) -> Check:
    return Check(name, ok, answer.status, round(answer.milliseconds, 1), detail)


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):  # not JSON, or nested too deeply
        return {}
    return document if isinstance(document, dict) else {}


def reason_of(error: Exception) -> str:
    """Return the reason of a failed request, without the addresses of objects."""
    # urllib3 begins with the address of an object: "<…Connection object at 0x…>: …".
    text = " ".join(str(error).split())
    return text.rpartition(">: ")[2] or type(error).__name__


def since(started: float) -> float:
    """Return the milliseconds since `started`, a value of `time.perf_counter`."""
    return (time.perf_counter() - started) * 1000
