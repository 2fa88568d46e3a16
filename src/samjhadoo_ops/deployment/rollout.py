"""Starting a service deployment, pinning it, and watching it to its end.

One UpdateService starts it, and sets how it is to run: a canary that pauses for tests and gates, or all at
once for a first deployment and for a rollback. A deployment is known by its ARN from then on.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.configuration import (
    all_at_once_configuration,
    deployment_configuration,
    load_balancers,
    network_configuration,
)
from samjhadoo_ops.deployment.diagnosis import Diagnosis
from samjhadoo_ops.deployment.ecs import has_served
from samjhadoo_ops.deployment.finish import UNTIL, Deployed, finish, interrupted
from samjhadoo_ops.deployment.interrupts import held_back
from samjhadoo_ops.deployment.judge import NoJudge
from samjhadoo_ops.deployment.outcome import Phase, PinnedDeployment
from samjhadoo_ops.deployment.verdict.factory import build_judge
from samjhadoo_ops.deployment.watch import Monitors, Watch
from samjhadoo_ops.errors import OpsError, PersonNeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping

    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.deployment.ecs import EcsService
    from samjhadoo_ops.deployment.judge import Judge
    from samjhadoo_ops.deployment.run import Run
    from samjhadoo_ops.deployment.traffic import LoadBalancing
    from samjhadoo_ops.environment import Environment

_PIN_TRIES = 50
_KNOWN = 20
_CORRECT = "correct the release, or what [smoke] and [payments] ask of it, then: invoke deploy"
_SETTLING = 10.0
"""Real seconds to wait for a rollback after an interrupt; CI gives little more before it kills."""


def roll_out(
    run: Run,
    task_definition: str,
    load_balancing: LoadBalancing,
    *,
    kind: str = "deploy",
    release: str = "",
    digest: str = "",
    settings: Mapping[str, Any] | None = None,
    until: str = "done",
) -> Deployed:
    """Start a deployment of a registered task definition and watch it to its end; errors see `watch_to_end`.

    Args:
        kind: `deploy`, or `rollback` to return to a proven release all at once.
        settings: Other members of UpdateService.
        until: A word of `UNTIL`.
    """
    # An update that is sent but not watched yet could not be rolled back: interrupts wait for the watch.
    with held_back() as deliver:
        started = start(run, task_definition, load_balancing, kind=kind, settings=settings or {})
        pinned = replace(started, release=release, digest=digest)

        def begin(_watch: Watch) -> dict[str, Any]:
            deliver()
            return {}

        return watch_to_end(run, pinned, until=until, begin=begin)


def start(
    run: Run, task_definition: str, load_balancing: LoadBalancing, *, kind: str, settings: Mapping[str, Any]
) -> PinnedDeployment:
    """Start a deployment of a registered task definition and pin it.

    Args:
        kind: `deploy` or `rollback`; a rollback, and a first deployment, go all at once.
        settings: What changes of an existing service besides, as members of UpdateService.

    Raises:
        DeploymentFailed: ECS refused it; nothing was changed.
        PersonNeeded: ECS accepted the update but shows no deployment for it.
    """
    ecs, env = run.ecs, run.env
    service = ecs.describe()
    briefs = ecs.deployments(limit=100) if service else []
    first = not has_served(service, briefs)
    all_at_once = first or kind == "rollback"
    configuration = all_at_once_configuration(env) if all_at_once else deployment_configuration(env)
    with run.step(
        "start",
        attempt=f"the update of {ecs.name} requested",
        task_definition=task_definition,
        all_at_once=all_at_once,
        first=first,
        settings=dict(settings),
        known=sorted(str(brief["serviceDeploymentArn"]) for brief in briefs[:_KNOWN]),
    ) as step:
        run.in_flight = True
        if service is None:
            answer = ecs.create(**creation(env, task_definition, load_balancing, configuration))
        else:
            request = {**settings, "deploymentConfiguration": configuration}
            answer = _update(ecs, service, task_definition, request, force=first)
        arn = pin(ecs, answer, task_definition=task_definition, clock=run.clock, poll=run.policy.poll)
        name = arn.rpartition("/")[2]
        step.done(f"deployment {name} started", deployment=arn, task_definition=task_definition)
    run.note(deployment=arn)
    run.report("deployment", f"deployment {name} has started", deployment=arn)
    return PinnedDeployment(arn, kind, task_definition, all_at_once=all_at_once, first=first)


def _update(
    ecs: EcsService,
    service: Mapping[str, Any],
    task_definition: str,
    request: Mapping[str, Any],
    *,
    force: bool,
) -> dict[str, Any]:
    """Update the service; after a failed first deployment only `force` makes ECS try again."""
    return ecs.update(
        known={str(deployment["id"]) for deployment in service["deployments"]},
        taskDefinition=task_definition,
        **request,
        **({"forceNewDeployment": True} if force else {}),
    )


def creation(
    env: Environment, task_definition: str, load_balancing: LoadBalancing, configuration: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the request that creates the service."""
    return {
        "taskDefinition": task_definition,
        "desiredCount": env.service.desired_count,
        "launchType": "FARGATE",
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "deploymentConfiguration": dict(configuration),
        "loadBalancers": load_balancers(env, load_balancing),
        "healthCheckGracePeriodSeconds": round(env.service.health_check_grace),
        "propagateTags": "TASK_DEFINITION",
        "enableECSManagedTags": True,
        "networkConfiguration": network_configuration(env, load_balancing),
    }


