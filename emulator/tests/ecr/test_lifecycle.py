"""Lifecycle policies: what is refused, and what expires."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from samjhadoo_emulator.ecr import lifecycle
from samjhadoo_emulator.ecr.manifests import OCI_INDEX, OCI_MANIFEST, Manifest
from samjhadoo_emulator.ecr.model import Image, Repository
from samjhadoo_emulator.errors import AwsError

NOW = datetime(2026, 1, 31, tzinfo=UTC)
START = "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: "


def rule(priority: int = 1, **selection: Any) -> dict[str, Any]:
    selection = {"countType": "imageCountMoreThan", "countNumber": 1, "tagStatus": "any", **selection}
    return {"rulePriority": priority, "selection": selection, "action": {"type": "expire"}}


def aged(priority: int, days: int, **selection: Any) -> dict[str, Any]:
    return rule(priority, countType="sinceImagePushed", countUnit="days", countNumber=days, **selection)


def policy(*rules: dict[str, Any]) -> str:
    return json.dumps({"rules": rules})


def tagged(*prefixes: str) -> dict[str, Any]:
    return {"tagStatus": "tagged", "tagPrefixList": list(prefixes)}


def without(member: str) -> dict[str, Any]:
    return {name: value for name, value in rule().items() if name != member}


REFUSED = [
    ("[]", "Could not map policyString into LifecyclePolicy."),
    ("{" * 50_000, "Could not map policyString into LifecyclePolicy."),
    ("{}", 'object has missing required properties (["rules"])'),
    (json.dumps({"rules": 5}), "instance type (integer) does not match any allowed primitive type"),
    (json.dumps({"rules": ["x"]}), "instance type (string) does not match any allowed primitive type"),
    (policy(without("action")), 'object has missing required properties (["action"])'),
    (policy({**rule(), "more": 1}), 'properties which are not allowed by the schema: (["more"])'),
    (policy({**rule(), "action": {"type": "keep"}}), 'instance value ("keep") not found in enum'),
    (policy({**rule(), "action": {"type": "transition"}}), "the emulator has no archive storage"),
    (policy(rule(countNumber=0)), "numeric instance is lower than the required minimum (minimum: 1"),
    (policy(rule(countNumber="1")), "instance type (string) does not match any allowed primitive type"),
    (policy(rule(countType="other")), "instance failed to match exactly one schema (matched 0 out of 2)"),
    (policy(rule(countUnit="days")), "instance failed to match exactly one schema (matched 0 out of 2)"),
    (policy(rule(tagStatus="some")), 'instance value ("some") not found in enum'),
    (policy(rule(tagStatus="tagged")), "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."),
    (policy(rule(tagStatus="tagged", tagPatternList=["*a*b*c*d*"])), "a maximum of 4 wildcards"),
    (policy(rule(1), rule(1, **tagged("a"))), "Rule priorities must be unique."),
    (
        policy(rule(1), rule(2, **tagged("a"))),
        "Rule for tagStatus=ANY must have the lowest priority per storage class",
    ),
    (
        policy(rule(1, tagStatus="untagged"), rule(2, tagStatus="untagged")),
        "Only one rule can select Untagged images per storage class.",
    ),
]


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_a_policy_that_cannot_be_is_refused(text: str, words: str) -> None:
    with pytest.raises(AwsError) as caught:
        lifecycle.rules(text)
    assert caught.value.code == "InvalidParameterException"
    assert caught.value.message.startswith(f"{START}'Lifecycle policy validation failure: ")
    assert words in caught.value.message


def repository(**tags: str) -> Repository:
    """A repository with one image a day, the last one pushed now; each with its tags, separated by spaces."""
    found = Repository("app", NOW)
    for age, (digest, words) in enumerate(reversed(tags.items())):
        manifest = Manifest(OCI_MANIFEST)
        found.images[digest] = Image(digest, b"", manifest, NOW - timedelta(days=age))
        found.tags.update(dict.fromkeys(words.split(), digest))
    return found


def expired(found: Repository, *rules: dict[str, Any]) -> dict[str, int]:
    gone = lifecycle.expiring(found, lifecycle.rules(policy(*rules)), NOW)
    return {image.digest: applied.priority for image, applied in gone}


@pytest.mark.parametrize(
    ("rules", "gone"),
    [
        ([rule(1, countNumber=2)], {"a": 1, "b": 1}),
        ([rule(1, tagStatus="untagged")], {"b": 1}),
        ([rule(1, **tagged("v"))], {"a": 1}),
        ([rule(1, **tagged("v", "prod"))], {}),
        ([rule(1, tagStatus="tagged", tagPatternList=["*1"])], {"a": 1}),
        ([rule(1, tagStatus="tagged", tagPatternList=["v*"])], {"a": 1}),
        ([aged(1, 2)], {"a": 1}),
        ([aged(1, 1, tagStatus="untagged")], {"b": 1}),
        ([aged(1, 9)], {}),
        # An image that an earlier rule is about is out of reach of later ones …
        ([rule(1, **tagged("prod")), rule(2)], {"a": 2, "b": 2, "c": 2}),
        # … and counts among the images of later ones all the same.
        ([rule(1, **tagged("v")), rule(2, countNumber=3)], {"a": 1}),
        ([rule(5, countNumber=3), rule(1, tagStatus="untagged", countNumber=9)], {"a": 5}),
    ],
)
def test_a_policy_expires_images_by_its_rules_in_turn(
    rules: list[dict[str, Any]], gone: dict[str, int]
) -> None:
    assert expired(repository(a="v1", b="", c="", d="v2 prod-1"), *rules) == gone


def test_what_an_index_lists_stays_with_the_index_and_what_refers_to_an_image_with_the_image() -> None:
    found = repository(child="", index="v1", signature="", newest="v2")
    found.images["index"].manifest = Manifest(OCI_INDEX, children=("child",))
    found.images["signature"].manifest = Manifest(OCI_MANIFEST, subject="index")
    untagged = aged(1, 1, tagStatus="untagged")
    assert expired(found, aged(1, 1, tagStatus="untagged")) == {}
    assert expired(found, untagged, rule(2)) == {"index": 2, "child": 1}


def test_a_preview_shows_what_would_expire_and_expires_nothing(ecr: Any, registry: Any) -> None:
    name = registry.repository
    with pytest.raises(ClientError, match="Lifecycle policy preview does not exist"):
        ecr.get_lifecycle_policy_preview(repositoryName=name)
    with pytest.raises(ClientError, match="Lifecycle policy does not exist"):
        ecr.start_lifecycle_policy_preview(repositoryName=name)
    old, _ = registry.image("v1", b"one"), registry.image("v2", b"two")
    started = ecr.start_lifecycle_policy_preview(repositoryName=name, lifecyclePolicyText=policy(rule()))
    assert started["status"] == "IN_PROGRESS"
    ecr.get_waiter("lifecycle_policy_preview_complete").wait(repositoryName=name)
    preview = ecr.get_lifecycle_policy_preview(repositoryName=name)
    (result,) = preview["previewResults"]
    assert (result["imageDigest"], result["imageTags"], result["appliedRulePriority"]) == (old, ["v1"], 1)
    assert result["action"] == {"type": "EXPIRE"}
    assert preview["summary"] == {"expiringImageTotalCount": 1}
    for members in ({"filter": {"tagStatus": "UNTAGGED"}}, {"imageIds": [{"imageTag": "v2"}]}):
        assert ecr.get_lifecycle_policy_preview(repositoryName=name, **members)["previewResults"] == []
    assert len(ecr.describe_images(repositoryName=name)["imageDetails"]) == 2


def test_images_expire_by_themselves(noop_emulator: Any, eventually: Any) -> None:
    ecr, name = noop_emulator.client("ecr"), "expiring"
    ecr.create_repository(repositoryName=name)
    blob = json.dumps({"architecture": "amd64", "os": "linux"}).encode()
    upload = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=name, uploadId=upload, partFirstByte=0, partLastByte=len(blob) - 1, layerPartBlob=blob
    )
    digest = lifecycle_digest(blob)
    ecr.complete_layer_upload(repositoryName=name, uploadId=upload, layerDigests=[digest])
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(blob)}
    for tag in ("v1", "v2"):
        kind = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}
        document = {**kind, "config": config, "layers": [], "annotations": {"tag": tag}}
        ecr.put_image(repositoryName=name, imageManifest=json.dumps(document), imageTag=tag)
    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=policy(rule()))
    listed = eventually(lambda: len(found := ecr.list_images(repositoryName=name)["imageIds"]) == 1 and found)
    assert [image["imageTag"] for image in listed] == ["v2"]
    assert "lastEvaluatedAt" in ecr.get_lifecycle_policy(repositoryName=name)


def lifecycle_digest(content: bytes) -> str:
    import hashlib

    return f"sha256:{hashlib.sha256(content).hexdigest()}"
