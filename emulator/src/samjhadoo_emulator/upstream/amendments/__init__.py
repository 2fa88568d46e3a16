"""What moto's services lack or get wrong, and stacks need: amended in moto itself, behind its API.

A service is amended before its first request. Each module here says what moto does without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.upstream.amendments import ec2, elasticache, iam, logs, rds, s3

if TYPE_CHECKING:
    from collections.abc import Callable

_AMENDMENTS: dict[str, Callable[[], None]] = {
    "ec2": ec2.amend,
    "elasticache": elasticache.amend,
    "iam": iam.amend,
    "logs": logs.amend,
    "rds": rds.amend,
    "s3": s3.amend,
}
"""What amends a service, by moto's name of it."""
_amended: set[str] = set()


def amend(service: str) -> None:
    """Amend one of moto's services, once; it is imported by this."""
    if service in _AMENDMENTS and service not in _amended:
        _amended.add(service)
        _AMENDMENTS[service]()
