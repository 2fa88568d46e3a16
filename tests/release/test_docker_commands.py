"""Docker's commands, as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from samjhadoo_ops.release import docker
from samjhadoo_ops.release.docker import ImageBuild
from samjhadoo_ops.release.engine import Engine

WANTED = ImageBuild(
    "repo:v1",
    Path("context"),
    Path("context/Dockerfile"),
    {"GIT_SHA": "abc"},
    {"a": "b c"},
    platform="linux/arm64",
    cache_from=["type=gha"],
    cache_to=["type=gha,mode=max"],
    epoch=1_700_000_000,
)
COMMON = (
    "--file",
    "context/Dockerfile",
    "--tag",
    "repo:v1",
    "--build-arg",
    "GIT_SHA=abc",
    "--label",
    "a=b c",
)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            "buildx",
            [
                *("docker", "buildx", "build", "--load", *COMMON, "--progress", "plain"),
                *("--platform", "linux/arm64", "--cache-from", "type=gha", "--cache-to", "type=gha,mode=max"),
                "context",
            ],
        ),
        ("buildkit", ["docker", "build", *COMMON, "--progress", "plain", "context"]),
        ("classic", ["docker", "build", "--force-rm", *COMMON, "context"]),
    ],
)
def test_each_builder_is_asked_in_its_own_words(kind: Any, expected: list[str]) -> None:
    assert docker.build(WANTED, Engine(kind, "linux/arm64")) == expected


@pytest.mark.parametrize(
    ("kind", "own_images", "expected"),
    [
        ("buildx", False, {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "SOURCE_DATE_EPOCH": "1700000000"}),
        (
            "buildx",
            True,
            {
                "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
                "SOURCE_DATE_EPOCH": "1700000000",
                "BUILDX_BUILDER": "colima",
            },
        ),
        ("buildkit", True, {"DOCKER_BUILDKIT": "1"}),
        ("classic", False, {"DOCKER_BUILDKIT": "0"}),
    ],
)
def test_each_builder_gets_its_variables(kind: Any, own_images: bool, expected: dict[str, str]) -> None:
    engine = Engine(kind, "linux/arm64", context="colima")
    assert docker.variables(WANTED, engine, own_images=own_images) == expected


def test_outside_git_an_image_is_dated_now() -> None:
    wanted = ImageBuild("repo:v1", Path(), Path("Dockerfile"))
    assert "SOURCE_DATE_EPOCH" not in docker.variables(wanted, Engine("buildx", "linux/amd64"))


def test_a_login_reads_the_password_from_standard_input() -> None:
    assert docker.login("host") == ["docker", "login", "--username", "AWS", "--password-stdin", "host"]


ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (f"The push refers to repository [h/r]\nab: Pushed\nv1: digest: {ONE} size: 948\n", ONE),
        (f"v1: digest: {ONE} size: 948\nv1: digest: {TWO} size: 948\n", TWO),
        ("ab: Layer already exists\n", ""),
    ],
)
def test_the_digest_is_read_from_the_output_of_the_push(output: str, expected: str) -> None:
    assert docker.pushed_digest(output) == expected


@pytest.mark.parametrize(
    ("digests", "expected"),
    [
        (["other@sha256:1", "repo/more@sha256:3", "repo@sha256:2"], "sha256:2"),
        ([], ""),
        (None, ""),
    ],
)
def test_of_the_digests_of_several_repositories_the_right_one_is_taken(digests: Any, expected: str) -> None:
    assert docker.digest_in(json.dumps({"RepoDigests": digests}), "repo") == expected
