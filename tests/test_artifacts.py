from __future__ import annotations

import errno
import gc
import hashlib
import http.server
import os
import subprocess
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops import artifacts
from samjhadoo_ops.artifacts import FetchFailed, cache, pins
from samjhadoo_ops.artifacts.pins import Package, Pin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# jgo leaves answers that are no files open: their sockets are closed, with a warning, by the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CONTENT = b"a program\n" * 1000
COORDINATE = "org.example:program:1.0"


class MavenRepository:
    """A Maven repository on loopback that counts what it is asked for, and may serve something else."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.asked: Counter[str] = Counter()
        repository = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                repository.asked[self.path.rpartition("/")[2]] += 1
                known = self.path.startswith("/maven/org/example/program/1.0/program-1.0.jar")
                body = repository.content
                if self.path.endswith(".sha1"):
                    body = hashlib.sha1(body).hexdigest().encode()
                self.send_response(200 if known else 404)
                self.send_header("Content-Length", str(len(body) if known else 0))
                self.end_headers()
                self.wfile.write(body if known else b"")

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/maven"


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Iterator[MavenRepository]:
    repository = MavenRepository()
    thread = threading.Thread(
        target=repository.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    settings = tmp_path / "jgo.conf"
    settings.write_text(f"[repositories]\ncentral = {repository.url}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(cache, "_PAUSE", 0.0)
    yield repository
    repository.server.shutdown()
    repository.server.server_close()
    thread.join()
    gc.collect()  # here, not in another test: see below


@pytest.fixture
def cached(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv(artifacts.CACHE_VARIABLE, str(folder))
    return folder


def package(content: bytes = CONTENT, coordinate: str = COORDINATE) -> Package:
    pin = Pin(coordinate, hashlib.sha256(content).hexdigest(), len(content))
    return Package("Program 1.0", "1.0", "program-1.0", (pin,), len(content))


def unpack(files: list[Path], folder: Path) -> None:
    (folder / "bin").mkdir()
    (folder / "bin" / "program").write_bytes(files[0].read_bytes())
    (folder / "link").symlink_to("bin/program")


def folders(cached: Path) -> list[str]:
    return sorted(path.name for path in cached.iterdir() if path.is_dir())


def test_a_package_is_fetched_once_and_found_offline_afterwards(repository, cached):
    shown: list[str] = []
    first = cache.fetch(package(), unpack, progress=shown.append)
    assert (first / "bin" / "program").read_bytes() == CONTENT
    assert shown[0].startswith("Program 1.0: fetching")
    asked = repository.asked.copy()
    assert cache.fetch(package(), unpack) == first
    assert repository.asked == asked
    assert folders(cached) == ["program-1.0"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda file: file.write_bytes(CONTENT[:-1]), id="cut"),
        pytest.param(lambda file: file.write_bytes(b"A" + CONTENT[1:]), id="edited"),
        pytest.param(lambda file: file.unlink(), id="removed"),
        pytest.param(lambda file: file.with_name("more").write_bytes(b""), id="another-file"),
        pytest.param(lambda file: file.chmod(0o600), id="mode"),
    ],
)
def test_a_damaged_copy_is_fetched_again(repository, cached, damage):
    folder = cache.fetch(package(), unpack)
    damage(folder / "bin" / "program")
    shown: list[str] = []
    assert cache.fetch(package(), unpack, progress=shown.append) == folder
    assert (folder / "bin" / "program").read_bytes() == CONTENT
    assert cache.intact(folder)
    assert "damaged" in shown[0]


def test_an_edited_file_of_the_same_size_and_time_is_noticed(repository, cached):
    folder = cache.fetch(package(), unpack)
    program = folder / "bin" / "program"
    before = program.stat()
    program.write_bytes(b"A" + CONTENT[1:])
    os.utime(program, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not cache.intact(folder)


def test_a_copied_cache_is_intact(repository, cached, tmp_path):
    cache.fetch(package(), unpack)
    subprocess.run(["cp", "-a", str(cached), str(tmp_path / "other")], check=True)
    assert cache.intact(tmp_path / "other" / "program-1.0")


def test_a_copy_with_a_damaged_manifest_is_fetched_again(repository, cached):
    folder = cache.fetch(package(), unpack)
    cache.manifest(folder).write_text('{"bin/program": 7}')
    assert cache.fetch(package(), unpack) == folder
    assert cache.intact(folder)


def test_a_file_that_is_not_the_pinned_one_is_refused_and_leaves_nothing(repository, cached):
    repository.content = b"something else"
    with pytest.raises(FetchFailed, match="SHA-256") as caught:
        cache.fetch(package(), unpack)
    assert "nothing" in caught.value.changed
    assert folders(cached) == []


def test_a_missing_artifact_is_named(repository, cached):
    with pytest.raises(FetchFailed, match="org.example:missing:1.0"):
        cache.fetch(package(coordinate="org.example:missing:1.0"), unpack)
    assert folders(cached) == []


def test_a_repository_that_does_not_answer_is_reported_with_a_hint(repository, cached):
    repository.server.shutdown()
    repository.server.server_close()
    with pytest.raises(FetchFailed, match="could not be fetched") as caught:
        cache.fetch(package(), unpack)
    assert "HTTPS_PROXY" in caught.value.hint


def test_two_processes_at_once_fetch_only_once(repository, cached):
    with ThreadPoolExecutor(2) as pool:
        found = set(pool.map(lambda _: cache.fetch(package(), unpack), range(2)))
    assert found == {cached / "program-1.0"}
    assert repository.asked["program-1.0.jar"] == 1


def test_postgresql_and_flyway_are_fetched_at_the_same_time(tmp_path, monkeypatch):
    both = threading.Barrier(2, timeout=30)

    def fetching(name):
        def home(progress):
            both.wait()  # breaks unless the other one is fetched, too
            return tmp_path / name

        return home

    monkeypatch.setattr(artifacts, "postgres_home", fetching("postgres"))
    monkeypatch.setattr(artifacts.flyway, "home", fetching("flyway"))
    assert artifacts.postgres_and_flyway() == (tmp_path / "postgres", tmp_path / "flyway")


def test_the_fetching_of_flyway_ends_when_that_of_postgresql_fails(monkeypatch):
    failed = threading.Event()

    def postgres_home(_progress):
        failed.set()
        raise FetchFailed("no such file")

    def flyway_home(progress):
        failed.wait(30)
        while True:
            progress("Flyway: 1 %")

    monkeypatch.setattr(artifacts, "postgres_home", postgres_home)
    monkeypatch.setattr(artifacts.flyway, "home", flyway_home)
    with pytest.raises(FetchFailed, match="no such file"):
        artifacts.postgres_and_flyway()


def test_too_little_space_is_reported_before_anything_is_fetched(repository, cached, monkeypatch):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1_000_000}))
    with pytest.raises(FetchFailed, match=r"needs 17 MB in the cache folder .*cache, which has 1\.0 MB free"):
        cache.fetch(package(), unpack)
    assert not repository.asked
    assert folders(cached) == []


def test_a_disk_that_fills_up_meanwhile_is_reported_and_leaves_nothing(repository, cached):
    def fill(_files: list[Path], folder: Path) -> None:
        (folder / "half").write_bytes(b"x")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(FetchFailed, match="needs 17 MB in the cache folder") as caught:
        cache.fetch(package(), fill)
    assert artifacts.CACHE_VARIABLE in caught.value.hint
    assert folders(cached) == []


def test_a_cache_folder_that_is_a_file_is_reported(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(artifacts.CACHE_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(FetchFailed, match="cannot be used"):
        cache.fetch(package(), unpack)


def test_the_leftovers_of_a_killed_process_are_removed(repository, cached):
    (cached / ".program-1.0.abc" / "new").mkdir(parents=True)
    cache.fetch(package(), unpack)
    assert folders(cached) == ["program-1.0"]


@pytest.mark.parametrize("key", ["linux-x86_64", "linux-arm64", "darwin-x86_64", "darwin-arm64"])
def test_postgresql_14_is_pinned_for_every_platform(key):
    pinned = pins.postgresql(key)
    assert pinned.version.startswith("14.")
    assert all(len(pin.sha256) == 64 and pin.coordinate.endswith(pinned.version) for pin in pinned.pins)


def test_flyway_is_pinned_with_all_its_jars():
    pinned = pins.flyway()
    names = {pin.coordinate.split(":")[1] for pin in pinned.pins}
    assert {"flyway-commandline", "flyway-core", "flyway-database-postgresql", "postgresql"} <= names
    assert all(len(pin.sha256) == 64 for pin in pinned.pins)


def test_flyway_prints_its_version():
    run = subprocess.run(
        [*artifacts.flyway_command(), "-v"], capture_output=True, text=True, check=True, timeout=60
    )
    assert f"Flyway OSS Edition {pins.flyway().version}" in run.stdout


def test_postgresql_and_redis_run():
    programs = [
        artifacts.postgres_home() / "bin" / "postgres",
        artifacts.redis_server(),
    ]
    for program in programs:
        run = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=60)
        assert run.stdout
