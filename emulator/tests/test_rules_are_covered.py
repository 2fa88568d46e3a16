"""The rules that the emulator keeps, after AWS's documentation of service deployments: each has its tests."""

from __future__ import annotations

import ast
from pathlib import Path

RULES = {
    "A.1.calls": "The deployment calls refuse with the errors that botocore's model lists.",
    "A.1.pages": "ListServiceDeployments pages by 20, at most 100; Describe* take 20 ARNs.",
    "A.1.history": "Deployments are kept 90 days; what is unknown is a failure with reason MISSING.",
    "A.1.triggers": "Only some members of UpdateService start a deployment; settings alone do not.",
    "A.2.ranges": "Members of deploymentConfiguration have ranges and steps.",
    "A.2.hooks": "At most 10 PAUSE and 10 Lambda hooks; time-outs 1 to 20160 and 1 to 1440 minutes.",
    "A.2.defaults": "ROLLING, 200/100, canary 5 % for 10 min, linear 10 % for 6 min.",
    "A.2.early-success": "earlySuccessCriteria is for ROLLING, with healthyPercent above the minimum.",
    "A.3.order": "Stages come in order; a canary visits PRE_PRODUCTION_TRAFFIC_SHIFT twice.",
    "A.3.gate-order": "Open: whether the second gate comes before or after the canary's bake. Both.",
    "A.3.hook-stages": "Pauses at no shift; no hook in SCALE_UP, BAKE_TIME and CLEAN_UP.",
    "A.3.capacity": "The new set has full size at SCALE_UP; the old one keeps its own until CLEAN_UP.",
    "A.3.reconcile": "RECONCILE_SERVICE comes only over an unfinished deployment.",
    "A.3.first": "Open: whether a first deployment calls hooks. Both.",
    "A.3.limits": "24 hours a stage and a shift, 14 days a pause, 30 days in all; rolling: none.",
    "A.4.transitions": "Statuses change along AWS's arrows; terminal ones stay.",
    "A.4.members": "A deployment tells times, weights, revisions, rollback, breaker and alarms.",
    "A.4.arns": "ARNs and ids have AWS's shapes; ecs-svc/N is the revision's number.",
    "A.4.view": "DescribeServices shows PRIMARY and ACTIVE, two entries during a canary.",
    "A.5.ids": "Each visit has a fresh hook id of 43 characters, with expiresAt and time-out action.",
    "A.5.parallel": "Hooks of a stage run side by side: all continue, or one rolls back.",
    "A.5.continue": "ContinueServiceDeployment is not idempotent and refuses in AWS's words.",
    "A.5.timeouts": "Time-outs take effect with no client: ROLLBACK or CONTINUE.",
    "A.5.superseded": "A newer deployment invalidates hooks.",
    "A.5.lambda": "Lambda hooks are told weights, asked again, and called again on the way back.",
    "A.5.events": "EventBridge is told of hooks, with the stage.",
    "A.6.states": "StopServiceDeployment by state; idempotent while ongoing; terminal is a conflict.",
    "A.6.abort": "ABORT is refused.",
    "A.6.anywhere": "A stop works in every stage, in pauses and in the bake.",
    "A.7.sync": "What CreateService and UpdateService refuse, word for word.",
    "A.7.async": "Why traffic could not be shifted, word for word.",
    "A.7.roles": "Target groups swap roles with each deployment; rules carry ratios of weights.",
    "A.8.monitored": "An alarm fails a deployment of any strategy, through the bake; rollback or stop.",
    "A.8.ignored": "An alarm in ALARM at the start disables all of them for the deployment.",
    "A.8.shown": "Open: what alarms.status reads when ignored. Both.",
    "A.8.missed": "A throttled poll misses an alarm; composite alarms count.",
    "A.8.rolling": "A rolling update bakes less than five minutes, by its alarms.",
    "A.9.threshold": "COUNT, BOUNDED_PERCENT (3 to 200), UNBOUNDED_PERCENT; desiredCount is read again.",
    "A.9.stages": "Before a task runs, starts that fail count; afterwards, failed health checks.",
    "A.9.reset": "resetOnHealthyTask: consecutive or cumulative.",
    "A.9.candidate": "Without a completed deployment there is no rollback, nor during another one.",
    "A.9.strategies": "Open: whether the breaker works beyond ROLLING. Both.",
    "A.9.throttling": "Starts that fail are tried again ever more slowly.",
    "A.10.reverse": "The way back: production first, then test; no new revision.",
    "A.10.capacity": "The old tasks are there until CLEAN_UP, so that a rollback is at once.",
    "A.11.service": "Service events have AWS's texts.",
    "A.11.eventbridge": "EventBridge is told of deployments and tasks.",
    "A.12.scale-in": "Scale-in is off while a deployment is in progress; scale-out goes on.",
    "A.12.metrics": "CPU and memory are of all tasks of a service; ALB metrics of real traffic.",
    "A.15.1": "A trigger makes revision N+1 and a deployment.",
    "A.15.2": "Stages on the scaled clock, hooks with nobody alive.",
    "A.15.3": "Weights are seen in the API and in the rules; the swap persists.",
    "A.15.4": "Health gate, breaker, alarms.",
    "A.15.5": "Refusals, superseded deployments.",
    "A.15.6": "A rollback reverses weights and fails on a first deployment.",
    "A.15.7": "Fault knobs.",
}  # fmt: skip


def named(folder: Path) -> dict[str, set[str]]:
    """Return the tests that name each rule."""
    found: dict[str, set[str]] = {}
    for file in folder.rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
                continue
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.rule":
                    for argument in decorator.args:
                        found.setdefault(ast.literal_eval(argument), set()).add(node.name)
    return found


def test_every_rule_is_named_by_a_test_and_every_name_is_a_rule():
    assert set(named(Path(__file__).parent)) == set(RULES)
