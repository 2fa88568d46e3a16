"""Finds resource types by their names; the module of a service is loaded when one of its types is used."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import ResourceType

_MODULES: Final = {
    "ApiGatewayV2": "apigatewayv2",
    "ApplicationAutoScaling": "application_autoscaling",
    "CDK": "cloudformation",
    "CertificateManager": "acm",
    "CloudFormation": "cloudformation",
    "CloudFront": "cloudfront",
    "CloudWatch": "cloudwatch",
    "DynamoDB": "dynamodb",
    "EC2": "ec2",
    "ECR": "ecr",
    "ECS": "ecs",
    "ElastiCache": "elasticache",
    "ElasticLoadBalancingV2": "elbv2",
    "Events": "events",
    "IAM": "iam",
    "KMS": "kms",
    "Lambda": "lambda_",
    "Logs": "logs",
    "RDS": "rds",
    "Route53": "route53",
    "S3": "s3",
    "SNS": "sns",
    "SQS": "sqs",
    "SSM": "ssm",
    "ServiceDiscovery": "servicediscovery",
    "SecretsManager": "secretsmanager",
    "WAFv2": "wafv2",
}
"""The module beside this one that has the types of a service, by the service's name in type names."""


def resource_type(name: str) -> ResourceType | None:
    """Return the resource type of a name; None if the emulator cannot make such resources."""
    parts = name.split("::")
    return _types(parts[1]).get(name) if len(parts) == 3 and parts[0] == "AWS" else None  # noqa: PLR2004


@cache
def _types(service: str) -> dict[str, ResourceType]:
    module = f"{__package__}.{_MODULES.get(service, '')}"
    if service not in _MODULES or importlib.util.find_spec(module) is None:
        return {}
    types: tuple[ResourceType, ...] = importlib.import_module(module).TYPES
    return {each.name: each for each in types}
