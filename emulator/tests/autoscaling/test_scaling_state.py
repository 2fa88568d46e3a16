"""What the service keeps is plain data: a snapshot gives back what went in."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from samjhadoo_emulator.autoscaling.model import Activity, Cooldown, Policy, ScheduledAction, Target
from samjhadoo_emulator.snapshots.tables import encode

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_a_target_survives_a_snapshot():
    policy = Policy("p", "arn:p", "StepScaling", {"StepAdjustments": [{"ScalingAdjustment": 1}]}, NOW)
    action = ScheduledAction("a", "arn:a", {"Schedule": "rate(1 day)", "StartTime": NOW}, NOW, 12.5)
    target = Target("service/c/s", "arn:t", "role", 1, 4, NOW, {"DynamicScalingInSuspended": True})
    target.policies, target.scheduled = {"p": policy}, {"a": action}
    target.scaled_out = Cooldown(2, 99.5)
    assert msgspec.msgpack.decode(encode(target), type=Target) == target


def test_activities_survive_a_snapshot():
    activities = [
        Activity("1", "service/c/s", "Setting", "cause", NOW, "InProgress", wanted=4),
        Activity("2", "service/c/s", "Attempting", "cause", NOW, "Failed", reasons=[{"Code": "x"}]),
    ]
    assert msgspec.msgpack.decode(encode(activities), type=list[Activity]) == activities
