"""Snapshots on disk: whole or refused, never overwritten when they cannot be read."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys

import pytest

from samjhadoo_emulator.snapshots.file import Batch, Head, SnapshotError, SnapshotFile
from samjhadoo_emulator.snapshots.tables import Rows

HEAD = Head("000000000000", "ap-south-1", 0.2, 1000.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "snapshot.sqlite3"


@pytest.fixture
def written(path):
    file = SnapshotFile(path)
    file.write(Batch(HEAD, [("ecs/r/services", "b", b"2"), ("ecs/r/services", "a", b"1")], [b"one", b"two"]))
    file.close()
    return path


def test_what_was_written_is_read_back_in_order(written):
    file = SnapshotFile(written)
    assert file.head == HEAD
    assert file.rows() == {"ecs/r/services": [("a", b"1"), ("b", b"2")]}
    assert list(file.requests()) == [b"one", b"two"]
    file.close()


def test_rows_that_are_gone_are_removed(written):
    file = SnapshotFile(written)
    file.write(Batch(None, [("ecs/r/services", "a", None)], []))
    assert file.rows() == {"ecs/r/services": [("b", b"2")]}
    file.close()


def test_a_snapshot_is_for_its_owner_only(written):
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_two_emulators_do_not_share_a_snapshot(written):
    file = SnapshotFile(written)
    with pytest.raises(SnapshotError, match="another emulator uses it"):
        SnapshotFile(written)
    file.close()


def change(path, *statements):
    database = sqlite3.connect(path)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


def read(path):
    file = SnapshotFile(path)
    try:
        file.rows()
    finally:
        file.close()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        pytest.param(lambda path: path.write_bytes(b"no database at all" * 99), "damaged", id="no-database"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:5000]), "damaged", id="cut-short"),
        pytest.param(lambda path: change(path, "PRAGMA application_id = 7"), "not a snapshot", id="foreign"),
        pytest.param(lambda path: change(path, "PRAGMA user_version = 99"), "format is 99", id="format"),
        pytest.param(lambda path: change(path, "UPDATE rows SET content = x'00'"), "damaged", id="row"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name_and_left_as_it_is(written, spoil, why):
    spoil(written)
    before = written.read_bytes()
    with pytest.raises(SnapshotError, match=why) as refused:
        read(written)
    assert str(written) in str(refused.value)
    assert written.read_bytes() == before


def test_the_emulator_ends_with_2_when_its_snapshot_is_damaged(tmp_path):
    path = tmp_path / "snapshot.sqlite3"
    path.write_bytes(b"not a snapshot" * 100)
    argv = [sys.executable, "-m", "samjhadoo_emulator", "--port", "0", "--snapshots"]
    ended = subprocess.run(
        [*argv, "--data-dir", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert str(path) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert path.read_bytes() == b"not a snapshot" * 100


def test_only_rows_that_changed_are_written():
    rows = {"a": {"n": 1}, "b": {"n": 1}}
    table = Rows.of("t", rows, dict)
    first = dict(table.changes())
    assert first.keys() == {"a", "b"}
    assert list(table.changes()) == []
    rows["a"]["n"] = 2
    del rows["b"]
    changed = dict(table.changes())
    assert changed["b"] is None
    loaded: dict[str, dict[str, int]] = {}
    again = Rows.of("t", loaded, dict)
    again.load([("a", changed["a"])])
    assert loaded == {"a": {"n": 2}}
    assert list(again.changes()) == []


def test_a_row_that_cannot_be_kept_takes_no_other_one_away():
    rows = {"a": {"n": 1}, "b": {"n": object()}}
    table = Rows.of("t", rows, dict)
    with pytest.raises(NotImplementedError):
        list(table.changes())
    rows["b"] = {"n": 2}
    assert dict(table.changes()).keys() == {"a", "b"}
