"""Building with a real Docker engine and pushing to a real registry."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.engine import EngineUnavailable
from samjhadoo_ops.errors import ConfigurationError, ExitCode
from samjhadoo_ops.release import build, engine_builder, push
from samjhadoo_ops.release.command import CommandFailed
from samjhadoo_ops.release.docker import KEPT
from samjhadoo_ops.streams import short

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.containers

DOCKERFILE = """\
FROM scratch
COPY run.sh /run.sh
"""


@pytest.fixture
def release(project: Any, engine: Any) -> Iterator[Any]:
    """A project whose Dockerfile needs no base image; the images of its repository are removed."""
    project.repository = f"team/{uuid.uuid4().hex[:12]}"
    # The classic builder takes a layer of the same files for the same, whoever made it.
    (project.context / "run.sh").write_text(f"#!/bin/sh\necho {project.repository}\n")
    (project.context / "Dockerfile").write_text(DOCKERFILE)
    project.commit()
    yield project
    for image in engine.api.images():
        for tag in image["RepoTags"] or []:
            if project.repository in tag:
                engine.images.remove(tag, force=True)


@pytest.fixture(params=["", "0"], ids=["best-builder", "classic-builder"])
def builder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The best builder that there is, then the classic one."""
    monkeypatch.setenv("DOCKER_BUILDKIT", request.param)


def by_docker(project: Any, **variables: str) -> Any:
    settings = {"BUILDER": "docker", "PLATFORM": "native", **variables}
    return project.env(**{f"BUILD__{key}": value for key, value in settings.items()})


def names(engine: Any, name: str) -> list[str]:
    return [tag for image in engine.api.images(name) for tag in image["RepoTags"] or []]


@pytest.mark.usefixtures("builder")
def test_a_release_is_built_pushed_and_found_by_digest(
    release: Any, aws: Any, console: Any, fetch: Any, engine: Any
) -> None:
    with (release.context / "Dockerfile").open("a") as file:
        file.write('ARG GIT_SHA\nENV GIT_SHA=$GIT_SHA\nCMD ["/run.sh"]\n')
    commit = release.commit()
    env = by_docker(release)
    clients = aws(env)
    built = build(env, clients, console)
    image = push(env, clients, console, built)
    assert (built.version, built.tag, built.reused) == (commit, commit, False)
    (detail,) = clients.client("ecr").describe_images(repositoryName=env.build.repository)["imageDetails"]
    assert (detail["imageDigest"], detail["imageTags"]) == (image.digest, [commit])
    config = fetch(f"{release.repository}/manifests/{image.digest}")["config"]["digest"]
    settings = fetch(f"{release.repository}/blobs/{config}")["config"]
    assert f"GIT_SHA={commit}" in settings["Env"]
    assert settings["Labels"]["org.opencontainers.image.version"] == commit
    assert f"pushed {short(image.reference)}\n" in console.text
    again = build(env, clients, console)
    assert (again.reused, again.digest) == (True, image.digest)
    assert engine.images.pull(image.reference).attrs["Config"]["Cmd"] == ["/run.sh"]
    engine.images.remove(image.reference, force=True)


@pytest.mark.usefixtures("builder")
def test_releases_leave_one_image_in_the_engine(release: Any, aws: Any, console: Any, engine: Any) -> None:
    env = by_docker(release)
    clients = aws(env)
    kept = f"{KEPT}/{release.repository}"
    ids = []
    for number in range(2):
        (release.context / "run.sh").write_text(f"#!/bin/sh\necho {release.repository} {number}\n")
        release.commit()
        built = build(env, clients, console)
        push(env, clients, console, built)
        assert names(engine, built.repository_uri) == []
        assert names(engine, kept) == [f"{kept}:latest"]
        ids.append(engine.images.get(kept).id)
    first, second = ids
    assert first != second
    with pytest.raises(Exception, match="No such image"):
        engine.images.get(first)


@pytest.fixture
def base(release: Any) -> str:
    """A base image that the project makes."""
    name = f"{release.repository}-base:1"
    (release.context / "base.Dockerfile").write_text("FROM scratch\nCOPY run.sh /run.sh\n")
    (release.context / "Dockerfile").write_text(f"ARG BASE={name}\nFROM $BASE\nCOPY app /app\n")
    settings = release.root / "environments" / "base.toml"
    settings.write_text(settings.read_text().replace("samjhadoo/backend-base:1", name))
    return name


