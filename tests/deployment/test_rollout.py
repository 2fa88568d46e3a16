from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from deployment_fakes import CanaryEcs, FakeTime, begun_run

from samjhadoo_ops.deployment.finish import recorded
from samjhadoo_ops.deployment.journal import FINISHED, LEFT
from samjhadoo_ops.deployment.outcome import PinnedDeployment
from samjhadoo_ops.deployment.rollout import watch_to_end

if TYPE_CHECKING:
    from deployment_fakes import MemoryObjects

    from samjhadoo_ops.deployment.watch import Watch


@pytest.mark.parametrize(
    ("kind", "first", "stops"),
    [
        pytest.param("deploy", False, 1, id="deploy"),
        pytest.param("deploy", True, 0, id="first-deploy"),
        pytest.param("rollback", False, 0, id="rollback"),
    ],
)
def test_an_interrupt_stops_only_a_deploy_that_has_a_release_to_go_back_to(
    objects: MemoryObjects, kind: str, stops: int, *, first: bool
) -> None:
    time = FakeTime()
    ecs = CanaryEcs(time)
    run = begun_run(objects, kind=kind, ecs=ecs, clock=time.clock)
    ecs.errors = [KeyboardInterrupt()]  # type: ignore[list-item]
    pinned = PinnedDeployment(CanaryEcs.ARN, kind, all_at_once=True, first=first)
    with pytest.raises(KeyboardInterrupt), recorded(run):
        watch_to_end(run, pinned)
    (entry,) = run.journal.entries()
    assert ecs.stops == stops
    assert entry.events[-1].event == LEFT
    assert entry.outcome.startswith("interrupted, ")
    assert entry.data["exit_code"] == 130


def test_what_the_watch_begins_with_is_recorded_with_its_ending(objects: MemoryObjects) -> None:
    time = FakeTime()
    ecs = CanaryEcs(time)
    run = begun_run(objects, kind="rollback", ecs=ecs, clock=time.clock)

    def begin(watch: Watch) -> dict[str, float]:
        watch.stop("a person asked for it")
        return {"restored": 0.5}

    with recorded(run):
        ended = watch_to_end(run, PinnedDeployment(CanaryEcs.ARN, "stop", all_at_once=True), begin=begin)
    (entry,) = run.journal.entries()
    assert (ended.outcome, entry.outcome, entry.data["restored"]) == ("rolled back", "rolled back", 0.5)
    assert [event.event for event in entry.events[1:]] == ["stopping", "stop-requested", FINISHED]
