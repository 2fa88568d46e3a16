"""Which builder the Docker at hand has."""

from __future__ import annotations

from typing import Any

import pytest

from samjhadoo_ops.engine import EngineUnavailable
from samjhadoo_ops.errors import ConfigurationError, ExitCode
from samjhadoo_ops.release import engine
from samjhadoo_ops.release.engine import Engine, check_platform, find_engine, read


def info(**client: Any) -> dict[str, Any]:
    """What `docker info` prints."""
    return {
        "ServerVersion": "20.10.24",
        "OSType": "linux",
        "Architecture": "x86_64",
        "ClientInfo": {"Context": "default", "Plugins": [], **client},
    }


BUILDX = [{"Name": "compose", "Version": "v2"}, {"Name": "buildx", "Version": "v0.19.3"}]


@pytest.mark.parametrize(
    ("client", "version", "wish", "kind"),
    [
        pytest.param({"Version": "28.2.2", "Plugins": BUILDX}, "", "", "buildx", id="new, with buildx"),
        pytest.param({"Plugins": BUILDX}, "", "1", "buildx", id="old, with buildx"),
        pytest.param({"Version": "28.2.2"}, "", "", "classic", id="new, without buildx"),
        pytest.param(
            {"Version": "28.2.2", "Plugins": None}, "", "1", "classic", id="new, asked for BuildKit"
        ),
        pytest.param({}, "Docker version 20.10.24+dfsg1, build 297e128", "", "buildkit", id="Debian 12's"),
        pytest.param(
            {}, "Docker version 23.0.6, build ef23cbc", "", "classic", id="23, silent on its version"
        ),
        pytest.param({}, "podman version 4.3.1", "", "buildkit", id="something else"),
        pytest.param({"Version": "28.2.2", "Plugins": BUILDX}, "", "0", "classic", id="classic as asked for"),
    ],
)
def test_the_builder_is_the_best_that_the_cli_reaches(
    monkeypatch: pytest.MonkeyPatch, client: dict[str, Any], version: str, wish: str, kind: str
) -> None:
    monkeypatch.setattr(engine, "_ask", lambda _: (0, version, ""))
    assert read(info(**client), wish).kind == kind


def test_what_builds_is_reported_in_one_sentence() -> None:
    found = read(info(Version="28.2.2", Context="desktop-linux", Plugins=BUILDX))
    assert found == Engine(
        "buildx",
        "linux/amd64",
        "desktop-linux",
        "Docker engine 20.10.24 (linux/amd64) builds with buildx v0.19.3",
    )


@pytest.mark.parametrize(
    ("output", "error", "said", "hint"),
    [
        ('{"ServerErrors": ["Cannot connect to the Docker daemon"]}', "", "Cannot connect", "start Docker"),
        (
            '{"ServerVersion": ""}',
            "permission denied while trying to connect\n",
            "permission",
            "group docker",
        ),
        ("", "", "docker info failed with exit status 1", "start Docker"),
    ],
)
def test_an_engine_that_does_not_answer_is_configuration_with_a_hint(
    monkeypatch: pytest.MonkeyPatch, output: str, error: str, said: str, hint: str
) -> None:
    monkeypatch.setattr(engine, "_ask", lambda _: (1, output, error))
    with pytest.raises(EngineUnavailable, match=said) as caught:
        find_engine()
    assert hint in caught.value.hint
    assert caught.value.exit_code == ExitCode.USAGE


def test_without_docker_the_other_builder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="docker cannot be run") as caught:
        find_engine()
    assert 'build.builder = "oci"' in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "platform", "refused"),
    [
        ("buildx", "linux/arm64", False),
        ("buildkit", "linux/arm64", True),
        ("classic", "linux/arm64", True),
        ("classic", "linux/amd64", False),
        ("classic", "native", False),
    ],
)
def test_another_platform_needs_buildx(kind: Any, platform: str, refused: bool) -> None:
    found = Engine(kind, "linux/amd64", description="Docker engine 1 (linux/amd64) builds with something")
    if not refused:
        check_platform(found, platform)
        return
    with pytest.raises(ConfigurationError, match="build.platform is linux/arm64") as caught:
        check_platform(found, platform)
    assert "install buildx" in caught.value.hint


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CACHE_FROM", '["ghcr.io/team/cache"]', "build.cache_from.*expected buildx's syntax"),
        ("CACHE_TO", '["gha"]', "build.cache_to.*expected buildx's syntax"),
    ],
)
def test_a_cache_that_buildx_would_not_understand_is_refused_with_its_key(
    project: Any, variable: str, value: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        project.env(**{f"BUILD__{variable}": value})


@pytest.mark.parametrize("path", ["", "/etc/Dockerfile", "../Dockerfile"])
def test_a_base_outside_the_context_is_refused_with_its_key(project: Any, path: str) -> None:
    settings = project.root / "environments" / "base.toml"
    settings.write_text(settings.read_text().replace('= "base.Dockerfile"', f'= "{path}"'))
    with pytest.raises(ConfigurationError, match=r"bases.*inside the context"):
        project.env()
