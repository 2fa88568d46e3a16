"""Environments with several services: the option that selects one, and deploying all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_ops.tasks.session import Session

WHICH = {"service": "Service to use, if the environment has several: NAME of [services.NAME]."}
ALL = {"service": "Only this service, if the environment has several: NAME of [services.NAME]."}

IMAGE = "Use an existing image, without a build: TAG, DIGEST, or HOST/REPOSITORY@DIGEST of any registry."


def headline(session: Session, *, first: bool) -> None:
    """Print a service's name as a headline, if the environment has several."""
    if session.env.key:
        session.console.show(session.env.key if first else f"\n{session.env.key}")


def one_for_image(services: Sequence[str]) -> NoReturn:
    """Raise `ConfigurationError`: one image cannot be deployed as several services."""
    raise ConfigurationError(
        f"--image needs one service, but there are several: {', '.join(services)}",
        hint="choose one: --service NAME",
    )


def service_options(override: Sequence[str], **given: str | int) -> list[str]:
    """Return the options that a deploy of all services passes to the deploy of each."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value]
    return [*options, *(f"--override={each}" for each in override)]


def deploy_all(session: Session, *, resume: str | bool, arguments: Sequence[str]) -> None:
    """Deploy all services of an environment, or resume those whose deploy is unfinished.

    Raises:
        ConfigurationError: A deploy is to be resumed by its id, although there are several services.
        ServicesFailed: Not every service was deployed.
    """
    from samjhadoo_ops.services.deploy_all import DeployAll

    env = session.env
    if isinstance(resume, str) and resume:
        raise ConfigurationError(
            f"--resume {resume} needs one service, but {env.name} has several: {', '.join(env.services)}",
            hint="choose one: --service NAME; or use --resume without an id for all that are unfinished",
        )
    fleet = DeployAll(
        env,
        session.console,
        arguments=[*arguments, *(["--resume"] if resume else [])],
        options=["--env", env.name, "--yes"],
        only=unfinished_services(session) if resume else None,
    )
    fleet.show(fleet.run())


def unfinished_services(session: Session) -> list[str]:
    """Return the services whose last deploy has not ended; all services if there are none."""
    from samjhadoo_ops.tasks.session import open_sessions

    sessions = open_sessions(session.env.name)
    found = [
        each.env.key
        for each in sessions
        if any(entry.kind == "deploy" for entry in each.context.journal.past().unfinished())
    ]
    return found or list(session.env.services)
