"""Each property of a type's schema is acted on, or refused by name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from samjhadoo_emulator.cloudformation.language import schemas
from samjhadoo_emulator.cloudformation.resources.api_type import ApiType

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import ResourceType

MODULES = (
    "acm",
    "apigatewayv2",
    "application_autoscaling",
    "cloudfront",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "ecr",
    "ecs",
    "elasticache",
    "elbv2",
    "events",
    "iam",
    "kms",
    "lambda_",
    "logs",
    "rds",
    "route53",
    "s3",
    "secretsmanager",
    "servicediscovery",
    "sns",
    "sqs",
    "ssm",
    "wafv2",
)
PACKAGE = "samjhadoo_emulator.cloudformation.resources"
TYPES = [kind for name in MODULES for kind in importlib.import_module(f"{PACKAGE}.{name}").TYPES]


def writable(kind: ResourceType) -> set[str]:
    schema = schemas.schema(kind.name)
    assert schema is not None
    return set(schema.document["properties"]) - schema.read_only


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_every_property_is_acted_on_at_the_creation_or_refused(kind: ApiType) -> None:
    acted_on = kind.created_with() | kind.put_separately() | kind.instructions | {"Tags"}
    assert writable(kind) - acted_on - kind.unsupported == set()


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_every_property_that_needs_no_replacement_changes_in_place_or_is_refused(kind: ApiType) -> None:
    schema = schemas.schema(kind.name)
    assert schema is not None
    acted_on = kind.changeable() | kind.fixed | kind.unsupported | {"Tags"}
    assert writable(kind) - acted_on - set(schema.create_only) == set()


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_only_properties_of_the_schema_are_refused(kind: ApiType) -> None:
    assert (kind.unsupported | kind.fixed) - writable(kind) == set()


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_types_with_tags_change_them_in_place(kind: ApiType) -> None:
    if "Tags" in writable(kind):
        assert type(kind).put_tags is not ApiType.put_tags
