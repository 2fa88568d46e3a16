"""Which services are live: a new live service is added here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from samjhadoo_emulator.edge import Edge
    from samjhadoo_emulator.service import LiveService

LIVE = ("application-autoscaling", "cloudformation", "cloudwatch", "ecr", "ecs", "elbv2")
"""Service names, without importing the services."""


def live_services() -> dict[str, type[LiveService]]:
    """Return the live services by botocore's name."""
    from samjhadoo_emulator.autoscaling.service import ApplicationAutoScaling
    from samjhadoo_emulator.cloudformation.service import CloudFormation
    from samjhadoo_emulator.cloudwatch.service import CloudWatch
    from samjhadoo_emulator.ecr.service import Ecr
    from samjhadoo_emulator.ecs.service import Ecs
    from samjhadoo_emulator.elbv2.service import Elbv2

    live = (Ecs, Elbv2, Ecr, CloudWatch, ApplicationAutoScaling, CloudFormation)
    return {service.name: service for service in live}


def registry_application(edge: Callable[[], Edge]) -> ASGIApp:
    """Return the OCI registry that is served at `/v2`, next to the ECR API."""
    from samjhadoo_emulator.ecr.distribution import distribution_application

    return distribution_application(edge)
