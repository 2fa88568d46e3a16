from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import msgspec

from samjhadoo_ops.errors import ConfigurationError, ExitCode, OpsError
from samjhadoo_ops.tasks.services import WHICH
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoke.context import Context

    from samjhadoo_ops.tasks.session import Session

_DECIDED_WITHIN = 2 * 3600
"""Seconds on the clock by which a deploy under load may extend its canary."""


@ops_task(
    help={
        **WHICH,
        "rate": "Requests per second, in real time.",
        "duration": "How long to send them, in real time.",
        "path": "Path of the GET requests.",
    },
    example="invoke stack.load --rate 200 --duration 1m",
)
def load(
    c: Context,
    *,
    env: str = "local",
    service: str = "",
    rate: int = 50,
    duration: str = "30s",
    path: str = "/",
) -> None:
    """Send requests to the local stack's service."""
    from samjhadoo_ops.stack.load import LoadGenerator, check_rate
    from samjhadoo_ops.tasks.session import open_session, seconds

    check_rate("--rate", rate)
    lasting = seconds("--duration", duration)
    session = open_session(env, service=service)
    _require_stack(session, "stack.load")
    console, url = session.console, urljoin(session.production, path)
    text = f"{rate:g} requests per second to {url} for {lasting:g} s"
    if c.config.run.dry:
        console.line(f"would send {text}")
        return
    console.line(f"sending {text}; to end it earlier: Ctrl-C")
    generator = LoadGenerator(url, rate)
    try:
        with generator:
            time.sleep(lasting)
    except KeyboardInterrupt:
        console.line("ended by Ctrl-C")
    if not generator.latencies:
        reasons = tuple(f"{count} times {reason}" for reason, count in generator.failures.most_common(3))
        raise OpsError(f"nothing answers at {url}", hint="invoke status shows the service", details=reasons)
    console.result("loaded", ExitCode.SUCCEEDED, generator.sentence(), **generator.fields())


@contextmanager
def under_load(session: Session, rate: float) -> Iterator[Session]:
    """Send requests to the service while the block deploys; its canary may be extended until they decide.

    Raises:
        ConfigurationError: The rate is not possible, or the environment has no local stack.
    """
    from samjhadoo_ops.environment.duration import Duration
    from samjhadoo_ops.stack.load import LoadGenerator, check_rate

    if not rate:
        yield session
        return
    check_rate("--load", rate)
    _require_stack(session, "--load")
    console, generator = session.console, LoadGenerator(session.production, rate)
    if not generator.answers():
        console.line(f"no load is sent, because nothing serves {session.production} yet")
        yield session
        return
    canary = session.env.canary
    policies = ["extend", *(each for each in canary.inconclusive if each != "extend")]
    patient = msgspec.structs.replace(canary, inconclusive=policies, extend=Duration(_DECIDED_WITHIN))
    console.line(f"sending {rate:g} requests per second to {session.production} until the deploy ends")
    try:
        with generator:
            yield replace(session, env=msgspec.structs.replace(session.env, canary=patient))
    finally:
        console.event("load", f"load: {generator.sentence()}", **generator.fields())


def _require_stack(session: Session, what: str) -> None:
    if session.env.stack is None:
        raise ConfigurationError(
            f"{what} sends requests to a local stack only, and {session.env.name} has none",
            hint="use --env local",
        )
