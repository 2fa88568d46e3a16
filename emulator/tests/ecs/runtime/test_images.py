from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from samjhadoo_emulator.ecs.runtime import CannotPullError, runtime_for
from samjhadoo_emulator.ecs.runtime.reference import parse_reference

if TYPE_CHECKING:
    from fake_registry import FakeRegistry

    from samjhadoo_emulator.ecs.runtime import PulledImage
    from samjhadoo_emulator.service import Host

APP = {"app/run": "#!/bin/sh\necho hello\n"}


def pull(host: Host, *references: str) -> list[PulledImage]:
    async def run() -> list[PulledImage]:
        runtime = runtime_for(host)
        try:
            return list(await asyncio.gather(*(runtime.pull(each) for each in references)))
        finally:
            await runtime.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "repository", "version", "region"),
    [
        ("1.dkr.ecr.eu-west-1.amazonaws.com/a/b:v1", "a/b", "v1", "eu-west-1"),
        ("localhost:4566/web", "web", "latest", ""),
        ("127.0.0.1:4566/web:1@sha256:" + "0" * 64, "web", "sha256:" + "0" * 64, ""),
    ],
)
def test_the_emulated_registry_has_many_names(text: str, repository: str, version: str, region: str) -> None:
    reference = parse_reference(text)
    assert (reference.repository, reference.version, reference.region) == (repository, version, region)


@pytest.mark.parametrize("text", ["nginx", "docker.io/library/nginx:1", "ghcr.io/a/b"])
def test_other_registries_are_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(CannotPullError, match="push the image to the emulated ECR"):
        parse_reference(text)


@pytest.mark.parametrize("text", ["localhost:1/UPPER", "localhost:1/a@sha256:12", "localhost:1/../x"])
def test_malformed_references_are_refused(text: str) -> None:
    with pytest.raises(CannotPullError, match="invalid reference format"):
        parse_reference(text)


def test_pulls_by_tag_and_by_digest_give_the_same_image(host: Host, registry: FakeRegistry) -> None:
    digest = registry.push("web", [APP], index=True, Cmd=["/app/run"], Env=["A=b"])
    by_tag, by_digest = pull(host, registry.reference("web"), registry.reference("web", f"@{digest}"))
    assert by_tag.digest == by_digest.digest == digest
    assert by_tag.config.command == ("/app/run",)
    assert by_tag.rootfs is not None
    assert (by_tag.rootfs / "app/run").read_text() == APP["app/run"]


def test_pulls_at_the_same_time_share_one(host: Host, registry: FakeRegistry) -> None:
    registry.push("web", [APP])
    pull(host, *[registry.reference("web")] * 8)
    assert len(registry.asked) == 3  # manifest, configuration, layer


def test_an_image_that_is_here_is_not_fetched_again(host: Host, registry: FakeRegistry) -> None:
    registry.push("web", [APP])
    pull(host, registry.reference("web"))
    registry.asked.clear()
    pull(host, registry.reference("web"))
    assert registry.asked == ["/v2/web/manifests/1"]


def test_a_missing_image_is_named(host: Host, registry: FakeRegistry) -> None:
    with pytest.raises(CannotPullError, match=r"failed to resolve ref localhost:\d+/web:nope: .*: not found"):
        pull(host, registry.reference("web", ":nope"))


def test_a_layer_with_another_digest_is_refused_and_leaves_nothing(
    host: Host, registry: FakeRegistry
) -> None:
    registry.push("web", [APP])
    for path, (kind, body) in list(registry.contents.items()):
        if "/blobs/" in path and kind and body[:2] == b"\x1f\x8b":
            registry.contents[path] = (kind, body + b"x")
    with pytest.raises(CannotPullError, match="unexpected digest"):
        pull(host, registry.reference("web"))
    assert list((host.data_dir / "images").iterdir()) == []


def test_an_image_for_another_platform_is_refused(host: Host, registry: FakeRegistry) -> None:
    registry.push("web", [APP], index=True)
    kind, body = registry.contents["/v2/web/manifests/1"]
    registry.contents["/v2/web/manifests/1"] = (kind, body.replace(b'"linux"', b'"plan9"'))
    with pytest.raises(CannotPullError, match="descriptor matching platform"):
        pull(host, registry.reference("web"))
