"""Alternatives, chosen at the start, for what AWS does not document or documents in two ways."""

from __future__ import annotations

FIRST_WITHOUT_HOOKS = "first-deployment-without-hooks"
IGNORED_ALARMS_MONITORED = "ignored-alarms-shown-as-monitoring"
BREAKER_FOR_ROLLING_ONLY = "breaker-for-rolling-only"
BREAKER_STRICT = "breaker-counts-health-checks-once-a-task-ran"
UNCHANGED_STARTS_NOTHING = "unchanged-update-starts-nothing"

VARIANTS = {
    FIRST_WITHOUT_HOOKS: "lifecycle hooks are not called in a service's first deployment",
    IGNORED_ALARMS_MONITORED: "alarms that are ignored for a deployment read MONITORING, not DISABLED",
    BREAKER_FOR_ROLLING_ONLY: "the circuit breaker does nothing unless the strategy is ROLLING",
    BREAKER_STRICT: "once a task has run, the circuit breaker counts failed health checks, not failed starts",
    UNCHANGED_STARTS_NOTHING: "UpdateService starts a deployment only if a member that it names changes",
}
"""By name: how each differs from what the emulator does by default."""
