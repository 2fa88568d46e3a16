"""The upstream never answers for the resources of live services: it would know of others, or of none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

QUEUE = {"Type": "AWS::SQS::Queue"}


def template(**resources: Any) -> str:
    return json.dumps({"Resources": resources})


@pytest.fixture
def templates(noop_emulator: Any) -> Any:
    """Return a function that stores a template in S3 and returns its address, in a style."""
    s3 = noop_emulator.client("s3")
    bucket = "templates-of-stacks"
    if not any(each["Name"] == bucket for each in s3.list_buckets()["Buckets"]):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})

    def store(name: str, text: str, style: str = "https://s3.ap-south-1.amazonaws.com/{bucket}/{key}") -> str:
        s3.put_object(Bucket=bucket, Key=name, Body=text.encode())
        return style.format(bucket=bucket, key=name, edge=noop_emulator.url)

    return store


@pytest.mark.parametrize(
    "kind",
    [
        "AWS::ECS::Cluster",
        "AWS::ECS::Service",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWS::ECR::Repository",
        "AWS::CloudWatch::Alarm",
        "AWS::ApplicationAutoScaling::ScalableTarget",
    ],
)
@pytest.mark.parametrize("call", ["create_stack", "update_stack", "create_change_set"])
def test_a_stack_with_resources_of_live_services_is_refused_by_name(
    noop_emulator: Any, kind: str, call: str
) -> None:
    cloudformation = noop_emulator.client("cloudformation")
    names = {"StackName": "refused"} | ({"ChangeSetName": "c"} if call == "create_change_set" else {})
    with pytest.raises(ClientError, match=f"ValidationError.*Resource Mine: .*{kind}"):
        getattr(cloudformation, call)(**names, TemplateBody=template(Yours=QUEUE, Mine={"Type": kind}))
    assert "refused" not in [stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]]


YAML = """
Resources:
  Mine:
    Type: &kind AWS::ECS::Cluster
    Properties: {ClusterName: !Sub "${AWS::StackName}-x"}
"""


@pytest.mark.parametrize(
    "style",
    [
        "https://s3.ap-south-1.amazonaws.com/{bucket}/{key}",
        "https://{bucket}.s3.ap-south-1.amazonaws.com/{key}",
        "https://{bucket}.s3.amazonaws.com/{key}",
        "{edge}/{bucket}/{key}",
    ],
)
def test_a_template_is_read_wherever_it_is(noop_emulator: Any, templates: Any, style: str) -> None:
    cloudformation = noop_emulator.client("cloudformation")
    for text in (YAML, template(Mine={"Type": "AWS::ECS::Cluster"})):
        with pytest.raises(ClientError, match="Resource Mine"):
            cloudformation.create_stack(StackName="far", TemplateURL=templates("stack", text, style))
    outer = template(Inner={"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "<inner>"}})
    nested = templates("outer", outer.replace("<inner>", templates("inner", YAML, style)), style)
    with pytest.raises(ClientError, match="Resource Mine"):
        cloudformation.create_stack(StackName="far", TemplateURL=nested)


def test_a_template_that_is_not_there_is_refused(noop_emulator: Any) -> None:
    cloudformation = noop_emulator.client("cloudformation")
    for url in ("https://s3.amazonaws.com/templates-of-nobody/a", "https://example.com"):
        with pytest.raises(ClientError, match="ValidationError"):
            cloudformation.create_stack(StackName="nowhere", TemplateURL=url)


def test_other_stacks_are_created(noop_emulator: Any) -> None:
    cloudformation = noop_emulator.client("cloudformation")
    cloudformation.create_stack(StackName="others", TemplateBody=template(Queue=QUEUE))
    assert cloudformation.describe_stacks(StackName="others")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"


@pytest.mark.parametrize(
    "asked",
    [{}, {"ResourceTypeFilters": ["ecs:service"]}, {"ResourceTypeFilters": ["s3", "elasticloadbalancing"]}],
)
def test_the_tagging_api_does_not_answer_for_live_services(noop_emulator: Any, asked: dict[str, Any]) -> None:
    tagging = noop_emulator.client("resourcegroupstaggingapi")
    with pytest.raises(ClientError, match="NotImplemented.*tags of"):
        tagging.get_resources(**asked)
    assert tagging.get_resources(ResourceTypeFilters=["s3"])["ResourceTagMappingList"] == []


@pytest.mark.parametrize("path", ["/moto-api/reset", "/_localstack/state/reset", "/_ministack/reset"])
def test_a_reset_by_any_of_its_names_resets_the_live_services_too(noop_emulator: Any, path: str) -> None:
    import urllib.request

    from samjhadoo_emulator.testing import CONTROL_HEADERS

    ecs = noop_emulator.client("ecs")
    ecs.create_cluster(clusterName="before")
    request = urllib.request.Request(noop_emulator.url + path, data=b"{}", headers=CONTROL_HEADERS)
    urllib.request.urlopen(request, timeout=20).close()
    assert ecs.list_clusters()["clusterArns"] == []
