"""Errors of the operating system as our own: the path, the reason and a remedy."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from samjhadoo_ops.errors import OpsError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_REMEDIES = {
    **dict.fromkeys(_FULL, "free some space there, which this shows: df -h {path}"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "let this user read and write it: ls -ld {path}"),
    errno.EROFS: "make its file system writable, which this shows: findmnt --target {path}",
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "allow more open files, then try again: ulimit -n 4096"),
}
_NEARLY_FULL = 1024 * 1024


def explain(error: OSError) -> OpsError:
    """Return an error of the operating system with the path that it is about."""
    name = error.filename
    path = os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else ""
    if not path and error.errno in _FULL:
        path = _full_folder()
    why = error.strerror or str(error)
    hint = _REMEDIES.get(error.errno or 0, "")
    if not path and "{path}" in hint:
        hint = ""
    return OpsError(f"{path}: {why}" if path else why, hint=hint.format(path=shlex.quote(path)))


def _full_folder() -> str:
    """Return the first full folder of those that are written to: a failed write does not name its file."""
    for folder in (Path.cwd(), Path(tempfile.gettempdir()), Path.home()):
        with suppress(OSError):
            if shutil.disk_usage(folder).free < _NEARLY_FULL:
                return str(folder)
    return ""
