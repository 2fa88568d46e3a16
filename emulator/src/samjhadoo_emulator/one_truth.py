"""Refuses what the upstream would answer of live services' resources: its tagging API knows none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator import identify, wire
from samjhadoo_emulator.errors import not_implemented

if TYPE_CHECKING:
    from collections.abc import Collection

    from samjhadoo_emulator.exchange import Exchange

_IN_ARNS = {
    "application-autoscaling": "application-autoscaling",
    "cloudformation": "cloudformation",
    "cloudwatch": "cloudwatch",
    "ecr": "ecr",
    "ecs": "ecs",
    "elbv2": "elasticloadbalancing",
}
"""The live services' names in ARNs."""
_TAGGING = "resourcegroupstaggingapi"


def check_upstream(exchange: Exchange, live: Collection[str]) -> None:
    """Refuse a request for the upstream that is about resources of live services.

    Args:
        live: The names of the live services.

    Raises:
        AwsError: It names the services.
    """
    headers, query, address = exchange.headers, exchange.query, exchange.address
    service = identify.service_of(headers, query=query, path=exchange.scope["path"])
    body = wire.plain(headers, exchange.body)
    protocols = wire.protocols(service) if wire.has_service(service) else []
    protocol = address.protocol if address.protocol in protocols else "".join(protocols[:1])
    if body:
        wire.check_numbers(service, address.operation, headers, body, protocol)
    if service == _TAGGING and wire.has_operation(service, address.operation):
        params = wire.parse(
            service, address.operation, method="POST", path="/", headers=headers, body=body, protocol=protocol
        )
        _check_tagging(address.operation, params, live)


def _check_tagging(operation: str, params: dict[str, Any], live: Collection[str]) -> None:
    """Refuse a request about tags that may be those of live services: the upstream does not know these."""
    names = {_IN_ARNS[name] for name in live}
    kinds = [each.partition(":")[0] for each in params.get("ResourceTypeFilters") or ()]
    arns = [name for each in params.get("ResourceARNList") or () for name in each.split(":")[2:3]]
    asked = {*kinds, *arns}
    if names and (names & asked or not asked):
        about = ", ".join(sorted(names & asked or names))
        raise not_implemented(
            f"{operation}: the emulator's tagging API does not know the tags of {about}. "
            "Ask the service itself, or name other resource types."
        )
