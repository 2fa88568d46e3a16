from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import EndpointConnectionError

from samjhadoo_ops.aws_errors import AwsCallFailed
from samjhadoo_ops.clock import Clock
from samjhadoo_ops.console import Console
from samjhadoo_ops.deployment.journal import FINISHED, Journal
from samjhadoo_ops.deployment.lock import lost_lock
from samjhadoo_ops.deployment.recording import recorded
from samjhadoo_ops.errors import DeploymentFailed, PersonNeeded, Refused

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from deployment_fakes import MemoryObjects

    from samjhadoo_ops.deployment.journal import Entry


def begun(objects: MemoryObjects, *, unended: bool) -> tuple[Journal, AbstractContextManager[None]]:
    """Return the journal of a run, and the block that records its end."""
    journal = Journal(objects, prefix="deployments/", environment="local", service="samjhadoo-service")
    recorder = journal.recorder("deploy", Clock())
    recorder.unended = unended
    return journal, recorded(recorder, Console.decide(as_json=True), ["something"])


def after(objects: MemoryObjects, error: BaseException, *, unended: bool) -> Entry:
    """Return the journal of a run that ended with an error."""
    journal, block = begun(objects, unended=unended)
    with pytest.raises(type(error)), block:
        raise error
    (entry,) = journal.entries()
    return entry


@pytest.mark.parametrize(
    "error", [PersonNeeded("AWS has not answered"), RuntimeError("a bug"), KeyboardInterrupt()]
)
def test_a_deployment_that_may_go_on_is_left_not_ended(objects: MemoryObjects, error: BaseException) -> None:
    entry = after(objects, error, unended=True)
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
    journal, block = begun(objects, unended=True)
    with pytest.raises(PersonNeeded, match="may go on at ECS") as raised, block:
        raise error
    assert raised.value.changed == "something"
    (entry,) = journal.entries()
    assert entry.data["exit_code"] == 5


@pytest.mark.parametrize("error", [DeploymentFailed("ECS refuses it"), Refused("no")])
def test_what_never_started_has_ended(objects: MemoryObjects, error: BaseException) -> None:
    assert after(objects, error, unended=True).last(FINISHED)


def test_an_error_before_or_after_the_deployment_ends_the_run(objects: MemoryObjects) -> None:
    assert after(objects, PersonNeeded("production fails"), unended=False).last(FINISHED)


def test_a_run_that_has_lost_its_lock_writes_nothing_into_anothers_journal(objects: MemoryObjects) -> None:
    entry = after(objects, lost_lock("taken over"), unended=False)
    assert [event.event for event in entry.events] == ["started"]
