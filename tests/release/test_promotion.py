"""Deploying an image that exists: found by tag or digest, copied from another registry as it is."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import Any

import pytest

from samjhadoo_ops.environment.value_types import ImageReference
from samjhadoo_ops.errors import ConfigurationError, Refused
from samjhadoo_ops.release import build, existing, push
from samjhadoo_ops.release.registry import RegistryRefused, RemoteRepository

OTHERS = itertools.count(1)
INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture
def pushed(project: Any, aws: Any, console: Any) -> Any:
    """The settings, the clients and the image of a release in the repository."""
    env = project.env()
    clients = aws(env)
    return env, clients, push(env, clients, console, build(env, clients, console))


@pytest.fixture
def elsewhere(project: Any, aws: Any) -> Any:
    """The settings and clients of an environment with another, empty repository."""
    env = project.env(BUILD__REPOSITORY=f"other/app-{next(OTHERS)}")
    return env, aws(env)


def test_an_image_is_found_by_tag_digest_and_reference_even_if_the_source_differs(
    project: Any, pushed: Any, console: Any
) -> None:
    env, clients, image = pushed
    (project.context / "run.sh").write_text("#!/bin/sh\necho changed\n")
    names = [image.tag, image.digest, image.reference, f"{image.repository_uri}:{image.tag}"]
    for name in names:
        found = existing(env, clients, name)
        assert (found.version, found.digest, found.reused, found.source) == (
            image.tag,
            image.digest,
            True,
            None,
        )
        assert push(env, clients, console, found).reference == image.reference


def test_an_image_of_another_repository_is_copied_and_keeps_its_digest(
    pushed: Any, elsewhere: Any, console: Any, fetch: Any
) -> None:
    _, _, image = pushed
    env, clients = elsewhere
    found = existing(env, clients, image.reference)
    assert (found.version, found.digest, found.reused) == (image.tag, image.digest, False)
    copied = push(env, clients, console, found)
    assert copied.digest == image.digest
    assert copied.repository_uri.endswith(env.build.repository)
    assert copied.sent > 0
    assert fetch(f"{env.build.repository}/manifests/{image.tag}")["config"]
    again = existing(env, clients, image.reference)
    assert (again.reused, again.source) == (True, None)
    assert push(env, clients, console, again).reference == copied.reference


def test_only_the_layers_that_are_missing_are_copied(
    project: Any, pushed: Any, elsewhere: Any, console: Any
) -> None:
    env, clients, first = pushed
    target, theirs = elsewhere
    whole = push(target, theirs, console, existing(target, theirs, first.reference)).sent
    (project.context / "run.sh").write_text("#!/bin/sh\necho changed\n")
    project.commit()
    second = push(env, clients, console, build(env, clients, console))
    found = existing(target, theirs, second.reference)
    assert 0 < push(target, theirs, console, found).sent < whole + 5_000


def test_an_image_of_several_platforms_is_copied_whole(
    edge_url: str, pushed: Any, elsewhere: Any, console: Any, fetch: Any
) -> None:
    _, _, image = pushed
    env, clients = elsewhere
    name = image.repository_uri.partition("/")[2]
    child = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": image.digest,
        "size": len(json.dumps(fetch(f"{name}/manifests/{image.digest}"), separators=(",", ":"))),
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    content = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}).encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    repository = RemoteRepository(edge_url.removeprefix("http://"), name)
    with repository.session() as session:
        assert repository.push_manifest(session, content, "several") == digest
    found = existing(env, clients, f"{image.repository_uri}@{digest}")
    assert found.version == image.tag  # which the build has written into the platform's image
    assert push(env, clients, console, found).digest == digest
    assert fetch(f"{env.build.repository}/manifests/{image.digest}")["layers"]


@pytest.mark.parametrize("name", ["v0", f"sha256:{'0' * 64}"])
def test_an_image_that_does_not_exist_is_refused(pushed: Any, name: str) -> None:
    env, clients, _ = pushed
    with pytest.raises(Refused, match=f"has no image {name}") as refused:
        existing(env, clients, name)
    assert "invoke push" in refused.value.hint


def test_a_release_whose_tag_belongs_to_another_image_is_refused(
    project: Any, pushed: Any, elsewhere: Any, console: Any
) -> None:
    _, _, image = pushed
    env, clients = elsewhere
    other = project.env(BUILD__REPOSITORY=env.build.repository, BUILD__PLATFORM="linux/arm64")
    mine = push(other, clients, console, build(other, clients, console))
    assert (mine.tag, mine.digest == image.digest) == (image.tag, False)
    with pytest.raises(Refused, match=f"already has another image as release {image.tag}: {mine.digest}"):
        existing(env, clients, image.reference)


def test_a_registry_that_refuses_is_reported_with_the_permissions_it_must_grant(elsewhere: Any) -> None:
    env, clients = elsewhere
    with pytest.raises(RegistryRefused, match="127.0.0.1:9/team/app") as refused:
        existing(env, clients, "127.0.0.1:9/team/app:v1")
    assert "allow account 000000000000 to pull" in refused.value.hint


@pytest.mark.parametrize("name", ["", "team/app", "127.0.0.1:9/team/app", "app@v1", "127.0.0.1:9/app@v1"])
def test_an_invalid_image_name_is_wrong_usage(pushed: Any, name: str) -> None:
    env, clients, _ = pushed
    with pytest.raises(ConfigurationError, match="--image"):
        existing(env, clients, name)


def test_a_registry_that_changes_the_bytes_is_refused(
    pushed: Any, elsewhere: Any, console: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, image = pushed
    env, clients = elsewhere
    found = existing(env, clients, image.reference)
    assert found.source == ImageReference(
        image.repository_uri.partition("/")[0], image.repository_uri.partition("/")[2], image.digest
    )
    honest = RemoteRepository.push_manifest
    monkeypatch.setattr(
        RemoteRepository,
        "push_manifest",
        lambda self, session, content, tag: honest(self, session, content + b"\n", tag),
    )
    with pytest.raises(RegistryRefused, match="got the digest"):
        push(env, clients, console, found)
