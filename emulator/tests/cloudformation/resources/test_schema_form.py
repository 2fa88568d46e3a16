"""Properties become parameters of an API, and its answers become properties again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.cloudfront import configuration
from samjhadoo_emulator.cloudformation.resources.elbv2.listeners import in_order
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema
from samjhadoo_emulator.errors import AwsError

NAMES = st.text("abcXYZ-.", min_size=1, max_size=8)
CONTAINERS = st.fixed_dictionaries(
    {"Name": NAMES, "Image": NAMES},
    optional={
        "Cpu": st.integers(0, 4096),
        "Essential": st.booleans(),
        "Command": st.lists(NAMES),
        "Environment": st.lists(st.fixed_dictionaries({"Name": NAMES, "Value": NAMES})),
        "DockerLabels": st.dictionaries(NAMES, NAMES),
        "LogConfiguration": st.fixed_dictionaries(
            {"LogDriver": NAMES}, optional={"Options": st.dictionaries(NAMES, NAMES)}
        ),
        "HealthCheck": st.fixed_dictionaries({"Command": st.lists(NAMES), "Retries": st.integers(1, 10)}),
    },
)


@given(st.lists(CONTAINERS))
def test_a_task_definition_is_the_same_in_both_forms(containers: list[dict[str, Any]]) -> None:
    properties = {
        "ContainerDefinitions": containers,
        "Volumes": [{"Name": "data", "EFSVolumeConfiguration": {"RootDirectory": "/"}}],
    }
    params = shapes.parameters("ecs", "RegisterTaskDefinition", properties)
    assert params["volumes"] == [{"name": "data", "efsVolumeConfiguration": {"rootDirectory": "/"}}]
    answer = {**params, "revision": 1, "status": "ACTIVE"}
    assert in_schema("AWS::ECS::TaskDefinition", answer) == properties


def test_what_the_api_does_not_have_is_refused_by_its_path() -> None:
    with pytest.raises(AwsError, match=r"property ContainerDefinitions\.Colour"):
        shapes.parameters("ecs", "RegisterTaskDefinition", {"ContainerDefinitions": [{"Colour": "red"}]})


def test_times_are_text_in_templates() -> None:
    action = {"ScheduledActionName": "a", "StartTime": "2030-01-02T03:04:05Z"}
    params = shapes.parameters("application-autoscaling", "PutScheduledAction", action)
    assert params["StartTime"] == datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    shown = in_schema("AWS::ApplicationAutoScaling::ScalableTarget", {"ScheduledActions": [params]})
    assert shown["ScheduledActions"] == [action]


BEHAVIORS = st.fixed_dictionaries(
    {"TargetOriginId": st.just("web"), "ViewerProtocolPolicy": st.just("https-only")},
    optional={
        "CachePolicyId": NAMES,
        "Compress": st.booleans(),
        "AllowedMethods": st.just(["GET", "HEAD", "OPTIONS"]),
        "TrustedKeyGroups": st.lists(NAMES, min_size=1),
    },
)
CONFIGURATIONS = st.fixed_dictionaries(
    {
        "Enabled": st.booleans(),
        "DefaultCacheBehavior": BEHAVIORS,
        "Origins": st.lists(
            st.fixed_dictionaries(
                {"Id": st.just("web"), "DomainName": NAMES},
                optional={
                    "OriginCustomHeaders": st.lists(
                        st.fixed_dictionaries({"HeaderName": NAMES, "HeaderValue": NAMES})
                    ),
                },
            ),
            min_size=1,
            max_size=2,
        ),
    },
    optional={
        "Aliases": st.lists(NAMES),
        "Comment": NAMES,
        "IPV6Enabled": st.booleans(),
        "CacheBehaviors": st.lists(BEHAVIORS.map(lambda each: {"PathPattern": "/a", **each})),
        "Restrictions": st.just({"GeoRestriction": {"RestrictionType": "whitelist", "Locations": ["IN"]}}),
        "ViewerCertificate": st.just({"AcmCertificateArn": "arn", "SslSupportMethod": "sni-only"}),
    },
)


@given(CONFIGURATIONS)
def test_a_distribution_is_the_same_in_both_forms(wanted: dict[str, Any]) -> None:
    api = configuration.as_api(wanted, "reference")
    assert api["Origins"]["Quantity"] == len(wanted["Origins"])
    shown = configuration.as_template("AWS::CloudFront::Distribution", api, wanted)
    assert _subset(wanted, shown)


def _subset(wanted: Any, shown: Any) -> bool:
    if isinstance(wanted, dict):
        return all(name in shown and _subset(value, shown[name]) for name, value in wanted.items())
    if isinstance(wanted, list):
        return len(wanted) == len(shown) and all(map(_subset, wanted, shown))
    return bool(wanted == shown)


@given(st.permutations(["blue", "green", "other"]))
def test_target_groups_have_the_order_of_the_template(shown: list[str]) -> None:
    def forward(names: list[str]) -> list[dict[str, Any]]:
        groups = [{"TargetGroupArn": name, "Weight": 1} for name in names]
        return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]

    assert in_order(forward(shown), forward(["blue", "green"])) == forward(["blue", "green", "other"])
