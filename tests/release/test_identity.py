"""Which version a release has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.release.identity import Identity, identify

if TYPE_CHECKING:
    from pathlib import Path


def version(project: Any) -> str:
    return identify(project.env()).version


def ignore(project: Any, *lines: str) -> str:
    """Commit a `.gitignore`, and return the commit."""
    (project.root / ".gitignore").write_text("".join(f"{line}\n" for line in (".samjhadoo/", *lines)))
    return str(project.commit())


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
    (project.context / "app" / "new.txt").write_text("new")
    assert "-dirty-" in version(project)
    (project.context / "app" / "new.txt").unlink()
    assert "-dirty-" not in version(project)
    (project.context / "run.sh").unlink()
    assert "-dirty-" in version(project)
    assert identify(project.env()).uncommitted == ("run.sh",)


def test_changes_that_cannot_reach_the_image_do_not_count(project: Any) -> None:
    commit = project.git("rev-parse", "HEAD")
    (project.context / "README.md").write_text("read me")
    (project.context / "db").mkdir()
    (project.context / "db" / "V1__a.sql").write_text("select 1;")
    (project.root / "outside.txt").write_text("outside")
    (project.context / "notes.txt").write_text("no COPY names it")
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


def test_files_that_direct_the_build_are_part_of_the_content(folder_project: Any, tmp_path: Path) -> None:
    context = folder_project.context
    (tmp_path / "Real").write_text("FROM x\n")
    (context / "Dockerfile").unlink()
    (context / "Dockerfile").symlink_to(tmp_path / "Real")
    (context / ".dockerignore").write_text("*\n")
    found = [version(folder_project)]
    (tmp_path / "Real").write_text("FROM y\n")
    found.append(version(folder_project))
    (context / "Dockerfile.dockerignore").write_text("*\n")
    found.append(version(folder_project))
    assert len(set(found)) == 3


def test_before_the_first_commit_a_release_is_called_after_its_content(folder_project: Any) -> None:
    folder_project.git("init", "-q")
    assert version(folder_project).startswith("content-")


@pytest.mark.parametrize(
    ("ignored", "built"),
    [
        ("*.jar", "app/app.jar"),
        ("**/target/", "app/target/deep/app.jar"),
        ("target", "app/target/app.jar"),
        ("new.sh", "new.sh"),
    ],
)
def test_what_git_ignores_but_the_image_gets_is_part_of_the_release(
    project: Any, ignored: str, built: str
) -> None:
    (project.context / "Dockerfile").write_text("FROM x\nCOPY app ./app\nCOPY *.sh /bin/\n")
    commit = ignore(project, ignored)
    assert version(project) == commit
    file = project.context / built
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("first build")
    first = identify(project.env())
    assert first.version.startswith(f"{commit}-dirty-")
    assert (first.uncommitted, built in first.ignored) == ((), True)
    assert any(line.startswith("ignored by git: ") for line in first.differences)
    file.write_text("second build")
    assert version(project) not in (first.version, commit)
    file.write_text("first build")
    assert version(project) == first.version
    with (project.context / ".dockerignore").open("a") as rules:
        rules.write(f"{ignored if '/' in ignored else f'**/{ignored}'}\n")
    commit = project.commit()
    assert version(project) == commit


def test_what_git_ignores_and_no_copy_takes_does_not_count(project: Any) -> None:
    commit = ignore(project, "target/", ".env")
    (project.context / "target").mkdir()
    (project.context / "target" / "app.jar").write_text("x")
    (project.context / ".env").write_text("x")
    assert version(project) == commit


def test_a_context_that_git_ignores_is_not_the_commit(project: Any) -> None:
    project.git("rm", "-rq", "--cached", "docker")
    commit = ignore(project, "docker/")
    found = identify(project.env())
    assert found.version.startswith(f"{commit}-dirty-")
    assert "app/__main__.py" in found.ignored


def test_a_command_makes_what_git_ignores_so_it_does_not_count(project: Any) -> None:
    commit = ignore(project, "*.jar")
    (project.context / "app" / "app.jar").write_text("an earlier build")
    command = {"BUILD__COMMAND": '["make"]'}
    assert identify(project.env(**command)) == Identity(commit, commit, identify(project.env()).epoch)
    (project.context / "app" / "new.txt").write_text("not committed")
    first = identify(project.env(**command)).version
    assert first.startswith(f"{commit}-dirty-")
    (project.context / "app" / "app.jar").write_text("another build")
    assert identify(project.env(**command)).version == first


def test_what_a_link_leads_to_is_part_of_the_release(project: Any) -> None:
    (project.context / "real").mkdir()
    (project.context / "real" / "a").write_text("a")
    (project.context / "conf").symlink_to("real")
    (project.context / "Dockerfile").write_text("FROM x\nCOPY conf /conf\n")
    commit = project.commit()
    assert version(project) == commit
    (project.context / "real" / "a").write_text("b")
    assert version(project).startswith(f"{commit}-dirty-")


@pytest.mark.parametrize("place", ["beside", "outside"])
def test_a_dockerfile_beside_the_context_is_part_of_the_release(
    project: Any, tmp_path_factory: Any, place: str
) -> None:
    folder = project.root / "docker" if place == "beside" else tmp_path_factory.mktemp("outside")
    (folder / "Real").write_text("FROM x\nCOPY app /app\n")
    (project.context / "Dockerfile").unlink()
    (project.context / "Dockerfile").symlink_to(folder / "Real")
    commit = project.commit()
    before = version(project)
    assert (before == commit) is (place == "beside")
    (folder / "Real").write_text("FROM y\nCOPY app /app\n")
    assert version(project).startswith(f"{commit}-dirty-")
    assert version(project) != before


def test_the_sources_of_a_listed_base_image_are_part_of_the_release(project: Any) -> None:
    (project.context / "base.Dockerfile").write_text("FROM z\nCOPY requirements.txt /r\n")
    (project.context / "requirements.txt").write_text("a==1\n")
    commit = project.commit()
    (project.context / "requirements.txt").write_text("a==2\n")
    assert version(project) == commit  # the builder oci builds no base images
    assert identify(project.env(BUILD__BUILDER="docker")).uncommitted == ("requirements.txt",)


def test_build_arguments_are_part_of_a_release_that_is_no_commit(folder_project: Any) -> None:
    (folder_project.context / "Dockerfile").write_text("FROM x\nARG JAVA_VERSION\n")
    other = {"BUILD__ARGS__JAVA_VERSION": "21"}
    assert version(folder_project) != identify(folder_project.env(**other)).version
    (folder_project.context / "Dockerfile").write_text("FROM x\n")
    assert version(folder_project) == identify(folder_project.env(**other)).version


def test_names_that_are_not_utf8_are_distinguished(project: Any) -> None:
    for name in (b"caf\xe9", b"caf\xe8"):
        (project.context / "app" / os.fsdecode(name)).write_text("x")
    found = identify(project.env())
    assert found.differences == ("uncommitted: app/caf\\xe8, app/caf\\xe9",)
    (project.context / "app" / os.fsdecode(b"caf\xe8")).unlink()
    assert version(project) != found.version


def test_the_tools_own_folder_is_no_part_of_the_context(project: Any) -> None:
    (project.root / ".samjhadoo" / "build").mkdir(parents=True)
    (project.root / ".samjhadoo" / "build" / "x").write_text("x")
    (project.root / "Dockerfile").write_text("FROM x\nCOPY . .\n")
    (project.root / ".dockerignore").write_text(".git\n")
    commit = project.commit()
    assert identify(project.env(BUILD__CONTEXT=".")).version == commit


def test_only_some_of_many_files_are_named() -> None:
    found = Identity("v", "r", uncommitted=tuple("abcdefg"), ignored=("h",))
    assert found.differences == ("uncommitted: a, b, c, d, e, and 2 more", "ignored by git: h")
