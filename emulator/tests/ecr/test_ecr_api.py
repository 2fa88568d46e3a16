"""The ECR API beside the registry."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

LAYER = b"layer" * 100
LAYER_DIGEST = f"sha256:{hashlib.sha256(LAYER).hexdigest()}"
POLICIES = {
    "lifecycle_policy": '{"rules": []}'.ljust(100),
    "repository_policy": json.dumps(
        {
            "Version": "2008-10-17",
            "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}],
        }
    ),
}
HERE = "in the registry with id '000000000000'"


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_repository_is_created_described_and_deleted(ecr: Any, edge_url: str) -> None:
    created = ecr.create_repository(
        repositoryName="life/of-one", imageTagMutability="IMMUTABLE", tags=[{"Key": "team", "Value": "a"}]
    )["repository"]
    assert created["repositoryUri"] == f"{edge_url.removeprefix('http://')}/life/of-one"
    assert created["repositoryArn"] == "arn:aws:ecr:ap-south-1:000000000000:repository/life/of-one"
    assert created["imageTagMutability"] == "IMMUTABLE"
    assert datetime.now(UTC) - created["createdAt"] < timedelta(minutes=5)
    assert ecr.describe_repositories(repositoryNames=["life/of-one"])["repositories"] == [created]
    tags = ecr.list_tags_for_resource(resourceArn=created["repositoryArn"])["tags"]
    assert tags == [{"Key": "team", "Value": "a"}]
    ecr.delete_repository(repositoryName="life/of-one")
    code, message = refusal(ecr.describe_repositories, repositoryNames=["life/of-one"])
    assert code == "RepositoryNotFoundException"
    assert message == f"The repository with name 'life/of-one' does not exist {HERE}"


def test_a_name_is_taken_once_and_must_be_well_formed(ecr: Any, repository: str) -> None:
    code, message = refusal(ecr.create_repository, repositoryName=repository)
    assert code == "RepositoryAlreadyExistsException"
    assert message == f"The repository with name '{repository}' already exists {HERE}"
    assert refusal(ecr.create_repository, repositoryName="Upper/Case")[0] == "InvalidParameterException"


def test_repositories_are_described_in_pages(ecr: Any, other: Any, repository: str) -> None:
    pages = ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 10})
    names = [found["repositoryName"] for page in pages for found in page["repositories"]]
    assert {repository, other.repository} <= set(names)
    assert names == sorted(names)
    assert refusal(ecr.describe_repositories, nextToken="rubbish")[0] == "InvalidParameterException"


def test_a_repository_with_images_is_deleted_by_force_only(ecr: Any, registry: Any) -> None:
    registry.image("v1", LAYER)
    assert (
        refusal(ecr.delete_repository, repositoryName=registry.repository)[0] == "RepositoryNotEmptyException"
    )
    ecr.delete_repository(repositoryName=registry.repository, force=True)
    ecr.create_repository(repositoryName=registry.repository)
    assert registry("HEAD", f"blobs/{LAYER_DIGEST}").status == 404


def test_images_are_described_as_they_were_pushed(ecr: Any, registry: Any) -> None:
    digest = registry.image("v1", LAYER, b"second")
    registry.image("v2", LAYER, b"second")
    (detail,) = ecr.describe_images(repositoryName=registry.repository)["imageDetails"]
    config = json.loads(registry("GET", "manifests/v1").data)["config"]["size"]
    assert detail["imageDigest"] == digest
    assert detail["imageTags"] == ["v1", "v2"]
    assert detail["imageSizeInBytes"] == len(LAYER) + len(b"second") + config
    assert detail["imageManifestMediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert detail["artifactMediaType"] == "application/vnd.oci.image.config.v1+json"
    assert datetime.now(UTC) - detail["imagePushedAt"] < timedelta(minutes=5)
    for wanted in ({"imageTag": "v2"}, {"imageDigest": digest}):
        found = ecr.describe_images(repositoryName=registry.repository, imageIds=[wanted])["imageDetails"]
        assert [each["imageDigest"] for each in found] == [digest]


def test_an_image_that_is_not_there_is_named(ecr: Any, repository: str) -> None:
    code, message = refusal(ecr.describe_images, repositoryName=repository, imageIds=[{"imageTag": "none"}])
    assert code == "ImageNotFoundException"
    assert message == (
        "The image with imageId {imageDigest:'null', imageTag:'none'} does not exist within the repository "
        f"with name '{repository}' {HERE}"
    )


def test_images_are_listed_by_tag_status(ecr: Any, registry: Any) -> None:
    old = registry.image("latest", b"one")
    new = registry.image("latest", b"two")

    def listed(status: str) -> list[dict[str, str]]:
        found = ecr.list_images(repositoryName=registry.repository, filter={"tagStatus": status})
        return list(found["imageIds"])

    assert listed("TAGGED") == [{"imageDigest": new, "imageTag": "latest"}]
    assert listed("UNTAGGED") == [{"imageDigest": old}]
    assert len(listed("ANY")) == 2


def test_an_image_is_pushed_and_pulled_by_the_api_alone(ecr: Any, repository: str) -> None:
    config = b'{"architecture":"amd64","os":"linux"}'
    digests = [_upload(ecr, repository, content) for content in (LAYER, config)]
    checked = ecr.batch_check_layer_availability(
        repositoryName=repository, layerDigests=[*digests, "nonsense:1"]
    )
    assert [layer["layerAvailability"] for layer in checked["layers"]] == ["AVAILABLE", "AVAILABLE"]
    assert [failure["failureCode"] for failure in checked["failures"]] == ["InvalidLayerDigest"]
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "digest": digests[1],
                "size": len(config),
            },
            "layers": [{"mediaType": "text/layer", "digest": digests[0], "size": len(LAYER)}],
        }
    )
    put = ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag="v1")["image"]
    assert put["imageId"]["imageDigest"] == f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
    got = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}, {"imageTag": "v2"}])
    assert [image["imageManifest"] for image in got["images"]] == [manifest]
    assert [failure["failureCode"] for failure in got["failures"]] == ["ImageNotFound"]
    url = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digests[0])["downloadUrl"]
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == LAYER
    again = refusal(ecr.put_image, repositoryName=repository, imageManifest=manifest, imageTag="v1")
    assert again[0] == "ImageAlreadyExistsException"


def _upload(ecr: Any, repository: str, content: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=repository,
        uploadId=upload,
        partFirstByte=0,
        partLastByte=len(content) - 1,
        layerPartBlob=content,
    )
    ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[digest])
    return digest


def test_layer_parts_must_follow_each_other_and_make_the_digest(ecr: Any, repository: str) -> None:
    upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    common = {"repositoryName": repository, "uploadId": upload}
    code, _ = refusal(
        ecr.upload_layer_part, **common, partFirstByte=5, partLastByte=9, layerPartBlob=b"12345"
    )
    assert code == "InvalidLayerPartException"
    assert (
        refusal(ecr.complete_layer_upload, **common, layerDigests=[LAYER_DIGEST])[0] == "EmptyUploadException"
    )
    ecr.upload_layer_part(**common, partFirstByte=0, partLastByte=4, layerPartBlob=b"12345")
    assert (
        refusal(ecr.complete_layer_upload, **common, layerDigests=[LAYER_DIGEST])[0]
        == "InvalidLayerException"
    )
    assert (
        refusal(ecr.complete_layer_upload, **common, layerDigests=[LAYER_DIGEST])[0]
        == "UploadNotFoundException"
    )


def test_a_layer_is_uploaded_once(ecr: Any, repository: str) -> None:
    _upload(ecr, repository, LAYER)
    with pytest.raises(ecr.exceptions.LayerAlreadyExistsException):
        _upload(ecr, repository, LAYER)


def test_put_image_refuses_missing_layers_and_moved_immutable_tags(ecr: Any, registry: Any) -> None:
    ecr.put_image_tag_mutability(repositoryName=registry.repository, imageTagMutability="IMMUTABLE")
    registry.image("v1", LAYER)
    manifest = json.loads(registry("GET", "manifests/v1").data)
    manifest["annotations"] = {"changed": "yes"}
    put = {"repositoryName": registry.repository, "imageTag": "v1"}
    code, message = refusal(ecr.put_image, **put, imageManifest=json.dumps(manifest))
    assert code == "ImageTagAlreadyExistsException"
    assert message.startswith("The image tag 'v1' already exists in the ")
    manifest["layers"][0]["digest"] = "sha256:" + "3" * 64
    assert refusal(ecr.put_image, **put, imageManifest=json.dumps(manifest))[0] == "LayersNotFoundException"
    assert refusal(ecr.put_image, **put, imageManifest="no json")[0] == "InvalidParameterException"


def test_images_are_deleted_by_tag_and_by_digest(ecr: Any, registry: Any) -> None:
    first = registry.image("v1", b"one")
    registry.image("v2", b"one")
    second = registry.image("w1", b"two")
    ids = [{"imageTag": "v1"}, {"imageDigest": second}, {"imageTag": "none"}, {"imageDigest": "bad"}, {}]
    answer = ecr.batch_delete_image(repositoryName=registry.repository, imageIds=ids)
    assert answer["imageIds"] == [
        {"imageDigest": first, "imageTag": "v1"},
        {"imageDigest": second, "imageTag": "w1"},
    ]
    assert [failure["failureCode"] for failure in answer["failures"]] == [
        "ImageNotFound",
        "InvalidImageDigest",
        "MissingDigestAndTag",
    ]
    ecr.batch_delete_image(repositoryName=registry.repository, imageIds=[{"imageTag": "v2"}])
    assert ecr.describe_images(repositoryName=registry.repository)["imageDetails"] == []


def test_an_image_that_an_index_lists_is_not_deleted(ecr: Any, registry: Any) -> None:
    child = registry.image("child", b"one")
    index = "application/vnd.oci.image.index.v1+json"
    listed = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": child, "size": 1}
    registry.manifest("many", {"schemaVersion": 2, "mediaType": index, "manifests": [listed]}, index)
    answer = ecr.batch_delete_image(repositoryName=registry.repository, imageIds=[{"imageDigest": child}])
    assert [failure["failureCode"] for failure in answer["failures"]] == ["ImageReferencedByManifestList"]


def test_pulls_are_recorded(ecr: Any, registry: Any) -> None:
    registry.image("v1", LAYER)
    (detail,) = ecr.describe_images(repositoryName=registry.repository)["imageDetails"]
    assert "lastRecordedPullTime" not in detail
    registry("GET", "manifests/v1")
    (detail,) = ecr.describe_images(repositoryName=registry.repository)["imageDetails"]
    assert detail["lastRecordedPullTime"] >= detail["imagePushedAt"]


def test_an_authorization_token_is_a_docker_login(ecr: Any, edge_url: str) -> None:
    (data,) = ecr.get_authorization_token()["authorizationData"]
    assert base64.b64decode(data["authorizationToken"]).startswith(b"AWS:")
    assert data["proxyEndpoint"] == edge_url
    assert data["expiresAt"] - datetime.now(UTC) > timedelta(hours=11)


@pytest.mark.parametrize(
    ("kind", "put", "member"),
    [("lifecycle_policy", "put", "lifecyclePolicyText"), ("repository_policy", "set", "policyText")],
)
def test_policies_are_kept(ecr: Any, repository: str, kind: str, put: str, member: str) -> None:
    get, delete = getattr(ecr, f"get_{kind}"), getattr(ecr, f"delete_{kind}")
    assert refusal(get, repositoryName=repository)[0].endswith("PolicyNotFoundException")
    getattr(ecr, f"{put}_{kind}")(repositoryName=repository, **{member: POLICIES[kind]})
    assert get(repositoryName=repository)[member] == POLICIES[kind]
    delete(repositoryName=repository)
    assert refusal(get, repositoryName=repository)[0].endswith("PolicyNotFoundException")
    code, _ = refusal(
        getattr(ecr, f"{put}_{kind}"), repositoryName=repository, **{member: "{" + POLICIES[kind]}
    )
    assert code == "InvalidParameterException"


def test_settings_of_a_repository_are_kept(ecr: Any, repository: str) -> None:
    ecr.put_image_scanning_configuration(
        repositoryName=repository, imageScanningConfiguration={"scanOnPush": True}
    )
    (described,) = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
    assert described["imageScanningConfiguration"] == {"scanOnPush": True}
    arn = described["repositoryArn"]
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ecr.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "b", "Value": "2"}]


def test_another_registry_is_not_here(ecr: Any, repository: str) -> None:
    code, message = refusal(ecr.describe_images, repositoryName=repository, registryId="111111111111")
    assert code == "RepositoryNotFoundException"
    assert "111111111111" in message


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow"},
        {"Effect": "Maybe", "Principal": "*", "Action": "ecr:*"},
        {"Action": "ecr:*"},
        "text",
    ],
    ids=["no action", "no such effect", "no effect", "no object"],
)
def test_a_policy_that_iam_would_refuse_is_refused(ecr: Any, repository: str, statement: Any) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    code, message = refusal(ecr.set_repository_policy, repositoryName=repository, policyText=text)
    assert code == "InvalidParameterException"
    assert message.endswith("'Invalid repository policy provided'")


def test_a_repository_encrypted_by_kms_shows_its_key(ecr: Any) -> None:
    own = "arn:aws:kms:ap-south-1:000000000000:key/mine"
    for name, given in (("kms/aws", {}), ("kms/own", {"kmsKey": own})):
        created = ecr.create_repository(
            repositoryName=name, encryptionConfiguration={"encryptionType": "KMS", **given}
        )["repository"]
        key = created["encryptionConfiguration"]["kmsKey"]
        assert key == own if given else key.startswith("arn:aws:kms:ap-south-1:000000000000:key/")


def test_a_lifecycle_policy_that_has_not_run_yet_was_last_evaluated_never(ecr: Any, repository: str) -> None:
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=POLICIES["lifecycle_policy"])
    assert "lastEvaluatedAt" in ecr.get_lifecycle_policy(repositoryName=repository)


def test_an_image_needs_a_media_type_in_its_manifest_or_beside_it(ecr: Any, repository: str) -> None:
    code, message = refusal(
        ecr.put_image, repositoryName=repository, imageManifest='{"schemaVersion": 2}', imageTag="a"
    )
    assert code == "InvalidParameterException"
    assert message == "image manifest mediatype not provided in manifest or parameter"
