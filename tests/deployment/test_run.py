from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from deployment_fakes import CALLER, begun_run

from samjhadoo_ops.deployment.finish import recorded
from samjhadoo_ops.deployment.lock import lost_lock
from samjhadoo_ops.deployment.run import STEPS
from samjhadoo_ops.errors import DeploymentFailed, OpsError, PersonNeeded

if TYPE_CHECKING:
    from deployment_fakes import MemoryObjects

    from samjhadoo_ops.deployment.run import Run


class LostLock:
    """A lock that another run has taken over."""

    token = 1

    def ensure(self) -> None:
        raise lost_lock("taken over")


def events(run: Run) -> list[tuple[str, dict[str, Any]]]:
    (entry,) = run.journal.entries()
    return [(event.event, event.data) for event in entry.events[1:]]


def test_the_journal_names_the_credentials_and_what_no_file_has_set(
    objects: MemoryObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTOR", "whoever")
    run = begun_run(objects, variables={"SAMJHADOO_GATES__ON_UNKNOWN": "refuse"})
    (entry,) = run.journal.entries()
    run.resume(entry)
    expected = {
        "caller": CALLER,
        "settings": {"gates.on_unknown": {"value": "refuse", "variable": "SAMJHADOO_GATES__ON_UNKNOWN"}},
    }
    assert expected == {key: entry.data[key] for key in expected}
    assert expected == run.origin
    assert entry.data["by"] == "whoever"


def test_a_step_is_recorded_before_and_after_with_its_change_and_its_time(
    objects: MemoryObjects,
) -> None:
    run = begun_run(objects)
    with run.step("push", release="v1") as step:
        assert events(run) == [("pushing", {"release": "v1"})]
        step.done("image v1 pushed", digest="sha256:1")
    assert events(run)[1:] == [("pushed", {"digest": "sha256:1"})]
    assert run.changes == ["image v1 pushed"]
    assert run.seconds.keys() == {"push"}


def test_a_step_of_a_run_that_has_lost_its_lock_does_and_records_nothing(objects: MemoryObjects) -> None:
    run = begun_run(objects)
    run.lock = cast("Any", LostLock())
    with pytest.raises(PersonNeeded, match="taken over"), run.step("register"):
        pytest.fail("the step was taken")
    assert events(run) == []


@pytest.mark.parametrize(
    ("error", "changes"),
    [
        pytest.param(DeploymentFailed("ECS refuses it"), [], id="refused"),
        pytest.param(OpsError("no answer"), ["the update requested"], id="in-doubt"),
    ],
)
def test_a_step_that_fails_may_have_changed_what_it_attempted_unless_aws_refused_it(
    objects: MemoryObjects, error: OpsError, changes: list[str]
) -> None:
    run = begun_run(objects)
    with pytest.raises(type(error)), run.step("start", attempt="the update requested"):
        raise error
    assert run.changes == changes
    assert [name for name, _ in events(run)] == ["starting"]


@pytest.mark.parametrize("name", ["push", "migrate", "register", "update"])
def test_a_step_that_was_interrupted_never_counts_as_nothing(objects: MemoryObjects, name: str) -> None:
    run = begun_run(objects)
    with pytest.raises(KeyboardInterrupt), run.step(name):
        raise KeyboardInterrupt
    assert run.changed() == f"{STEPS[name][0]} began, and its end is not known"


@pytest.mark.parametrize(
    ("changes", "known", "shown"),
    [
        ([], "", ""),
        ([], "nothing", "nothing"),
        ([], "the schema has V2", "the schema has V2"),
        (["image pushed"], "", "image pushed"),
        (["image pushed"], "nothing", "image pushed"),
        (["image pushed"], "the schema has V2", "image pushed; the schema has V2"),
        (["image pushed", "V2"], "image pushed; V2", "image pushed; V2"),
    ],
)
def test_what_was_changed_before_stays_beside_what_an_error_knows(
    objects: MemoryObjects, changes: list[str], known: str, shown: str
) -> None:
    run = begun_run(objects)
    run.changes += changes
    assert run.changed(known) == shown
    with pytest.raises(DeploymentFailed) as raised, recorded(run):
        raise DeploymentFailed("a script failed", changed=known)
    assert raised.value.changed == shown
