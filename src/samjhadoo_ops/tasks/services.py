"""Environments with several services: the option of every task that works on one, and deploying all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_ops.tasks.session import Session

WHICH = {"service": "The service, where the environment has several: NAME of its table [services.NAME]."}
ALL = {"service": "Only this service, where the environment has several: NAME of its table [services.NAME]."}

IMAGE = "Deploy this image and build none: TAG, DIGEST, or another registry's HOST/REPOSITORY@DIGEST."


def headline(session: Session, *, first: bool) -> None:
    """Put the name of one of several services above what is shown of it, for people."""
    if session.env.key:
        session.console.show(session.env.key if first else f"\n{session.env.key}")


def one_for_image(services: Sequence[str]) -> NoReturn:
    """Refuse to deploy one image as several services.

    Raises:
        ConfigurationError: Always.

    """
    raise ConfigurationError(
        f"--image is of one service, and there are several: {', '.join(services)}",
        hint="say which: --service NAME",
    )


def passed_on(
    until: str, lock_wait: str, override: Sequence[str], emergency: str, approved_by: str
) -> list[str]:
    """Return the options of a deploy of all services as those of each service's own deploy."""
    given = {"--lock-wait": lock_wait, "--emergency": emergency, "--approved-by": approved_by}
    options = [f"{name}={value}" for name, value in given.items() if value]
    return [f"--until={until}", *options, *(f"--override={each}" for each in override)]


def deploy_all(session: Session, *, resume: str | bool, arguments: Sequence[str]) -> None:
    """Deploy all services of an environment, or resume those whose deploy is unfinished.

    Raises:
        ConfigurationError: A deploy is to be resumed by its id, which is one service's.
        ServicesFailed: Not every service was deployed.

    """
    from samjhadoo_ops.services.deploy_all import DeployAll

    env = session.env
    if isinstance(resume, str) and resume:
        raise ConfigurationError(
            f"--resume {resume} is of one service, and {env.name} has several: {', '.join(env.services)}",
            hint="say which: --service NAME; or --resume alone for all that are unfinished",
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
    """Return the services whose last deploy has not ended; all of them when there are none."""
    from samjhadoo_ops.deployment.unfinished import unfinished
    from samjhadoo_ops.tasks.session import open_sessions

    sessions = open_sessions(session.env.name)
    found = [
        each.env.key for each in sessions if any(entry.kind == "deploy" for entry in unfinished(each.context))
    ]
    return found or list(session.env.services)
