"""Building and pushing a release to a real registry."""

from __future__ import annotations

import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from samjhadoo_ops.environment import Secret
from samjhadoo_ops.environment.value_types import ImageReference
from samjhadoo_ops.errors import ConfigurationError, OpsError
from samjhadoo_ops.processes import is_loopback
from samjhadoo_ops.release import BuiltImage, build, builder, ecr, push, wanted
from samjhadoo_ops.release.oci import Layout
from samjhadoo_ops.release.registry import RemoteRepository

if TYPE_CHECKING:
    from pathlib import Path


def test_a_release_is_built_pushed_and_found_by_digest(
    project: Any, aws: Any, console: Any, fetch: Any
) -> None:
    env = project.env()
    clients = aws(env)
    built = build(env, clients, console)
    image = push(env, clients, console, built)
    commit = project.git("rev-parse", "HEAD")
    assert (built.version, built.tag, built.reused) == (commit, commit, False)
    assert image.digest == built.digest
    assert image.reference == f"{image.repository_uri}@{image.digest}"
    (detail,) = clients.client("ecr").describe_images(repositoryName=env.build.repository)["imageDetails"]
    assert (detail["imageDigest"], detail["imageTags"]) == (image.digest, [commit])
    config = fetch(f"{project.repository}/manifests/{commit}")["config"]["digest"]
    settings = fetch(f"{project.repository}/blobs/{config}")["config"]
    assert f"GIT_SHA={commit}" in settings["Env"]
    assert settings["Labels"]["org.opencontainers.image.revision"] == commit
    assert settings["Labels"]["org.opencontainers.image.version"] == commit


def test_the_registry_takes_the_password_that_ecr_returns(project: Any, aws: Any, edge_url: str) -> None:
    password = ecr.password(aws(project.env()))
    headers = urllib3.make_headers(basic_auth=f"AWS:{password.reveal()}")
    assert str(password) == "***"
    assert urllib3.request("GET", f"{edge_url}/v2/", headers=headers, retries=False).status == 200


def test_an_unchanged_release_is_neither_built_nor_pushed(project: Any, aws: Any, console: Any) -> None:
    env = project.env()
    clients = aws(env)
    first = push(env, clients, console, build(env, clients, console))
    again = build(env, clients, console)
    assert (again.reused, again.digest) == (True, first.digest)
    assert push(env, clients, console, again).reference == first.reference
    assert f"release {again.version[:12]} is already in the registry: nothing to build" in console.text
    assert wanted(env, clients).reused


def test_the_build_command_runs_first_and_the_image_holds_what_it_made(
    project: Any, aws: Any, console: Any, fetch: Any
) -> None:
    (project.context / "Dockerfile").write_text("FROM scratch\nCOPY app.jar /app.jar\n")
    (project.root / ".gitignore").write_text(".samjhadoo/\n*.jar\n")
    commit = project.commit()
    command = """["sh", "-c", "echo built > docker/backend/app.jar"]"""
    env = project.env(BUILD__COMMAND=command)
    clients = aws(env)
    image = push(env, clients, console, build(env, clients, console))
    assert (image.tag, (project.context / "app.jar").read_text()) == (commit, "built\n")
    assert len(fetch(f"{project.repository}/manifests/{commit}")["layers"]) == 1


def test_only_what_changed_is_sent_again(project: Any, aws: Any, console: Any) -> None:
    (project.context / "app" / "large.bin").write_bytes(os.urandom(300_000))
    project.commit()
    env = project.env()
    clients = aws(env)
    first = push(env, clients, console, build(env, clients, console))
    (project.context / "run.sh").write_text("#!/bin/sh\necho changed\n")
    project.commit()
    second = push(env, clients, console, build(env, clients, console))
    assert second.digest != first.digest
    assert first.sent > 300_000
    assert 0 < second.sent < 5_000


