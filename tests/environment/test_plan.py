"""The deployment plan's numbers, as the settings have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.environment.conftest import Project

PLAN = [
    ("1.2", "production", "aws.region", "ap-south-1"),
    ("1.2", "production", "infrastructure.multi_az", True),
    ("1.2", "production", "infrastructure.min_tasks", 4),
    ("1.2", "production", "infrastructure.max_tasks", 12),
    ("1.2", "production", "infrastructure.instance_type", "t3.xlarge"),
    ("1.2", "staging", "aws.region", "ap-south-1"),
    ("1.2", "staging", "infrastructure.multi_az", False),
    ("1.2", "staging", "infrastructure.min_tasks", 2),
    ("1.2", "staging", "infrastructure.max_tasks", 4),
    ("1.2", "staging", "infrastructure.instance_type", "t3.large"),
    ("2.1", "production", "database.engine", "postgres"),
    ("2.1", "production", "database.engine_version", "14"),
    ("2.1", "production", "database.instance", "db.r6g.xlarge"),
    ("2.1", "production", "database.storage_gb", 500),
    ("2.1", "production", "database.storage_type", "gp3"),
    ("2.1", "production", "database.backup_retention_days", 7),
    ("2.1", "production", "database.read_replicas", ["us-east-1", "ap-southeast-1"]),
    ("3.1", "production", "service.cluster", "samjhadoo-cluster"),
    ("3.1", "production", "service.name", "samjhadoo-service"),
    ("3.1", "production", "build.repository", "samjhadoo/backend"),
    ("3.2", "production", "deployment.canary_percent", 10),
    ("3.2", "production", "deployment.canary_time", 15 * 60),
    ("3.2", "production", "deployment.bake_time", 60 * 60),
    ("4.1", "production", "payments.success_url", "https://app.samjhadoo.com/payment/success"),
    ("4.1", "production", "payments.cancel_url", "https://app.samjhadoo.com/payment/cancel"),
    ("4.2", "production", "payments.webhook_url", "https://api.samjhadoo.com/webhooks/stripe"),
    ("5.1", "production", "alarms.cpu.percent", 70),
    ("5.1", "production", "alarms.cpu.time", 5 * 60),
    ("5.1", "production", "alarms.memory.percent", 80),
    ("5.1", "production", "alarms.memory.time", 10 * 60),
    ("5.1", "production", "alarms.errors.percent", 1),
    ("5.1", "production", "alarms.latency.threshold", 1),
    ("5.1", "production", "alarms.latency.percentile", 95),
    ("5.2", "production", "slo.availability_percent", 99.95),
    ("5.2", "production", "slo.latency", 0.5),
    ("5.2", "production", "slo.latency_percentile", 99),
    ("5.2", "production", "slo.error_rate_percent", 0.1),
    ("6.1", "production", "rollback.failed_health_checks", 5),
    ("6.1", "production", "rollback.error_rate_percent", 5),
    ("6.1", "production", "rollback.error_rate_time", 5 * 60),
    ("6.1", "production", "rollback.deployment_timeout", 15 * 60),
    ("7", "production", "notifications.slack_channel", "#deployments"),
    ("7", "production", "notifications.email", ["devops@samjhadoo.com"]),
    ("7", "production", "notifications.customer_email", "support@samjhadoo.com"),
    ("7", "production", "notifications.status_page", "https://status.samjhadoo.com"),
    ("8.1", "production", "smoke.health_path", "/health"),
    ("8.1", "production", "smoke.version_path", "/api/v1/version"),
    ("8.1", "production", "endpoints.production", "https://api.samjhadoo.com"),
    ("9", "production", "windows.emergency", "approval"),
]


@pytest.mark.parametrize(("section", "name", "path", "value"), PLAN)
def test_the_settings_are_the_plans(project: Project, section: str, name: str, path: str, value: Any) -> None:
    found: Any = project.load(name)
    for key in path.split("."):
        found = getattr(found, key)
    assert found == value, f"section {section}"


def test_the_windows_are_the_plans(project: Project) -> None:
    windows = project.load("production").windows
    assert str(windows.deployment) == "Mon-Thu 22:00-24:00 Asia/Kolkata"
    assert str(windows.maintenance) == "Sun 02:00-04:00 Asia/Kolkata"


def test_locally_a_whole_canary_deployment_takes_well_under_a_minute(project: Project) -> None:
    environment = project.load("local")
    waits = environment.deployment.canary_time + environment.deployment.bake_time
    assert waits / 60 * environment.clock.minute < 20
