"""crane and Docker push an image to the registry and pull it again."""

from __future__ import annotations

import io
import itertools
import json
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_numbers = itertools.count(1)


@pytest.fixture
def repository(client):
    """The URI of an empty repository, without the scheme."""
    name = f"team/app{next(_numbers)}"
    created = client.emulator.client("ecr").create_repository(repositoryName=name)["repository"]
    return created["repositoryUri"]


def layer(folder: Path) -> Path:
    """Write a layer with one file."""
    path = folder / "layer.tar"
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("hello.txt")
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"hello"))
    return path


def test_crane_pushes_lists_and_pulls(client, repository, tmp_path):
    def crane(*argv):
        done = client.run("crane", *argv, "--insecure")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    pushed = crane("append", "--new_layer", str(layer(tmp_path)), "--new_tag", f"{repository}:1")
    assert pushed.startswith(f"{repository}@sha256:")
    digest = crane("digest", f"{repository}:1")
    assert pushed.endswith(digest)
    crane("tag", f"{repository}:1", "again")
    assert crane("ls", repository).split() == ["1", "again"]
    assert json.loads(crane("manifest", f"{repository}:again"))["layers"]
    crane("pull", f"{repository}:1", str(tmp_path / "image.tar"))
    with tarfile.open(tmp_path / "image.tar") as archive:
        assert "manifest.json" in archive.getnames()
    crane("copy", f"{repository}:1", f"{repository}:copy")
    crane("validate", "--remote", f"{repository}:copy")


def docker_works() -> bool:
    found = shutil.which("docker")
    return bool(found) and subprocess.run([found, "info"], capture_output=True, check=False).returncode == 0


def test_docker_pushes_and_pulls(client, repository, tmp_path):
    if not docker_works():
        pytest.skip("`docker info` fails: there is no Docker engine")

    def docker(*argv):
        done = subprocess.run(["docker", *argv], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    image = f"{repository}:1"
    docker("import", str(layer(tmp_path)), image)
    docker("push", image)
    docker("image", "rm", image)
    docker("pull", image)
    docker("image", "rm", image)
