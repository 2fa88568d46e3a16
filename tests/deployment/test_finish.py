from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import EndpointConnectionError
from deployment_fakes import begun_run

from samjhadoo_ops.aws_errors import AwsCallFailed
from samjhadoo_ops.deployment.finish import ending_of, finish, recorded
from samjhadoo_ops.deployment.journal import FINISHED
from samjhadoo_ops.deployment.lock import lost_lock
from samjhadoo_ops.deployment.outcome import Ending, Observation, Phase, PinnedDeployment
from samjhadoo_ops.errors import DeploymentFailed, OpsError, PersonNeeded, Refused

if TYPE_CHECKING:
    from deployment_fakes import MemoryObjects

    from samjhadoo_ops.deployment.journal import JournalEntry
    from samjhadoo_ops.deployment.run import Run


def begun(objects: MemoryObjects, *, in_flight: bool) -> Run:
    run = begun_run(objects)
    run.in_flight = in_flight
    run.changes.append("something")
    return run


def after(objects: MemoryObjects, error: BaseException, *, in_flight: bool) -> JournalEntry:
    """Return the journal of a run that ended with an error."""
    run = begun(objects, in_flight=in_flight)
    with pytest.raises(type(error)), recorded(run):
        raise error
    (entry,) = run.journal.entries()
    return entry


@pytest.mark.parametrize(
    "error", [PersonNeeded("AWS has not answered"), RuntimeError("a bug"), KeyboardInterrupt()]
)
def test_a_deployment_that_may_go_on_is_left_not_ended(objects: MemoryObjects, error: BaseException) -> None:
    entry = after(objects, error, in_flight=True)
    assert entry.finished is None
    assert entry.data["exit_code"] in {1, 5, 130}


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(EndpointConnectionError(endpoint_url="https://s3.test"), id="client"),
        pytest.param(AwsCallFailed("S3 cannot be reached"), id="ours"),
    ],
)
def test_aws_out_of_reach_while_a_deployment_may_go_on_needs_a_person(
    objects: MemoryObjects, error: Exception
) -> None:
    run = begun(objects, in_flight=True)
    with pytest.raises(PersonNeeded, match="may continue in ECS") as raised, recorded(run):
        raise error
    assert raised.value.changed == "something"
    (entry,) = run.journal.entries()
    assert entry.data["exit_code"] == 5


@pytest.mark.parametrize("error", [DeploymentFailed("ECS refuses it"), Refused("no")])
def test_what_never_started_has_ended(objects: MemoryObjects, error: BaseException) -> None:
    assert after(objects, error, in_flight=True).last(FINISHED)


def test_an_error_before_or_after_the_deployment_ends_the_run(objects: MemoryObjects) -> None:
    assert after(objects, PersonNeeded("production fails"), in_flight=False).last(FINISHED)


def test_a_run_that_has_lost_its_lock_writes_nothing_into_anothers_journal(objects: MemoryObjects) -> None:
    entry = after(objects, lost_lock("taken over"), in_flight=False)
    assert [event.event for event in entry.events] == ["started"]


def ending(phase: Phase) -> Ending:
    return Ending(phase, Observation("d/1", phase.name, reason="ECS's own"))


@pytest.mark.parametrize(
    ("kind", "phase", "outcome"),
    [
        pytest.param("deploy", Phase.SUCCEEDED, "succeeded", id="deploy"),
        pytest.param("rollback", Phase.SUCCEEDED, "succeeded", id="rollback"),
        pytest.param("stop", Phase.ROLLED_BACK, "rolled back", id="stop"),
        pytest.param("stop", Phase.SUCCEEDED, "succeeded", id="stop-too-late"),
    ],
)
def test_a_good_ending_is_recorded_once_with_exit_code_0(
    objects: MemoryObjects, kind: str, phase: Phase, outcome: str
) -> None:
    run = begun_run(objects)
    deployed = finish(run, PinnedDeployment("d/1", kind, release="v2"), ending(phase), restored=1.5)
    (entry,) = run.journal.entries()
    assert deployed.outcome == entry.outcome == outcome
    assert (entry.data["exit_code"], entry.data["restored"]) == (0, 1.5)
    assert [event.event for event in entry.events].count(FINISHED) == 1


def test_a_deployment_that_goes_on_is_left_with_the_command_that_watches_it(objects: MemoryObjects) -> None:
    run = begun_run(objects)
    deployed = finish(run, PinnedDeployment("d/1", release="v2"), ending(Phase.BAKING))
    (entry,) = run.journal.entries()
    assert (deployed.outcome, entry.finished) == ("baking", None)
    assert deployed.left
    assert deployed.left.reattach.endswith(f"--deploy {run.recorder.deploy}")


@pytest.mark.parametrize(
    ("kind", "phase", "error", "message"),
    [
        pytest.param(
            "deploy",
            Phase.ROLLED_BACK,
            DeploymentFailed,
            "the previous release serves",
            id="deploy",
        ),
        pytest.param("deploy", Phase.STOPPED, PersonNeeded, "ended stopped", id="deploy-stopped"),
        pytest.param("rollback", Phase.ROLLED_BACK, DeploymentFailed, "the rollback to v1", id="rollback"),
        pytest.param("stop", Phase.ROLLBACK_FAILED, PersonNeeded, "the rollback of d/1 ended", id="stop"),
    ],
)
def test_a_bad_ending_is_recorded_once_with_the_exit_code_of_its_error(
    objects: MemoryObjects, kind: str, phase: Phase, error: type[OpsError], message: str
) -> None:
    run = begun_run(objects)
    pinned = PinnedDeployment("d/1", kind, task_definition="family:7", release="v1")
    with pytest.raises(error, match=message) as raised, recorded(run):
        finish(run, pinned, ending(phase))
    (entry,) = run.journal.entries()
    assert entry.data["exit_code"] == int(raised.value.exit_code)
    assert entry.data["reason"] == "ECS's own"
    assert [event.event for event in entry.events].count(FINISHED) == 1


@pytest.mark.parametrize("outcome", ["succeeded", "unchanged", "updated"])
def test_a_deploy_that_ended_before_is_not_shown_as_deployed_now(
    objects: MemoryObjects, outcome: str
) -> None:
    run = begun_run(objects)
    run.record(FINISHED, outcome=outcome, release="v1", exit_code=0)
    (entry,) = run.journal.entries()
    sentence = ending_of(entry).sentence("https://production")
    assert sentence == (
        f"nothing to watch or resume: deploy {entry.deploy}, of release v1, has ended: {outcome}"
    )
