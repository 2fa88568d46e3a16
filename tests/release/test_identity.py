"""Which version a release has."""

from __future__ import annotations

from typing import Any

from samjhadoo_ops.release.builder import build_context
from samjhadoo_ops.release.context import identify


def version(project: Any) -> str:
    return identify(build_context(project.env())).version


def test_a_release_is_called_after_its_commit(project: Any) -> None:
    assert version(project) == project.git("rev-parse", "HEAD")


def test_an_uncommitted_change_of_the_context_is_reported_with_its_content(project: Any) -> None:
    commit = project.git("rev-parse", "HEAD")
    (project.context / "app" / "__main__.py").write_text("print('changed')\n")
    first = version(project)
    assert first.startswith(f"{commit}-dirty-")
    assert len(first) == len(f"{commit}-dirty-") + 8
    (project.context / "app" / "__main__.py").write_text("print('changed again')\n")
    assert version(project) not in (first, commit)
    (project.context / "app" / "__main__.py").write_text("print('changed')\n")
    assert version(project) == first


def test_a_new_file_and_a_removed_file_are_changes(project: Any) -> None:
    (project.context / "new.txt").write_text("new")
    assert "-dirty-" in version(project)
    (project.context / "new.txt").unlink()
    assert "-dirty-" not in version(project)
    (project.context / "run.sh").unlink()
    assert "-dirty-" in version(project)


def test_changes_that_cannot_reach_the_image_do_not_count(project: Any) -> None:
    commit = project.git("rev-parse", "HEAD")
    (project.context / "README.md").write_text("read me")
    (project.context / "db").mkdir()
    (project.context / "db" / "V1__a.sql").write_text("select 1;")
    (project.root / "outside.txt").write_text("outside")
    assert version(project) == commit


def test_a_changed_dockerfile_is_a_change_even_when_it_is_ignored(project: Any) -> None:
    with (project.context / ".dockerignore").open("a") as file:
        file.write("Dockerfile\n")
    project.commit()
    before = version(project)
    with (project.context / "Dockerfile").open("a") as file:
        file.write("USER 1000\n")
    assert version(project).startswith(f"{before}-dirty-")


def test_outside_git_a_release_is_called_after_its_content(folder_project: Any) -> None:
    first = version(folder_project)
    assert first.startswith("content-")
    assert len(first) == len("content-") + 12
    assert version(folder_project) == first
    (folder_project.context / "run.sh").chmod(0o600)
    assert version(folder_project) != first


def test_before_the_first_commit_a_release_is_called_after_its_content(folder_project: Any) -> None:
    folder_project.git("init", "-q")
    assert version(folder_project).startswith("content-")