def started_unseen(ecs: EcsService, *, task_definition: str, known: Container[str]) -> str:
    """Return the service deployment that a run started which then died; empty when it started none.

    Args:
        task_definition: What the run was about to deploy.
        known: The service deployments that were there before.
    """
    if ecs.describe() is None:
        return ""
    new = [brief for brief in ecs.deployments(limit=_KNOWN) if brief["serviceDeploymentArn"] not in known]
    revisions = ecs.revisions(brief.get("targetServiceRevisionArn", "") for brief in new)
    for brief in reversed(new):  # ours is the first of that task definition
        revision = revisions.get(brief.get("targetServiceRevisionArn", ""), {})
        if revision.get("taskDefinition") == task_definition:
            return str(brief["serviceDeploymentArn"])
    return ""


def pin(
    ecs: EcsService, service: Mapping[str, Any], *, task_definition: str, clock: Clock, poll: float
) -> str:
    """Return the ARN of the service deployment that an update has started.

    The update's answer names the deployment's revision number; the service deployment with that target
    revision is ours, even if others deploy meanwhile.

    Raises:
        PersonNeeded: There is none.
    """
    number = newest_revision(service, task_definition)
    for _ in range(_PIN_TRIES):
        for brief in ecs.deployments(limit=20):
            if brief.get("targetServiceRevisionArn", "").rpartition("/")[2] == number:
                return str(brief["serviceDeploymentArn"])
        clock.sleep(poll / 4)
    raise PersonNeeded(
        f"ECS accepted the update of {ecs.name} but shows no service deployment for revision {number}",
        changed="the service was updated",
        hint="invoke status",
    )


def newest_revision(service: Mapping[str, Any], task_definition: str) -> str:
    """Return a task definition's newest service revision; raise `PersonNeeded` if there is none."""
    found = [each for each in service["deployments"] if each["taskDefinition"] == task_definition]
    if not found:
        raise PersonNeeded(f"ECS shows no deployment of {task_definition}", hint="invoke status")
    newest = max(found, key=lambda each: (each["status"] == "PRIMARY", str(each.get("createdAt", ""))))
    return str(newest["id"]).rpartition("/")[2]


def watch_to_end(
    run: Run,
    pinned: PinnedDeployment,
    *,
    until: str = "done",
    begin: Callable[[Watch], Mapping[str, Any]] = lambda _watch: {},
) -> Deployed:
    """Watch a deployment to its end, or as far as asked, and record how it ended.

    Args:
        until: A word of `UNTIL`; a deployment without a pause for tests is watched to its end.
        begin: Acts once the watch can act upon interrupts; returns what is recorded with the ending.

    Raises:
        DeploymentFailed: The release was rolled back.
        PersonNeeded: The rollback failed, or the state is unknown.
    """
    _announce(run, pinned)
    watch = _watch_of(run, pinned)
    run.in_flight = True
    with _interruptible(run, pinned, watch):
        data = begin(watch)
        ending = watch.run(until=() if _untested(run, pinned) else UNTIL[until])
    run.in_flight = False
    run.seconds |= ending.seconds
    if ending.phase is Phase.SUCCEEDED and pinned.kind == "deploy":
        _check_production(run, pinned)
    return finish(run, pinned, ending, **data)


def _announce(run: Run, pinned: PinnedDeployment) -> None:
    """Show what is going to be watched and how long it may take, in seconds on the clock."""
    before, policy = pinned.before, run.policy
    run.console.state(
        "watching",
        deployment=pinned.arn,
        release=pinned.release,
        all_at_once=pinned.all_at_once,
        started=before.started if before else run.clock.timestamp(),
        canary_since=before.canary_since if before else None,
        minute=run.clock.minute,
        origin=run.clock.origin,
        healthy_within=policy.healthy_within,
        canary_time=0.0 if pinned.all_at_once else policy.canary_time,
        bake_time=0.0 if pinned.all_at_once else float(run.env.deployment.bake_time),
        ends_within=policy.ends_within,
    )
    run.console.remark(expectation(run, pinned))


