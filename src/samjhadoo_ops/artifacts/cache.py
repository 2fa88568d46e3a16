"""Fetching packages into the user's cache: once, verified, atomically, one process at a time.

A complete folder is sealed: a manifest beside it records the size, times and checksum of every file. A later
start compares sizes and times (which the kernel updates with every write) and reads a file only if they
differ. So a truncated or edited file is noticed, and an intact folder takes only milliseconds to check.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samjhadoo_ops.artifacts.pins import Package, Pin
    from samjhadoo_ops.console import Progress

    Unpack = Callable[[list[Path], Path], None]

CACHE_VARIABLE = "SAMJHADOO_CACHE"
_ATTEMPTS = 3
_TIMEOUT = 30
_PARALLEL = 6
_PROGRESS_EVERY = 1.0
_PAUSE = 1.0
_SPARE = 16 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CHUNK = 1 << 20


class FetchFailed(OpsError):
    """An artifact could not be fetched; nothing of it is in the cache."""


def cache_folder() -> Path:
    """Return the user's cache folder, or the one in `SAMJHADOO_CACHE`."""
    from platformdirs import user_cache_path

    named = os.environ.get(CACHE_VARIABLE)
    return Path(named).expanduser().absolute() if named else user_cache_path("samjhadoo-ops")


def fetch(package: Package, unpack: Unpack, *, progress: Progress | None = None) -> Path:
    """Return the folder of a package; fetch it if it is missing or damaged in the cache.

    Args:
        unpack: Turns the downloaded files into the folder's content.
        progress: Shows how far the download is.

    Raises:
        FetchFailed: It cannot be downloaded, is not the pinned one, or the cache folder is full or read-only.
    """
    folder = cache_folder() / package.folder
    if intact(folder):
        return folder
    with building(folder, needed=package.size + package.unpacked, name=package.name) as partial:
        if intact(folder):
            return folder
        show = progress or (lambda _: None)
        why = "replacing a damaged copy" if folder.exists() else "fetching"
        show(f"{package.name}: {why}, {_mb(package.size)}")
        downloads = partial.with_name(f"{partial.name}.download")
        try:
            files = _download(package, downloads, show)
            partial.mkdir()
            unpack(files, partial)
        finally:
            shutil.rmtree(downloads, ignore_errors=True)
        publish(partial, folder)
        show(f"{package.name}: ready")
    return folder


@contextmanager
def building(folder: Path, *, needed: int, name: str) -> Iterator[Path]:
    """Give the path of a new folder to fill, to one process at a time; remove it if that fails.

    Args:
        folder: The folder of the cache that is built.
        needed: The bytes that are needed.
        name: What is built, for error messages.

    Raises:
        FetchFailed: The cache folder is full or cannot be written.
    """
    from filelock import FileLock

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.parent / f"{folder.name}.lock", mode=0o600)
        lock.acquire()
    except OSError as error:
        raise _unusable(folder.parent, name, needed, error) from error
    try:
        _clear_leftovers(folder)
        free = shutil.disk_usage(folder.parent).free
        if not intact(folder) and free < needed + _SPARE:
            raise _full(folder.parent, name, needed)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            yield scratch / "new"
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise _unusable(folder.parent, name, needed, error) from error
    finally:
        lock.release()


def publish(partial: Path, folder: Path) -> None:
    """Move a filled folder into its place and seal it."""
    remove(folder)
    partial.rename(folder)
    seal(folder)


def _clear_leftovers(folder: Path) -> None:
    """Remove what a killed process left behind; we have the lock, so no other process is building."""
    for leftover in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _download(package: Package, folder: Path, show: Progress) -> list[Path]:
    meter = _Meter(package, show)
    with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
        jobs = [pool.submit(_download_pin, pin, folder / str(i), meter) for i, pin in enumerate(package.pins)]
        try:
            return [job.result() for job in jobs]
        except BaseException:
            meter.stopped = True
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _download_pin(pin: Pin, folder: Path, meter: _Meter) -> Path:
    import requests

    # jgo reports an unknown file and a wrong SHA-1 as RuntimeError.
    failures = (requests.RequestException, RuntimeError, _Damaged)
    for attempt in range(1, _ATTEMPTS):
        try:
            return _try_download(pin, folder / str(attempt), meter)
        except failures as error:
            meter.show(f"{pin.coordinate}: {error}; trying again")
            time.sleep(attempt * _PAUSE)
    try:
        return _try_download(pin, folder / "last", meter)
    except failures as error:
        raise FetchFailed(
            f"{pin.coordinate} could not be fetched from the Maven repository: {error}",
            hint="check the network (HTTPS_PROXY and REQUESTS_CA_BUNDLE are used), then try again",
            changed="nothing; the cache is unchanged",
        ) from error


