from __future__ import annotations

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
