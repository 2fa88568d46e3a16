"""What must hold before anything is changed. A gate is one small module with one read-only function."""

from __future__ import annotations

from samjhadoo_ops.deployment.gates import (
    alarms,
    canary_sample,
    error_budget,
    free_addresses,
    identity,
    image,
    last_deployment,
    lock_free,
    migrations_compatible,
    migrations_linted,
    nothing_running,
    production_traffic,
    read_replicas,
    roles,
    rollback_target,
    secrets_resolvable,
    service_steady,
    stickiness,
    task_definition,
    test_rule,
    vcpu_quota,
    window,
)

GATES = (
    identity.GATE,
    lock_free.GATE,
    window.GATE,
    nothing_running.GATE,
    last_deployment.GATE,
    service_steady.GATE,
    alarms.GATE,
    production_traffic.GATE,
    stickiness.GATE,
    test_rule.GATE,
    task_definition.GATE,
    secrets_resolvable.GATE,
    roles.GATE,
    rollback_target.GATE,
    vcpu_quota.GATE,
    free_addresses.GATE,
    error_budget.GATE,
    read_replicas.GATE,
    canary_sample.GATE,
    migrations_linted.GATE,
    migrations_compatible.GATE,
    image.GATE,
)
"""All gates, in the order in which they are told."""
BY_NAME = {gate.name: gate for gate in GATES}