class _Damaged(Exception):
    """The downloaded file is not the pinned one."""


def _try_download(pin: Pin, folder: Path, meter: _Meter) -> Path:
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext, PythonResolver

    _trust()
    context = MavenContext(
        resolver=PythonResolver(progress_callback=meter.watch),
        repo_cache=folder,
        remote_repos=dict(GlobalSettings.load().repositories) or None,
        timeout=_TIMEOUT,
    )
    group, artifact, version = pin.coordinate.split(":")
    path = Path(context.project(group, artifact).at_version(version).artifact().resolve())
    found = checksum(path)
    if found != pin.sha256:
        raise _Damaged(f"its SHA-256 is {found}, not the pinned {pin.sha256}")
    return path


def _trust() -> None:
    """Make requests use the CA bundle in OpenSSL's variable, which it does not read itself."""
    bundle = os.environ.get("SSL_CERT_FILE")
    if bundle and not (os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")):
        os.environ["REQUESTS_CA_BUNDLE"] = bundle


class _Meter:
    """Shows how far a download is, at most once a second."""

    def __init__(self, package: Package, show: Progress) -> None:
        self.show = show
        self.stopped = False
        self._package = package
        self._lock = threading.Lock()
        self._shown = time.monotonic()
        self._done = 0

    @contextmanager
    def watch(self, _name: str, _total: int) -> Iterator[Callable[[int], None]]:
        """Count the bytes of one file; those of a failed download do not count."""
        count = 0

        def add(size: int) -> None:
            nonlocal count
            if self.stopped:
                raise InterruptedError
            count += size
            self._add(size)

        try:
            yield add
        except BaseException:
            self._add(-count)
            raise

    def _add(self, size: int) -> None:
        with self._lock:
            self._done += size
            if time.monotonic() - self._shown < _PROGRESS_EVERY:
                return
            self._shown = time.monotonic()
            percent = min(100, 100 * self._done // self._package.size)
        self.show(f"{self._package.name}: {percent} % of {_mb(self._package.size)}")


def _unusable(folder: Path, name: str, needed: int, error: OSError) -> OpsError:
    if error.errno in _FULL:
        return _full(folder, name, needed, error.strerror or str(error))
    return FetchFailed(
        f"{name}: the cache folder {folder} cannot be used: {error.strerror or error}",
        hint=f"set {CACHE_VARIABLE} to a writable folder",
        changed="nothing; the cache is unchanged",
    )


def _full(folder: Path, name: str, needed: int, why: str = "too little space") -> OpsError:
    free: Any = shutil.disk_usage(folder).free
    return FetchFailed(
        f"{name} needs {_mb(needed + _SPARE)} in the cache folder {folder}, "
        f"which has {_mb(free)} free: {why}",
        hint=f"free some space, or set {CACHE_VARIABLE} to another folder",
        changed="nothing; the cache is unchanged",
    )


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size >= 1e7 else f"{size / 1e6:.1f} MB"  # noqa: PLR2004 - ten megabytes


def manifest(folder: Path) -> Path:
    """Return the path of a folder's manifest."""
    return folder.with_name(f"{folder.name}.manifest.json")


def seal(folder: Path) -> None:
    """Write the manifest of a complete folder; raise `OSError` if a file cannot be read or written."""
    entries = {name: _entry(path) for name, path in _files(folder)}
    target = manifest(folder)
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    partial.write_text(json.dumps(entries))
    partial.replace(target)


def intact(folder: Path) -> bool:
    """Return whether a folder has exactly the files of its manifest."""
    try:
        entries: dict[str, list[Any]] = json.loads(manifest(folder).read_text())
        return {name for name, _ in _files(folder)} == set(entries) and all(
            _same(folder / name, entry) for name, entry in entries.items()
        )
    except (OSError, ValueError, TypeError, IndexError, AttributeError):
        return False


def remove(folder: Path) -> None:
    """Remove a folder and its manifest, the manifest first: without one the folder is not intact."""
    manifest(folder).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix(), path


def _entry(path: Path) -> list[Any]:
    if path.is_symlink():
        return [str(path.readlink())]
    status = path.stat()
    return [checksum(path), status.st_size, status.st_mode, status.st_mtime_ns, status.st_ctime_ns]


def _same(path: Path, entry: list[Any]) -> bool:
    if path.is_symlink() or len(entry) == 1:
        return path.is_symlink() and [str(path.readlink())] == entry
    status = path.stat()
    if [status.st_size, status.st_mode] != entry[1:3]:
        return False
    return [status.st_mtime_ns, status.st_ctime_ns] == entry[3:] or checksum(path) == entry[0]
