"""Building with a real Docker engine and pushing to a real registry."""

from __future__ import annotations

import itertools
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.release import build, push
from samjhadoo_ops.release.engine_pusher import KEPT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.containers

DOCKERFILE = """\
FROM scratch
ARG GIT_SHA
ARG VERSION
ENV GIT_SHA=$GIT_SHA
COPY app /app
COPY run.sh /run.sh
CMD ["/run.sh"]
"""
NUMBERS = itertools.count(1)


@pytest.fixture
def images(engine: Any) -> Iterator[list[str]]:
    """Names of images that the test makes; they are removed."""
    names: list[str] = []
    yield names
    for name in names:
        for image in engine.images.list(name):
            for tag in image.tags:
                engine.images.remove(tag, force=True)


@pytest.fixture
def release(project: Any, images: list[str]) -> Any:
    """A project whose Dockerfile needs no base image, under a name of its own."""
    (project.context / "Dockerfile").write_text(DOCKERFILE)
    project.commit()
    project.repository = f"team/{uuid.uuid4().hex[:12]}"
    images.append(f"{KEPT}/{project.repository}")
    return project


def docker_environment(project: Any, **variables: str) -> Any:
    return project.env(
        BUILD__BUILDER="docker", BUILD__REPOSITORY=project.repository, BUILD__PLATFORM="native", **variables
    )


def test_a_release_is_built_pushed_and_found_by_digest(
    release: Any, aws: Any, console: Any, fetch: Any, engine: Any
) -> None:
    env = docker_environment(release)
    clients = aws(env)
    built = build(env, clients, console)
    image = push(env, clients, console, built)
    commit = release.git("rev-parse", "HEAD")
    assert (built.version, built.tag, built.reused) == (commit, commit, False)
    (detail,) = clients.client("ecr").describe_images(repositoryName=env.build.repository)["imageDetails"]
    assert (detail["imageDigest"], detail["imageTags"]) == (image.digest, [commit])
    config = fetch(f"{release.repository}/manifests/{image.digest}")["config"]["digest"]
    settings = fetch(f"{release.repository}/blobs/{config}")["config"]
    assert f"GIT_SHA={commit}" in settings["Env"]
    assert settings["Labels"]["org.opencontainers.image.version"] == commit
    assert f"pushed {image.reference}\n" in console.text
    again = build(env, clients, console)
    assert (again.reused, again.digest) == (True, image.digest)
    assert engine.images.pull(image.reference).attrs["Config"]["Cmd"] == ["/run.sh"]
    engine.images.remove(image.reference, force=True)
