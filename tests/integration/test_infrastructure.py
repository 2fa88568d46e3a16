"""The stacks of a local stack, as a user changes them around the releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from user_project import UserProject

LOGS = {"SAMJHADOO_INFRASTRUCTURE__ACCESS_LOGS": "true"}


def test_the_first_release_brings_auto_scaling_and_then_nothing_changes(project: UserProject) -> None:
    planned = project.invoke("infra.plan", "--json")
    plans = {each["stack"]: each for each in planned.events if each["event"] == "stack-plan"}
    assert {name: each["action"] for name, each in plans.items()} == {
        "network": "unchanged",
        "delivery": "unchanged",
        "cluster": "unchanged",
        "service": "update",
    }
    assert {each["resource"] for each in plans["service"]["resources"]} == {"ScalableTarget", "ScalingPolicy"}
    applied = project.invoke("infra.apply", "--json")
    assert (applied.code, applied.result["changed"]) == (0, ["service"])
    again = project.invoke("infra.apply", "--json")
    assert (again.code, again.result["outcome"]) == (0, "unchanged")
    assert project.invoke("infra.drift", "--json").result["outcome"] == "in-sync"


def test_a_dry_run_shows_the_changes_and_makes_none(project: UserProject) -> None:
    shown = project.invoke("--dry", "infra.apply", **LOGS)
    assert shown.code == 0
    assert "+ AccessLogBucket (AWS::S3::Bucket): new" in shown.stdout
    assert "an estimate from the prices of" in shown.stdout
    status = project.invoke("infra.status", "--json")
    outputs = {(each["stack"], each["output"]) for each in status.events if each["event"] == "stack-output"}
    assert ("network", "VpcId") in outputs
    assert ("delivery", "AccessLogBucket") not in outputs


def test_stacks_of_a_service_that_runs_are_not_destroyed(project: UserProject) -> None:
    refused = project.invoke("infra.destroy", SAMJHADOO_INFRASTRUCTURE__PROTECTION="false")
    assert refused.code == 3
    assert "the ECS service samjhadoo-service still exists" in refused.stderr
    assert "aws ecs delete-service --cluster samjhadoo-cluster" in refused.stderr


def test_an_environment_without_stacks_says_so(project: UserProject) -> None:
    refused = project.invoke("infra.plan", SAMJHADOO_INFRASTRUCTURE__STACKS="[]")
    assert refused.code == 2
    assert "infrastructure.stacks is empty" in refused.stderr
