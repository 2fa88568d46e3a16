"""What this machine has in place of base images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from samjhadoo_emulator.ecs.runtime.host_commands import HostCommands, java_version

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the machine's whole PATH, and has no Java."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr("samjhadoo_emulator.ecs.runtime.host_commands._JAVA_HOMES", ("none/*",))
    return folder


def executable(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def java(home: Path, version: str) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return executable(home / "bin" / "java")


def run(command: list[str] | None, *arguments: str) -> str:
    assert command is not None
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"}
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


IMPORT = ("-c", "import boto3; print('imported')")


@pytest.mark.parametrize("name", ["python", "python3", "python3.9", "/usr/local/bin/python3"])
def test_an_image_sees_no_packages_of_this_machine(tmp_path: Path, name: str) -> None:
    commands = HostCommands({}, tmp_path).of(f"python:{OWN}-slim")
    assert run(commands.find(name), *IMPORT) == "ModuleNotFoundError: No module named 'boto3'"
    assert run([str(commands.folder / "python")], *IMPORT) == "ModuleNotFoundError: No module named 'boto3'"
    assert (
        run([str(commands.folder / "python3")], "-c", "import json, site; print(exit and 'whole')") == "whole"
    )
    assert commands.remark == ""


@pytest.mark.parametrize("packages_for", [("team/base:1",), ("other", "team/base:1"), ("*",)])
def test_packages_stand_for_those_of_base_images_that_are_named(
    tmp_path: Path, packages_for: tuple[str, ...]
) -> None:
    commands = HostCommands({}, tmp_path, packages_for).of("team/base:1")
    assert run(commands.find("python"), *IMPORT) == "imported"


@pytest.mark.parametrize("base", ["", "team/base:2", "team/base", "python:3", "alpine:3.20"])
def test_other_bases_have_no_packages(tmp_path: Path, base: str) -> None:
    commands = HostCommands({}, tmp_path, ("team/base:1",)).of(base)
    assert "ModuleNotFoundError" in run(commands.find("python"), *IMPORT)


def test_commands_of_packages_are_packages(tmp_path: Path, machine: Path) -> None:
    script = executable(machine / "gunicorn", f"#!{sys.executable}\n")
    other = executable(machine / "node")
    hosts = HostCommands({}, tmp_path / "made", ("team/base:1",))
    assert hosts.of("").find("gunicorn") is None
    assert hosts.of("").find(str(script)) is None
    assert hosts.of("").find("node") == [str(other)]
    assert hosts.of("team/base:1").find("gunicorn") == [str(script)]


def test_the_emulators_own_environment_is_not_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Path(sys.prefix, "bin")
    monkeypatch.setenv("PATH", f"{own}:/usr/bin:/bin")
    hosts = HostCommands({}, tmp_path, ("team/base:1",))
    assert hosts.of("").path == "/usr/bin:/bin"
    assert hosts.of("team/base:1").path == f"{own}:/usr/bin:/bin"


@pytest.mark.parametrize(
    ("base", "version"),
    [
        ("python:3.9", "3.9"),
        ("docker.io/library/python:3.9-alpine@sha256:0", "3.9"),
        ("host:5000/mirror/python:3.9.1-slim", "3.9"),
    ],
)
def test_python_is_the_version_of_the_base_where_there_is_one(
    tmp_path: Path, machine: Path, base: str, version: str
) -> None:
    assert f"{base} has Python {version}, but" in HostCommands({}, tmp_path / "a").of(base).remark
    executable(machine / f"python{version}", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    found = HostCommands({}, tmp_path / "b").of(base)
    assert (found.remark, found.named["python"]) == ("", [str(tmp_path / f"b/python{version}/bin/python")])


@pytest.mark.parametrize(
    "base",
    [
        "eclipse-temurin:21",
        "eclipse-temurin:21-jre-alpine",
        "docker.io/library/eclipse-temurin:21.0.4_7-jdk",
        "amazoncorretto:21.0.5-al2023",
        "public.ecr.aws/amazoncorretto/amazoncorretto:21",
        "host:5000/openjdk:21-jdk-slim",
        "gcr.io/distroless/java21-debian12",
        "gcr.io/distroless/java21-debian12:nonroot",
        "azul/zulu-openjdk:21-jre-headless",
        "bellsoft/liberica-openjre-alpine:21",
        "mcr.microsoft.com/openjdk/jdk:21-ubuntu",
        "eclipse-temurin:21-jre@sha256:0123",
    ],
)
def test_java_is_the_version_of_the_base_where_there_is_one(tmp_path: Path, machine: Path, base: str) -> None:
    assert machine.is_dir()
    given = java(tmp_path / "given", "25.0.2")
    commands = HostCommands({"java": [str(given)]}, tmp_path / "a").of(base)
    remark = "has Java 21, but the task runs on Java 25: this machine has only 25"
    assert commands.remark == f"{base} {remark}"
    assert commands.find("java") == [str(given)]
    right = java(tmp_path / ".sdkman/candidates/java/21-tem", "21.0.4")
    commands = HostCommands({"java": [str(given)]}, tmp_path / "b").of(base)
    assert (commands.remark, commands.find("/opt/java/openjdk/bin/java")) == ("", [str(right)])
    assert str(right) in (commands.folder / "java").read_text()


@pytest.mark.parametrize("base", ["", "team/backend:21", "python:3", "javascript-tools", "node:21", "jdk"])
def test_a_base_without_a_java_version_gets_the_named_java(tmp_path: Path, machine: Path, base: str) -> None:
    java(tmp_path / ".sdkman/candidates/java/21", "21")
    assert HostCommands({"java": ["/given/java", "-x"]}, machine / "made").of(base).named["java"] == [
        "/given/java",
        "-x",
    ]


def test_java_home_and_old_versions_are_understood(
    tmp_path: Path, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = java(tmp_path / "jdk8", "1.8.0_392")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk8"))
    executable(machine / "java")
    for base in ("openjdk:8-jre", "openjdk:1.8"):
        assert HostCommands({}, tmp_path / "made").of(base).find("java") == [str(old)]
    assert java_version(machine / "java") == 0
    (machine / "linked").symlink_to(old)
    assert java_version(machine / "linked") == 8
    assert HostCommands({}, tmp_path / "made").of("openjdk:17").find("java") == [str(old)]


@pytest.mark.parametrize(("wanted", "chosen"), [(8, 17), (17, 17), (18, 25), (25, 25), (26, 25)])
def test_the_nearest_newer_java_is_chosen(tmp_path: Path, machine: Path, wanted: int, chosen: int) -> None:
    homes = tmp_path / ".sdkman/candidates/java"
    javas = {version: java(homes / str(version), f"{version}.0.1") for version in (17, 25)}
    found = HostCommands({}, machine / "made").of(f"eclipse-temurin:{wanted}")
    assert found.find("java") == [str(javas[chosen])]
    assert (found.remark == "") is (wanted == chosen)


def test_a_machine_without_a_known_java_is_reported(tmp_path: Path, machine: Path) -> None:
    found = HostCommands({"java": ["/given/java"]}, tmp_path / "made").of("eclipse-temurin:21")
    assert found.find("java") == ["/given/java"]
    assert found.remark == "eclipse-temurin:21 has Java 21, but this machine has none whose version is known"
    assert machine.is_dir()
