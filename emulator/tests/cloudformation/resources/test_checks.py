"""Templates are checked before their values and forms are known: no type stumbles over that."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_emulator.cloudformation.language import schemas
from samjhadoo_emulator.cloudformation.language.context import UNKNOWN
from samjhadoo_emulator.cloudformation.resources import paths
from samjhadoo_emulator.cloudformation.resources.resource_type import ResourceType
from samjhadoo_emulator.errors import AwsError

MODULES = (
    "acm",
    "apigatewayv2",
    "application_autoscaling",
    "cloudfront",
    "cloudwatch",
    "ecr",
    "ecs",
    "elbv2",
    "route53",
    "servicediscovery",
    "wafv2",
)
PACKAGE = "samjhadoo_emulator.cloudformation.resources"
ALL = [kind for name in MODULES for kind in importlib.import_module(f"{PACKAGE}.{name}").TYPES]
TYPES = [kind for kind in ALL if type(kind).check is not ResourceType.check]
"""Those that look into their properties."""
INNER = (
    "AlternateTargetGroupArn", "BakeTimeInMinutes", "CNAMEs", "CanaryConfiguration", "GrpcCode",
    "LinearConfiguration", "QuicServerId", "RegistryId", "StepBakeTimeInMinutes", "StepPercent", "Strategy",
    "SubnetId", "Type",
)  # fmt: skip
SCALARS = st.one_of(
    st.just(UNKNOWN), st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3),
    st.sampled_from(["CANARY", "LINEAR", "forward", "ECS"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
@given(data=st.data())
def test_a_check_accepts_or_refuses_whatever_a_property_is(kind: ResourceType, data: st.DataObject) -> None:
    schema = schemas.schema(kind.name)
    assert schema is not None
    names = st.sampled_from(sorted(schema.document["properties"]))
    properties: dict[str, Any] = data.draw(st.dictionaries(names, VALUES, max_size=4))
    with contextlib.suppress(AwsError):
        kind.check(properties)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("Actions.*.Type", ["forward", 1]),
        ("Actions.*.Order", []),
        ("Actions.Type", []),
        ("Matcher.HttpCode", ["200"]),
        ("Matcher.*", []),
        ("Matcher", [{"HttpCode": "200"}]),
        ("Unknown.Type", []),
    ],
)
def test_a_path_finds_what_is_there(path: str, found: list[Any]) -> None:
    properties = {
        "Actions": [{"Type": "forward"}, "text", {"Type": 1}],
        "Matcher": {"HttpCode": "200"},
        "Unknown": UNKNOWN,
    }
    assert list(paths.values(properties, path)) == found