def test_a_dirty_release_has_a_version_of_its_own(project: Any, aws: Any, console: Any) -> None:
    (project.context / "app" / "__main__.py").write_text("print('dirty')\n")
    env = project.env()
    clients = aws(env)
    built = build(env, clients, console)
    assert "-dirty-" in built.version
    assert push(env, clients, console, built).tag == built.version
    (project.context / "app" / "app.jar").write_text("built before")
    (project.root / ".gitignore").write_text(".samjhadoo/\n*.jar\n")
    commit = project.commit()
    first = push(env, clients, console, build(env, clients, console))
    assert f"not as in commit {commit[:12]}: ignored by git: app/app.jar" in console.text
    (project.context / "app" / "app.jar").write_text("built again, with other content")
    second = push(env, clients, console, build(env, clients, console))
    assert (second.digest == first.digest, second.tag == first.tag) == (False, False)
    assert build(env, clients, console).reused


def test_a_source_that_changes_while_it_is_built_is_not_released(
    project: Any, aws: Any, console: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = project.env()
    clients = aws(env)
    make = builder.make

    def change(*arguments: Any) -> Any:
        (project.context / "app" / "__main__.py").write_text("print('saved meanwhile')\n")
        return make(*arguments)

    monkeypatch.setattr(builder, "make", change)
    with pytest.raises(OpsError, match="the source was changed while release"):
        build(env, clients, console)


@pytest.mark.parametrize(
    ("destination", "found"),
    [
        ("/opt/base", "opt/base/run.sh"),
        ("/opt", "opt/run.sh"),
        ("/etc", "etc"),
        ("/opt/base/x", "opt/base/x"),
    ],
)
def test_the_folders_of_a_base_image_in_the_registry_are_known(
    project: Any, aws: Any, console: Any, destination: str, found: str
) -> None:
    env = project.env()
    clients = aws(env)
    (project.context / "Dockerfile").write_text("FROM scratch\nCOPY app /opt/base\n")
    project.commit()
    base = push(env, clients, console, build(env, clients, console))
    (project.context / "Dockerfile").write_text(f"ARG BASE\nFROM ${{BASE}}\nCOPY run.sh {destination}\n")
    project.commit()
    built = build(project.env(BUILD__ARGS__BASE=base.reference), clients, console)
    layout = Layout(built.layout)
    with tarfile.open(layout.blob(layout.manifest()[1]["layers"][-1]["digest"])) as layer:
        assert layer.getnames() == [found]


def test_a_base_image_in_the_registry_provides_its_layers_and_settings(
    project: Any, aws: Any, console: Any, fetch: Any
) -> None:
    env = project.env()
    clients = aws(env)
    (project.context / "Dockerfile").write_text(
        "FROM scratch\nENV PATH=/opt/bin\nUSER 7\nCOPY app /opt/base\n"
    )
    project.commit()
    base = push(env, clients, console, build(env, clients, console))
    (project.context / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nENV B=2\nCOPY run.sh /run.sh\n")
    project.commit()
    env = project.env(BUILD__ARGS__BASE=base.reference)
    image = push(env, clients, console, build(env, clients, console))
    name = project.repository
    parent = fetch(f"{name}/manifests/{base.digest}")
    manifest = fetch(f"{name}/manifests/{image.digest}")
    assert [layer["digest"] for layer in manifest["layers"][:-1]] == [
        layer["digest"] for layer in parent["layers"]
    ]
    assert manifest["annotations"]["org.opencontainers.image.base.name"] == base.reference
    assert manifest["annotations"]["org.opencontainers.image.base.digest"] == base.digest
    config = fetch(f"{name}/blobs/{manifest['config']['digest']}")
    assert config["config"]["Env"] == ["PATH=/opt/bin", "B=2"]
    assert config["config"]["User"] == "7"
    assert len(config["rootfs"]["diff_ids"]) == 2
    assert image.sent < 2_000


def test_a_base_that_the_registry_lacks_is_refused(project: Any, aws: Any, console: Any) -> None:
    env = project.env()
    clients = aws(env)
    uri = wanted(env, clients).repository_uri
    (project.context / "Dockerfile").write_text(f"FROM {uri}:none\n")
    with pytest.raises(OpsError, match="MANIFEST_UNKNOWN"):
        build(env, clients, console)


def test_a_tag_that_another_image_has_is_refused_with_ecrs_words(
    project: Any, aws: Any, console: Any
) -> None:
    env = project.env()
    clients = aws(env)
    built = build(env, clients, console)
    push(env, clients, console, built)
    (project.context / "run.sh").write_text("#!/bin/sh\necho other\n")
    other = build(env, clients, console)
    taken = BuiltImage(built.version, built.tag, built.repository_uri, other.digest, layout=other.layout)
    with pytest.raises(OpsError, match="TAG_INVALID: The image tag .* cannot be overwritten"):
        push(env, clients, console, taken)


def test_a_registry_that_ends_up_with_another_digest_is_reported(
    project: Any, aws: Any, console: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = project.env()
    clients = aws(env)
    built = build(env, clients, console)
    monkeypatch.setattr("samjhadoo_ops.release.pusher.ecr.find_digest", lambda *_: "sha256:other")
    with pytest.raises(OpsError, match="ECR has sha256:other") as caught:
        push(env, clients, console, built)
    assert caught.value.changed


def test_a_repository_that_does_not_exist_is_configuration(project: Any, edge_url: str, console: Any) -> None:
    from samjhadoo_ops.aws import Aws

    env = project.env(BUILD__REPOSITORY="nobody/made/this")
    with pytest.raises(ConfigurationError, match="ECR has no repository nobody/made/this"):
        build(env, Aws(env, edge_url), console)


def test_a_proxy_is_not_asked_for_the_registry_on_this_machine(
    project: Any, aws: Any, console: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    env = project.env()
    clients = aws(env)
    assert push(env, clients, console, build(env, clients, console)).sent > 0


def test_an_error_of_the_dockerfile_names_the_file_and_line(project: Any, aws: Any, console: Any) -> None:
    env = project.env()
    with (project.context / "Dockerfile").open("a") as file:
        file.write("RUN make\n")
    with pytest.raises(ConfigurationError, match="docker/backend/Dockerfile:8: RUN needs a Docker engine"):
        build(env, aws(env), console)
    assert not (project.root / ".samjhadoo").exists() or not list(
        (project.root / ".samjhadoo/build").iterdir()
    )


def test_a_registry_that_cannot_be_reached_is_an_error_with_its_address(tmp_path: Path) -> None:
    repository = RemoteRepository("127.0.0.1:9", "team/app", lambda: Secret("x"))
    with pytest.raises(OpsError, match="127.0.0.1:9/team/app"), repository.session() as session:
        repository.digest(session, "v1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python", ImageReference("docker.io", "python", "latest")),
        ("team/app:v1", ImageReference("docker.io", "team/app", "v1")),
        ("localhost/app", ImageReference("localhost", "app", "latest")),
        ("127.0.0.1:4566/team/app:v1", ImageReference("127.0.0.1:4566", "team/app", "v1")),
        ("registry.example.com/a/b/c@sha256:1", ImageReference("registry.example.com", "a/b/c", "sha256:1")),
        ("registry.example.com/a:v1@sha256:1", ImageReference("registry.example.com", "a", "sha256:1")),
    ],
)
def test_references_are_read_as_docker_reads_them(text: str, expected: ImageReference) -> None:
    assert ImageReference.parse(text) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:4566", True),
        ("localhost:5000", True),
        ("[::1]:5000", True),
        ("localhost", True),
        ("10.0.0.1:5000", False),
        ("000000000000.dkr.ecr.ap-south-1.amazonaws.com", False),
    ],
)
def test_only_this_machine_is_spoken_to_without_tls(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
