"""What is done about a project's images in the engine, when the engine does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.release import docker

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FAKE_DOCKER = """#!/bin/sh
echo "$@" >> "$0.asked"
case "$2" in
  inspect) echo '{"Id": "'"$5"'", "RepoTags": [], "RepoDigests": []}';;
  rm) exec sleep 60;;
esac
"""


def test_an_engine_that_is_slow_to_remove_an_image_delays_no_push(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "docker"
    program.write_text(FAKE_DOCKER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(docker, "PATIENCE", 0.3)
    docker.keep_layers_only("127.0.0.1:1/shop:2", "shop")
    asked = (tmp_path / "docker.asked").read_text()
    assert "image rm 127.0.0.1:1/shop:2" in asked
