"""Manifests, tags and referrers over the distribution API."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
NOWHERE = "sha256:" + "1" * 64
CONFIG = b'{"architecture":"amd64","os":"linux"}'


def code(answer: Any) -> str:
    return str(json.loads(answer.data)["errors"][0]["code"])


def message(answer: Any) -> str:
    return str(json.loads(answer.data)["errors"][0]["message"])


def document(config: str, **members: Any) -> dict[str, Any]:
    described = {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": config,
        "size": len(CONFIG),
    }
    return {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": [], **members}


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_a_manifest_comes_back_as_the_very_bytes_that_were_pushed(registry: Any, by: str) -> None:
    content = json.dumps(document(registry.blob(CONFIG)), indent=3).encode() + b"\n"
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    reference = "v1" if by == "tag" else digest
    answer = registry.manifest(reference, content)
    assert (answer.status, answer.headers["Docker-Content-Digest"]) == (201, digest)
    for asked in {reference, digest}:
        answer = registry("GET", f"manifests/{asked}")
        assert (answer.data, answer.headers["Content-Type"]) == (content, MANIFEST)
        head = registry("HEAD", f"manifests/{asked}")
        assert (head.headers["Content-Length"], head.data) == (str(len(content)), b"")
        assert head.headers["Docker-Content-Digest"] == digest


def test_dockers_manifests_keep_their_media_type(registry: Any) -> None:
    answer = registry.manifest("v1", document(registry.blob(CONFIG), mediaType=DOCKER), DOCKER)
    assert answer.status == 201
    assert registry("GET", "manifests/v1").headers["Content-Type"] == DOCKER


def test_an_index_lists_manifests_of_the_repository(registry: Any) -> None:
    child = registry.image("child", b"layer")
    listed = {"mediaType": MANIFEST, "digest": child, "size": 1, "platform": {"os": "linux"}}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [listed]}
    assert registry.manifest("many", index, INDEX).status == 201
    assert registry("GET", "manifests/many").headers["Content-Type"] == INDEX
    index["manifests"] = [{**listed, "digest": NOWHERE}]
    assert code(registry.manifest("none", index, INDEX)) == "MANIFEST_BLOB_UNKNOWN"


def test_a_manifest_whose_blobs_are_missing_is_refused_naming_each(registry: Any) -> None:
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": NOWHERE, "size": 5}
    answer = registry.manifest("v1", document("sha256:" + "2" * 64, layers=[layer]))
    assert answer.status == 400
    errors = json.loads(answer.data)["errors"]
    assert [error["code"] for error in errors] == ["MANIFEST_BLOB_UNKNOWN"] * 2
    assert [error["detail"]["digest"] for error in errors] == ["sha256:" + "2" * 64, NOWHERE]
    assert registry("GET", "manifests/v1").status == 404


def test_layers_of_other_hosts_need_not_be_there(registry: Any) -> None:
    layer = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": NOWHERE,
        "size": 5,
        "urls": ["https://example.com/layer"],
    }
    assert registry.manifest("v1", document(registry.blob(CONFIG), layers=[layer])).status == 201


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        pytest.param(b"no json", MANIFEST, id="no-json"),
        pytest.param(b"[]", MANIFEST, id="no-object"),
        pytest.param(b'{"schemaVersion": 1}', MANIFEST, id="schema-1"),
        pytest.param(b'{"schemaVersion": 2, "config": {}}', MANIFEST, id="no-config"),
        pytest.param(b'{"schemaVersion": 2, "mediaType": "%s"}' % INDEX.encode(), MANIFEST, id="two-types"),
        pytest.param(b'{"schemaVersion": 2}', "text/plain", id="unknown-type"),
    ],
)
def test_what_is_no_manifest_is_refused(registry: Any, content: bytes, media_type: str) -> None:
    answer = registry.manifest("v1", content, media_type)
    assert (answer.status, code(answer)) == (400, "MANIFEST_INVALID")


def test_a_manifest_pushed_under_a_digest_it_does_not_have_is_refused(registry: Any) -> None:
    answer = registry.manifest(NOWHERE, document(registry.blob(CONFIG)))
    assert (answer.status, code(answer)) == (400, "DIGEST_INVALID")


def test_a_manifest_of_more_than_four_megabytes_is_refused(registry: Any) -> None:
    big = document(registry.blob(CONFIG), annotations={"a": "x" * 4_200_000})
    assert registry.manifest("v1", big).status == 413


@pytest.mark.parametrize("tag", ["-no", "a" * 129, "a%20b"])
def test_a_malformed_tag_is_refused(registry: Any, tag: str) -> None:
    assert registry.manifest(tag, document(registry.blob(CONFIG))).status == 400


def test_a_tag_moves_in_a_mutable_repository(registry: Any) -> None:
    first = registry.image("latest", b"one")
    second = registry.image("latest", b"two")
    assert registry("HEAD", "manifests/latest").headers["Docker-Content-Digest"] == second
    assert registry("HEAD", f"manifests/{first}").status == 200


def test_an_immutable_tag_cannot_be_moved_but_pushed_again(registry: Any, ecr: Any) -> None:
    ecr.put_image_tag_mutability(repositoryName=registry.repository, imageTagMutability="IMMUTABLE")
    first = registry.image("v1", b"one")
    assert registry.image("v1", b"one") == first
    answer = registry.manifest("v1", document(registry.blob(CONFIG), annotations={"other": "image"}))
    assert (answer.status, code(answer)) == (400, "TAG_INVALID")
    assert message(answer) == (
        f"The image tag 'v1' already exists in the '{registry.repository}' repository and cannot be "
        "overwritten because the tag is immutable."
    )
    assert registry("HEAD", "manifests/v1").headers["Docker-Content-Digest"] == first


def test_tags_that_a_filter_excludes_from_immutability_move(registry: Any, ecr: Any) -> None:
    ecr.put_image_tag_mutability(
        repositoryName=registry.repository,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "latest*"}],
    )
    registry.image("latest-1", b"one")
    registry.image("latest-1", b"two")
    registry.image("v1", b"one")
    assert registry.manifest("v1", document(registry.blob(CONFIG))).status == 400


def test_tags_are_listed_in_order_and_in_pages(registry: Any) -> None:
    for tag in ("v3", "v1", "v10", "v2"):
        registry.image(tag, b"layer")
    answer = registry("GET", "tags/list?n=3")
    assert json.loads(answer.data) == {"name": registry.repository, "tags": ["v1", "v10", "v2"]}
    link = answer.headers["Link"]
    assert link.endswith('>; rel="next"')
    answer = registry("GET", registry.url + link[1 : link.index(">")])
    assert json.loads(answer.data)["tags"] == ["v3"]
    assert "Link" not in answer.headers
    assert json.loads(registry("GET", "tags/list?n=0").data)["tags"] == []
    assert json.loads(registry("GET", "tags/list?last=v10").data)["tags"] == ["v2", "v3"]
    assert code(registry("GET", "tags/list?n=many")) == "PAGINATION_NUMBER_INVALID"


def test_the_catalogue_lists_repositories(registry: Any, other: Any) -> None:
    found = json.loads(registry("GET", f"{registry.url}/v2/_catalog").data)["repositories"]
    assert {registry.repository, other.repository} <= set(found)
    assert found == sorted(found)


def test_a_tag_or_an_image_is_deleted(registry: Any) -> None:
    digest = registry.image("v1", b"layer")
    registry.image("v2", b"layer")
    assert registry("DELETE", "manifests/v1").status == 202
    assert registry("HEAD", "manifests/v1").status == 404
    assert registry("HEAD", f"manifests/{digest}").status == 200
    assert registry("DELETE", f"manifests/{digest}").status == 202
    assert code(registry("GET", "manifests/v2")) == "MANIFEST_UNKNOWN"
    assert registry("DELETE", f"manifests/{digest}").status == 404


def test_referrers_of_a_manifest_are_listed_and_filtered(registry: Any) -> None:
    subject = registry.image("v1", b"layer")
    referring = {"mediaType": MANIFEST, "digest": subject, "size": 1}
    made = {}
    for kind in ("text/signature", "text/sbom"):
        answer = registry.manifest(
            kind.replace("/", "-"),
            document(registry.blob(CONFIG), artifactType=kind, subject=referring, annotations={"kind": kind}),
        )
        assert answer.headers["OCI-Subject"] == subject
        made[kind] = answer.headers["Docker-Content-Digest"]
    answer = registry("GET", f"referrers/{subject}")
    assert answer.headers["Content-Type"] == INDEX
    listed = json.loads(answer.data)["manifests"]
    assert {each["artifactType"]: each["digest"] for each in listed} == made
    assert listed[0]["annotations"] == {"kind": "text/signature"}
    answer = registry("GET", f"referrers/{subject}?artifactType=text/sbom")
    assert answer.headers["OCI-Filters-Applied"] == "artifactType"
    assert [each["digest"] for each in json.loads(answer.data)["manifests"]] == [made["text/sbom"]]


def test_a_digest_that_nothing_refers_to_has_no_referrers(registry: Any) -> None:
    answer = registry("GET", f"referrers/{NOWHERE}")
    assert (answer.status, json.loads(answer.data)["manifests"]) == (200, [])
    assert registry("GET", "referrers/v1").status == 400


def test_a_manifest_may_refer_to_a_subject_that_is_not_there(registry: Any) -> None:
    missing = {"mediaType": MANIFEST, "digest": NOWHERE, "size": 1}
    answer = registry.manifest("v1", document(registry.blob(CONFIG), subject=missing))
    assert (answer.status, answer.headers["OCI-Subject"]) == (201, NOWHERE)
