"""The project's own templates: valid, and fed with the plan's values."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cfnlint.api import lint

from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.infrastructure.sources import LIVE, FirstSource, SettingSource
from samjhadoo_ops.infrastructure.stacks import environment_stacks

if TYPE_CHECKING:
    from samjhadoo_ops.infrastructure.stacks import Stacks

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "infrastructure").glob("*.yaml"))
HOME, REPLICAS, EDGE = "ap-south-1", ["us-east-1", "ap-southeast-1"], ["us-east-1"]
REGIONS = {"replicas": REPLICAS, "edge": EDGE}
DATA_STORES = {
    "AWS::RDS::DBInstance",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::S3::Bucket",
    "AWS::ECR::Repository",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
}
ELSEWHERE = {"infrastructure.prefix", "infrastructure.stacks", "infrastructure.instance_type"}
"""Settings of the tool itself, and the one that releases take their task's size from."""


def plan(name: str) -> dict[str, Any]:
    """Return an environment's settings as its files have them."""
    base, own = (tomllib.loads((ROOT / f"environments/{file}.toml").read_text()) for file in ("base", name))
    return {table: {**base.get(table, {}), **own.get(table, {})} for table in {**base, **own}}


def stacks(name: str, **variables: str) -> Stacks:
    return environment_stacks(load_environment(name, root=ROOT, variables=variables))


def all_stacks(name: str) -> Stacks:
    """Return the stacks of an environment that has one of every template."""
    names = ",".join(path.stem for path in TEMPLATES)
    return stacks(name, SAMJHADOO_INFRASTRUCTURE__STACKS=names)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_cfn_lint_finds_nothing(path: Path) -> None:
    found = lint(path.read_text(), regions=REGIONS.get(path.stem, [HOME]))
    assert [f"{each.rule.id} line {each.linenumber}: {each.message}" for each in found] == []


@pytest.mark.parametrize("name", ["local", "staging", "production"])
def test_every_parameter_has_a_value_in_each_environment(name: str) -> None:
    for stack in all_stacks(name).items:
        given = stack.parameters(live=dict.fromkeys(LIVE, "1"), output=lambda _stack, source: source.output)
        declared = stack.template.parameters
        assert (
            given.keys() | {key for key, value in declared.items() if "Default" in value} == declared.keys()
        )


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("network", "data"),
        ("network", "cluster"),
        ("data", "replicas-us-east-1"),
        ("data", "service"),
        ("delivery", "cluster"),
        ("cluster", "service"),
        ("service", "observability"),
        ("service", "api"),
        ("api", "edge"),
    ],
)
def test_a_stack_is_made_after_those_that_it_needs(first: str, then: str) -> None:
    keys = [stack.key for stack in all_stacks("production").items]
    assert keys.index(first) < keys.index(then)


def test_the_plans_values_are_parameters_of_the_stacks() -> None:
    wanted, made = plan("production"), stacks("production")
    infrastructure, database, alarms = wanted["infrastructure"], wanted["database"], wanted["alarms"]
    assert made.find("network").values["MultiAz"] == "true"
    assert (
        made.find("service").values
        | {
            "MinTasks": str(infrastructure["min_tasks"]),
            "MaxTasks": str(infrastructure["max_tasks"]),
            "FailedHealthChecks": str(wanted["rollback"]["failed_health_checks"]),
        }
        == made.find("service").values
    )
    assert (
        made.find("data").values
        | {
            "Engine": database["engine"],
            "EngineVersion": database["engine_version"],
            "InstanceClass": database["instance"],
            "StorageGb": str(database["storage_gb"]),
            "StorageType": database["storage_type"],
            "BackupDays": str(database["backup_retention_days"]),
            "MaintenanceWindow": "sat:20:30-sat:22:30",
            "MultiAz": "true",
        }
        == made.find("data").values
    )
    assert [stack.region for stack in made.items if stack.template.name == "replicas"] == database[
        "read_replicas"
    ]
    assert (
        made.find("observability").values
        | {
            "CpuPercent": f"{alarms['cpu']['percent']:g}",
            "CpuMinutes": alarms["cpu"]["time"].removesuffix("m"),
            "MemoryPercent": f"{alarms['memory']['percent']:g}",
            "MemoryMinutes": alarms["memory"]["time"].removesuffix("m"),
            "ErrorPercent": f"{alarms['errors']['percent']:g}",
            "LatencySeconds": alarms["latency"]["threshold"].removesuffix("s"),
            "LatencyPercentile": f"{alarms['latency']['percentile']:g}",
            "GuardPercent": f"{wanted['rollback']['error_rate_percent']:g}",
            "GuardMinutes": wanted["rollback"]["error_rate_time"].removesuffix("m"),
            "SloAvailability": f"{wanted['slo']['availability_percent']:g}",
            "SloErrorPercent": f"{wanted['slo']['error_rate_percent']:g}",
        }
        == made.find("observability").values
    )


@pytest.mark.parametrize("table", ["infrastructure", "alarms", "slo", "github", "edge"])
def test_every_setting_of_the_infrastructure_reaches_a_stack(table: str) -> None:
    used = {path for stack in all_stacks("production").items for path in _settings(stack.sources)}
    known = {".".join((table, *path)) for path in _leaves(plan("production")[table])}
    assert known - used == {"infrastructure": ELSEWHERE}.get(table, set())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_what_holds_data_says_what_becomes_of_it(path: Path) -> None:
    stack = next(stack for stack in all_stacks("production").items if stack.template.name == path.stem)
    for resource in stack.template.resources.values():
        if resource["Type"] in DATA_STORES:
            assert {"DeletionPolicy", "UpdateReplacePolicy"} <= resource.keys()


def _settings(sources: dict[str, Any]) -> set[str]:
    inner = (source.of if isinstance(source, FirstSource) else source for source in sources.values())
    return {source.path for source in inner if isinstance(source, SettingSource)}


def _leaves(table: dict[str, Any]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for key, value in table.items():
        below = _leaves(value) if isinstance(value, dict) else [()]
        found += [(key, *path) for path in below]
    return found
