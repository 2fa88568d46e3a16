from __future__ import annotations

from typing import Any

from samjhadoo_ops.infrastructure.events import StackEvents

ARN = "arn:aws:cloudformation:ap-south-1:1:stack/s/1"


def event(number: int, name: str, status: str, reason: str = "", physical: str = "") -> dict[str, Any]:
    return {
        "EventId": str(number),
        "LogicalResourceId": name,
        "PhysicalResourceId": physical,
        "ResourceType": "AWS::SNS::Topic",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def recorded(*events: dict[str, Any]) -> tuple[StackEvents, list[str]]:
    found = StackEvents(ARN)
    ended = [found.record(each) for each in events]
    return found, [f"{each.id} {each.words}" for each in ended if each]


def test_each_resource_is_shown_once_when_it_has_ended() -> None:
    found, shown = recorded(
        event(1, "s", "CREATE_IN_PROGRESS", physical=ARN),
        event(2, "Topic", "CREATE_IN_PROGRESS"),
        event(3, "Topic", "CREATE_IN_PROGRESS", "Resource creation Initiated"),
        event(4, "Topic", "CREATE_COMPLETE"),
        event(5, "s", "CREATE_COMPLETE", physical=ARN),
    )
    assert shown == ["Topic created"]
    assert (found.ended, found.succeeded, found.last) == (True, True, "5")


def test_the_cause_of_a_failure_is_the_first_one_with_awss_reason() -> None:
    found, _ = recorded(
        event(1, "s", "CREATE_IN_PROGRESS", physical=ARN),
        event(2, "Bad", "CREATE_FAILED", "Resource handler returned\n message: no"),
        event(3, "Other", "CREATE_FAILED", "Resource creation cancelled"),
        event(4, "s", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Bad].", ARN),
        event(5, "Bad", "DELETE_COMPLETE"),
        event(6, "s", "ROLLBACK_COMPLETE", physical=ARN),
    )
    assert found.cause == "Bad (AWS::SNS::Topic) could not be created: Resource handler returned message: no"
    assert [each.id for each in found.failures] == ["Bad"]
    assert found.ended
    assert not found.succeeded


def test_a_stack_that_fails_without_a_resource_gives_its_own_reason() -> None:
    found, _ = recorded(event(1, "s", "ROLLBACK_COMPLETE", "No export named x found", ARN))
    assert found.cause == "No export named x found"


def test_a_cleanup_is_not_the_end() -> None:
    found, _ = recorded(event(1, "s", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", physical=ARN))
    assert not found.ended
    assert [each.id for each in recorded(event(1, "T", "UPDATE_IN_PROGRESS"))[0].busy] == ["T"]
