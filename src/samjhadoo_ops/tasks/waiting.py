"""Options and result that deploy and watch share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.finish import Deployed
    from samjhadoo_ops.tasks.session import Session


def check_until(until: str) -> None:
    """Check the phase of `--until`; raise `ConfigurationError` if a run cannot wait for it."""
    from samjhadoo_ops.deployment.finish import UNTIL

    if until not in UNTIL:
        *most, last = UNTIL
        raise ConfigurationError(f"--until {until}: expected {', '.join(most)} or {last}")


def seconds(option: str, text: str) -> float:
    """Return the seconds of an option such as `15m`, 0 without; raise `ConfigurationError` if not valid."""
    from samjhadoo_ops.environment.duration import Duration

    try:
        return float(Duration.parse(text)) if text else 0.0
    except ValueError as error:
        raise ConfigurationError(f"{option} {text}: {error}") from error


def show_deployed(session: Session, deployed: Deployed) -> None:
    """Print how a deployment ended, or was left, as the result."""
    session.console.result(
        deployed.outcome,
        ExitCode.SUCCEEDED,
        deployed.sentence(session.production),
        **deployed.fields(),
        url=session.production,
    )
