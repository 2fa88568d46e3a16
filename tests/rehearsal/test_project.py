from __future__ import annotations

import os

import pytest

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.rehearsal import project as rehearsal_project
from samjhadoo_ops.rehearsal.project import Project


def test_withdrawing_the_candidate_leaves_the_files_of_the_running_stack(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "Dockerfile").write_text("FROM scratch\n")
    project = Project.copy(root, tmp_path / "copy", "local", {})
    state = project.folder / ".samjhadoo" / "local" / "stack.json"
    state.parent.mkdir(parents=True)
    state.write_text("{}")
    (project.folder / "Dockerfile").write_text("FROM scratch\nENV A=b\n")
    project.commit("The candidate")
    project.withdraw()
    assert state.exists()
    assert (project.folder / "Dockerfile").read_text() == "FROM scratch\n"


def test_a_file_that_is_gone_when_it_is_to_be_copied_is_left_out(tmp_path, monkeypatch):
    def removing(folder, _names):
        (tmp_path / "root" / "editor.swp").unlink(missing_ok=True)
        return set()

    monkeypatch.setattr(rehearsal_project, "_IGNORED", removing)
    root = tmp_path / "root"
    root.mkdir()
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "editor.swp").write_text("")
    project = Project.copy(root, tmp_path / "copy", "local", {})
    assert sorted(each.name for each in project.folder.iterdir()) == [".git", "Dockerfile"]


def test_a_file_that_cannot_be_copied_is_named(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    os.mkfifo(root / "pipe")
    with pytest.raises(ConfigurationError, match="cannot be copied for the rehearsal.*pipe"):
        Project.copy(root, tmp_path / "copy", "local", {})
