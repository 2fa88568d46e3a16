"""What a service keeps of its past deployments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from samjhadoo_emulator.ecs.deployments.machine import State, Status
from samjhadoo_emulator.ecs.model import DEPLOYMENTS_KEPT, Cluster, Deployment, Revision, Service

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def service_with(ages, *, status=Status.SUCCESSFUL):
    """Return a service with deployments of these ages in days, each from the revision before it."""
    service = Service("arn", "web", Cluster("arn", "c"), NOW, 1, {}, {})
    source = None
    for number, age in enumerate(ages):
        revision = Revision(f"revision/{number}", str(number), NOW, {"taskDefinition": "web"}, [])
        service.revisions[revision.number] = revision
        service.deployments.append(
            Deployment(
                f"deployment/{number}",
                NOW - timedelta(days=age),
                revision,
                [source] if source else [],
                source,
                None,
                State(steps=(), updated_at=0.0, status=status),
            )
        )
        source = service.successful = revision
    return service


@pytest.mark.parametrize(
    ("ages", "kept", "revisions"),
    [
        pytest.param([3, 2, 1], [0, 1, 2], {"0", "1", "2"}, id="young"),
        pytest.param([100, 95, 91, 10, 1], [3, 4], {"2", "3", "4"}, id="old ones go, a source stays"),
        pytest.param([200, 100], [1], {"0", "1"}, id="the newest stays"),
    ],
)
def test_deployments_are_kept_for_ninety_days_with_the_revisions_they_name(ages, kept, revisions):
    service = service_with(ages)
    service.forget(NOW)
    assert [each.arn for each in service.deployments] == [f"deployment/{number}" for number in kept]
    assert set(service.revisions) == revisions


def test_an_ongoing_deployment_and_a_revision_with_tasks_are_kept():
    service = service_with([300, 200, 1])
    service.revisions["0"].desired = 2
    service.deployments[1].state = State(steps=(), updated_at=0.0, status=Status.IN_PROGRESS)
    service.forget(NOW)
    assert [each.arn for each in service.deployments] == ["deployment/1", "deployment/2"]
    assert set(service.revisions) == {"0", "1", "2"}


def test_a_clock_that_runs_fast_does_not_make_thousands_of_deployments_stay():
    service = service_with([0.01] * (DEPLOYMENTS_KEPT + 500))
    service.forget(NOW)
    assert len(service.deployments) == DEPLOYMENTS_KEPT
    assert len(service.revisions) == DEPLOYMENTS_KEPT + 1
