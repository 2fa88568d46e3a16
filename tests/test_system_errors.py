from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from samjhadoo_ops.errors import ExitCode
from samjhadoo_ops.system_errors import explain

NUMBERS = [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE, errno.ENOENT]


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
@pytest.mark.parametrize("path", ["/a/b", b"/a/b", Path("/a/b")], ids=["text", "bytes", "path"])
def test_an_error_of_the_system_names_its_path(number: int, path: str | bytes | Path) -> None:
    error = explain(OSError(number, os.strerror(number), path))
    assert error.message == f"/a/b: {os.strerror(number)}"
    assert "{" not in error.hint
    assert error.exit_code is ExitCode.UNEXPECTED


def test_a_full_disk_is_named_although_a_failed_write_does_not_name_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(
        shutil, "disk_usage", lambda folder: SimpleNamespace(free=0 if folder == tmp_path else 1 << 40)
    )
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space") as raised:
        os.write(full, b"x")
    os.close(full)
    error = explain(raised.value)
    assert error.message == f"{tmp_path}: No space left on device"
    assert error.hint.endswith(f"df -h {tmp_path}")


def test_without_a_path_no_hint_names_one() -> None:
    assert explain(OSError(errno.EACCES, "Permission denied")).hint == ""
    assert explain(OSError(errno.EMFILE, "Too many open files")).hint.endswith("ulimit -n 4096")
