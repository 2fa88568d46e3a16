"""The option of every verb that works on one of several services."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samjhadoo_ops.tasks.session import Session

WHICH = {"service": "The service, where the environment has several: NAME of its table [services.NAME]."}
ALL = {"service": "Only this service, where the environment has several: NAME of its table [services.NAME]."}


def headline(session: Session, *, first: bool) -> None:
    """Put the name of one of several services above what is shown of it, for people."""
    if session.env.key:
        session.console.show(session.env.key if first else f"\n{session.env.key}")