def expectation(run: Run, pinned: PinnedDeployment) -> str:
    """Return what a watch waits for, how long that may take, and what to do if it is cut short."""
    if pinned.kind == "stop":
        most = run.clock.words(run.policy.rollback_within)
        return f"waiting for ECS to roll back, at most {most}; to follow it: invoke status {run.env.options}"
    usual = 0.0 if pinned.all_at_once else run.policy.canary_time + float(run.env.deployment.bake_time)
    takes = f"about {run.clock.words(usual)} once the new tasks are healthy, " if usual else ""
    return (
        f"waiting for ECS: {takes}at most {run.clock.words(run.policy.ends_within)}; "
        f"if this command is killed: invoke watch {run.env.options}"
    )


def _watch_of(run: Run, pinned: PinnedDeployment) -> Watch:
    """Return the watch: only a deploy is judged, and only ECS's alarms over a deploy must be on."""
    judge: Judge = NoJudge()
    monitors = None
    if pinned.kind == "deploy":
        judge = build_judge(run, pinned, run.recorder)
        env = run.env
        asked = all_at_once_configuration(env) if pinned.all_at_once else deployment_configuration(env)
        required = run.policy.unmonitored == "rollback" and not pinned.first
        monitors = Monitors.of(asked, required=required)
    return Watch(
        run,
        pinned.arn,
        judge=judge,
        test=partial(_test_release, run, pinned),
        monitors=monitors,
        before=pinned.before,
        look=lambda observed: Diagnosis(
            run, observed, task_definition=pinned.task_definition, deploy=run.recorder.deploy
        ).starting(),
    )


def _test_release(run: Run, pinned: PinnedDeployment) -> None:
    """Test the release through the test listener."""
    from samjhadoo_ops.checks import accept

    with _concealing(run, pinned):
        accept(run.env, run.aws, run.test, version=pinned.release)


@contextmanager
def _concealing(run: Run, pinned: PinnedDeployment) -> Iterator[None]:
    """Remove the release's secrets from the block's error, which may quote what its tasks answered."""
    try:
        yield
    except OpsError:
        with suppress(Exception):  # the test's failure is what matters
            run.conceal(pinned.task_definition)
        raise


def _untested(run: Run, pinned: PinnedDeployment) -> bool:
    """Return whether a deployment has no pause in which its release is tested before it gets traffic."""
    return pinned.all_at_once or run.env.deployment.strategy == "ROLLING"


def _check_production(run: Run, pinned: PinnedDeployment) -> None:
    """Test what users reach: everything, if nothing could be tested before; a failure needs a person."""
    from samjhadoo_ops.checks import accept, smoke

    began = run.clock.read()
    try:
        with _concealing(run, pinned):
            if _untested(run, pinned):
                accept(run.env, run.aws, run.production, version=pinned.release)
            else:
                smoke(run.env, run.production, version=pinned.release)
    except OpsError as error:
        raise PersonNeeded(
            f"the deployment succeeded, but the smoke test of production failed: {error.message}",
            changed=run.changed(),
            hint=_CORRECT if pinned.first else "invoke rollback returns to the previous release",
            details=error.details,
        ) from error
    run.seconds["smoke"] = round(run.clock.read() - began, 3)


@contextmanager
def _interruptible(run: Run, pinned: PinnedDeployment, watch: Watch) -> Iterator[None]:
    """On Ctrl-C or SIGTERM roll back or leave it to ECS, depending on the settings, and show which.

    Only a deploy is rolled back: stopping a rollback would return to the release that failed.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as interrupt:
        back = pinned.kind == "deploy" and run.policy.on_interrupt == "rollback" and not pinned.first
        if back:
            watch.stop("the deploy was interrupted")
            phase = watch.settle(_SETTLING)
            text = f"interrupted: the deployment is {phase.value}"
        else:
            phase = watch.phase
            text = f"interrupted: the deployment continues ({phase.value}); {_left_alone(pinned, phase)}"
        run.report("interrupted", text, phase=phase.name, deployment=pinned.arn)
        interrupted(run, phase, interrupt)
        raise


def _left_alone(pinned: PinnedDeployment, phase: Phase) -> str:
    """Return what ECS does by itself with a deployment that no run watches."""
    if pinned.kind == "stop":
        return "ECS ends the rollback by itself; invoke status shows how far it is"
    if pinned.all_at_once or phase in {Phase.BAKING, Phase.CLEANING_UP}:
        return "ECS completes it by itself; invoke watch waits for it, invoke rollback rolls it back"
    return "no run answers its pauses, so ECS rolls it back when they time out, unless you run: invoke watch"