def test_a_base_is_made_once_and_again_when_what_it_is_made_of_changes(
    release: Any, aws: Any, console: Any, engine: Any, base: str
) -> None:
    env = by_docker(release)
    clients = aws(env)
    ids = []
    for change in ("app/__main__.py", "run.sh", "Dockerfile"):
        push(env, clients, console, build(env, clients, console))
        ids.append(engine.images.get(base).id)
        with (release.context / change).open("a") as file:
            file.write("# changed\n")
    assert ids[0] == ids[1] != ids[2]
    with pytest.raises(Exception, match="No such image"):
        engine.images.get(ids[0])
    assert engine.images.get(base).labels[engine_builder.LABEL]
    assert console.text.count(f"building the base image {base}") == 2


def test_a_base_that_somebody_else_made_is_used_as_it_is(
    release: Any, aws: Any, console: Any, engine: Any, base: str, tmp_path: Path
) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "Dockerfile").write_text("FROM scratch\nLABEL made=elsewhere\n")
    engine.images.build(path=str(tmp_path / "theirs"), tag=base, rm=True)
    env = by_docker(release)
    built = build(env, aws(env), console)
    assert engine.images.get(built.tagged).labels["made"] == "elsewhere"
    assert "building the base image" not in console.text


def test_a_base_that_begins_with_itself_is_refused(release: Any, aws: Any, console: Any, base: str) -> None:
    (release.context / "base.Dockerfile").write_text(f"FROM {base}\n")
    env = by_docker(release)
    with pytest.raises(ConfigurationError, match="is built on itself"):
        build(env, aws(env), console)


def test_the_command_runs_first_and_docker_builds_what_it_made(
    release: Any, aws: Any, console: Any, fetch: Any
) -> None:
    """`gradlew` is a fake here: it makes the jar as Gradle would."""
    gradlew = release.root / "gradlew"
    gradlew.write_text('#!/bin/sh\necho "$@" > docker/backend/app.jar\n')
    gradlew.chmod(0o755)
    (release.context / "Dockerfile").write_text("FROM scratch\nCOPY app.jar /app.jar\n")
    (release.root / ".gitignore").write_text(".samjhadoo/\n*.jar\n")
    commit = release.commit()
    env = by_docker(release, COMMAND='["./gradlew", "clean", "build", "-x", "test"]')
    image = push(env, clients := aws(env), console, build(env, clients, console))
    assert (image.tag, (release.context / "app.jar").read_text()) == (commit, "clean build -x test\n")
    assert len(fetch(f"{release.repository}/manifests/{image.digest}")["layers"]) == 1


def test_a_build_that_fails_shows_its_last_lines(release: Any, aws: Any, console: Any) -> None:
    with (release.context / "Dockerfile").open("a") as file:
        file.write("COPY nowhere /x\n")
    env = by_docker(release)
    with pytest.raises(CommandFailed, match="docker .*build.* failed with exit status") as caught:
        build(env, aws(env), console)
    assert "nowhere" in "".join(caught.value.details)


@pytest.mark.parametrize(
    ("settings", "dockerfile", "said", "hint"),
    [
        pytest.param(
            {"PLATFORM": "linux/s390x"}, "", "build.platform is linux/s390x", "install buildx", id="platform"
        ),
        pytest.param(
            {},
            "RUN --mount=type=cache,target=/c make\n",
            "docker/backend/Dockerfile:3: RUN --mount needs BuildKit",
            "install buildx",
            id="features",
        ),
        pytest.param(
            {"DOCKERFILE": "No"}, "", "docker/backend/No: cannot be read", "build.dockerfile", id="missing"
        ),
    ],
)
def test_what_the_classic_builder_cannot_do_is_refused_before_it_begins(
    release: Any,
    aws: Any,
    console: Any,
    engine: Any,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    dockerfile: str,
    said: str,
    hint: str,
) -> None:
    assert engine.ping()
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    with (release.context / "Dockerfile").open("a") as file:
        file.write(dockerfile)
    env = by_docker(release, **settings)
    with pytest.raises(ConfigurationError, match=said) as caught:
        build(env, aws(env), console)
    assert hint in caught.value.hint


def test_without_an_engine_nothing_is_built(
    release: Any, aws: Any, console: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    env = by_docker(release)
    with pytest.raises(EngineUnavailable, match="nowhere.sock") as caught:
        build(env, aws(env), console)
    assert caught.value.exit_code == ExitCode.USAGE
    assert "DOCKER_HOST" in caught.value.hint


def test_an_interrupted_build_ends_its_command(
    release: Any, aws: Any, console: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(text: str) -> None:
        raise KeyboardInterrupt(text)

    monkeypatch.setattr(console, "line", interrupt)
    env = by_docker(release)
    with pytest.raises(KeyboardInterrupt):
        build(env, aws(env), console)
    assert "docker build was ended" in console.text or "docker buildx was ended" in console.text
