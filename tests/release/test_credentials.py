"""What a push to ECR leaves behind: nothing. `docker` is a fake that keeps logins as the real one does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from samjhadoo_ops.environment import Secret
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.release import BuiltImage
from samjhadoo_ops.release.command import CommandFailed
from samjhadoo_ops.release.credentials import temporary_configuration
from samjhadoo_ops.release.pusher import push_by_engine

HOST = "000000000000.dkr.ecr.ap-south-1.amazonaws.com"
DIGEST = f"sha256:{'a' * 64}"
FAKE_DOCKER = f"""\
#!/bin/sh
cd "$(dirname "$0")"
echo "$@" >> calls
case "$1" in
  login) read password
         printf '{{"auths": {{"%s": {{"auth": "%s"}}}}}}' "$5" "$password" > "$DOCKER_CONFIG/config.json" ;;
  push) cat "$DOCKER_CONFIG/config.json" > used
        if [ -s failures ]; then head -1 failures; sed -i 1d failures; exit 1; fi
        echo "v1: digest: {DIGEST} size: 5" ;;
esac
"""


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration of Docker."""
    folder = tmp_path / "user"
    (folder / "contexts").mkdir(parents=True)
    (folder / "config.json").write_text(
        json.dumps(
            {
                "auths": {HOST: {}, "registry.example.com": {"auth": "b3Ro"}},
                "credsStore": "desktop",
                "credHelpers": {HOST: "ecr-login", "gcr.io": "gcloud"},
                "currentContext": "remote",
            }
        )
    )
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


def test_a_temporary_configuration_is_the_users_without_the_login(user: Path) -> None:
    before = (user / "config.json").read_text()
    with temporary_configuration(HOST) as variables:
        folder = Path(variables["DOCKER_CONFIG"])
        assert json.loads((folder / "config.json").read_text()) == {
            "auths": {"registry.example.com": {"auth": "b3Ro"}},
            "credHelpers": {"gcr.io": "gcloud"},
            "currentContext": "remote",
        }
        assert (folder / "config.json").stat().st_mode & 0o777 == 0o600
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "contexts").resolve() == (user / "contexts").resolve()
    assert not folder.exists()
    assert (user / "contexts").is_dir()
    assert (user / "config.json").read_text() == before


def test_a_user_without_configuration_gets_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
    with temporary_configuration(HOST) as variables:
        text = (Path(variables["DOCKER_CONFIG"]) / "config.json").read_text()
    assert json.loads(text) == {"auths": {}, "credHelpers": {}}


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_broken_configuration_is_named(user: Path, text: str) -> None:
    (user / "config.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"config\.json"), temporary_configuration(HOST):
        pass


@pytest.fixture
def docker(tmp_path: Path, user: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a fake `docker`."""
    assert user.is_dir()
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text(FAKE_DOCKER)
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("samjhadoo_ops.release.ecr.password", lambda _: Secret("twelve-hours"))
    return folder


def pushed(project: Any, console: Any) -> Any:
    env = project.env()
    built = BuiltImage("v1", "v1", f"{HOST}/{env.build.repository}")
    return push_by_engine(env, None, console, built)  # type: ignore[arg-type] - the password is given above


def test_a_push_to_ecr_is_logged_in_and_leaves_no_login(
    project: Any, console: Any, docker: Path, user: Path
) -> None:
    before = (user / "config.json").read_text()
    image = pushed(project, console)
    assert image.reference == f"{HOST}/{project.repository}@{DIGEST}"
    assert json.loads((docker / "used").read_text()) == {"auths": {HOST: {"auth": "twelve-hours"}}}
    assert (docker / "calls").read_text().splitlines() == [
        f"login --username AWS --password-stdin {HOST}",
        f"push {HOST}/{project.repository}:v1",
    ]
    assert (user / "config.json").read_text() == before
    assert "twelve-hours" not in console.text


def test_a_push_that_failed_in_passing_is_tried_again(project: Any, console: Any, docker: Path) -> None:
    (docker / "failures").write_text("read: connection reset by peer\nunexpected EOF\n")
    assert pushed(project, console).digest == DIGEST
    assert (docker / "calls").read_text().count("push ") == 3


def test_a_push_that_is_denied_is_not_tried_again_and_names_the_permissions(
    project: Any, console: Any, docker: Path
) -> None:
    (docker / "failures").write_text("denied: not authorized to perform ecr:InitiateLayerUpload\n" * 2)
    with pytest.raises(CommandFailed, match="docker push") as caught:
        pushed(project, console)
    assert "PutImage" in caught.value.hint
    assert (docker / "calls").read_text().count("push ") == 1
