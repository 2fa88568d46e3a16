"""All gates side by side, all findings at once, nothing changed."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.aws_errors import AwsCallFailed, translate
from samjhadoo_ops.deployment.gates import GATES
from samjhadoo_ops.deployment.gates.gate import Facts, Finding, Overrides, Stage, State, refused, unknown
from samjhadoo_ops.deployment.lock import current_owner
from samjhadoo_ops.deployment.traffic import find_load_balancing
from samjhadoo_ops.errors import ConfigurationError, OpsError, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from samjhadoo_ops.console import Console
    from samjhadoo_ops.deployment.gates.gate import Gate
    from samjhadoo_ops.deployment.lock import LockOwner
    from samjhadoo_ops.deployment.run import ServiceContext
    from samjhadoo_ops.deployment.traffic import LoadBalancing
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.environment.schema import Gates
    from samjhadoo_ops.release import Identity

_WIDTH = 8
"""Gates evaluated at once: most wait for AWS."""

_LATEST = 100
_ABSENT = re.compile(r"NotFound|NoSuch|Malformed|DoesNotExist")
UNBUILT = "unbuilt"
"""Stands for image and version in a task definition that is only inspected."""


def inspect(
    facts: Facts, gates: Iterable[Gate] | None = None, *, stage: Stage = Stage.SERVICE
) -> dict[str, Finding]:
    """Evaluate a stage's gates in parallel, by name; see `check_policy` for errors."""
    settings = facts.env.gates
    check_policy(facts.env)
    chosen = [gate for gate in (GATES.values() if gates is None else gates) if gate.stage is stage]
    with ThreadPoolExecutor(_WIDTH, thread_name_prefix="gate") as pool:
        asked = [(gate, pool.submit(_ask, gate, facts)) for gate in chosen]
        return {
            gate.name: apply_policy(gate, future.result(), settings=settings, overrides=facts.overrides)
            for gate, future in asked
        }


def check_policy(env: Environment) -> None:
    """Raise `ConfigurationError` if a policy's gate does not exist, or must not be switched off."""
    for name, policy in env.gates.policy.items():
        where = _where(env, name)
        if name not in GATES:
            raise ConfigurationError(
                f"{where}: there is no such gate", hint=f"gates: {', '.join(sorted(GATES))}"
            )
        if GATES[name].mandatory and policy != "refuse":
            raise ConfigurationError(f"{where}: this gate always refuses", hint="remove the line")


def _where(env: Environment, name: str) -> str:
    return f"{env.sources.get(('gates', 'policy', name), 'settings')}: gates.policy.{name}"


def policy_of(settings: Gates, gate: Gate) -> str:
    """Return what a gate's refusal leads to: `refuse`, `warn`, or `off` when the gate is not evaluated."""
    return "refuse" if gate.mandatory else settings.policy.get(gate.name, gate.policy.value)


def apply_policy(gate: Gate, finding: Finding, *, settings: Gates, overrides: Overrides) -> Finding:
    """Return what settings and overrides make of a finding."""
    if finding.state is State.UNKNOWN:
        closed = gate.mandatory or settings.on_unknown == "refuse"
        finding = replace(finding, state=State.REFUSED if closed else State.SKIPPED)
    if finding.state is not State.REFUSED:
        return finding
    if not gate.mandatory and policy_of(settings, gate) == "warn":
        return replace(finding, state=State.WARNED)
    reason = overrides.reasons.get(gate.name, "")
    if reason and gate.overridable:
        return replace(
            finding, state=State.OVERRIDDEN, reason=f"{finding.reason}; overridden: {reason}", remedy=""
        )
    return finding


def lines(findings: Mapping[str, Finding]) -> tuple[str, ...]:
    """Return the findings as a tree, one line each, what was found in detail below."""
    tree: list[str] = []
    for name, finding in findings.items():
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        title = f"{GATES[name].title}: " if name in GATES else ""
        tree.append(f"[{finding.state.value}] {name}: {title}{finding.reason}{remedy}")
        tree.extend(f"    {detail}" for detail in finding.details)
    return tuple(tree)


_SHOWN = {
    State.REFUSED: ("✘", "refused"),
    State.WARNED: ("!", "warned"),
    State.OVERRIDDEN: ("!", "overridden"),
    State.OK: ("✔", "passed"),
    State.SKIPPED: ("\N{EN DASH}", "skipped"),
    State.UNKNOWN: ("\N{EN DASH}", "unknown"),
    State.OFF: ("\N{EN DASH}", "off"),
}
"""The symbol and the word for each state; what matters most comes first."""
_FINE = frozenset({State.OK, State.SKIPPED, State.UNKNOWN, State.OFF})
_OF = {Stage.SERVICE: "", Stage.SCHEMA: " of the migrations", Stage.IMAGE: " of the image"}


def summary(findings: Mapping[str, Finding], stage: Stage = Stage.SERVICE) -> str:
    """Return how many gates passed, were skipped and so on, and which are off, as one line for people."""
    counts = Counter(finding.state for finding in findings.values())
    (first, (symbol, word)), *rest = [
        (counts[state], shown) for state, shown in _SHOWN.items() if counts[state]
    ]
    noun = f"check{'' if first == 1 else 's'}{_OF[stage]}"
    off = ", ".join(name for name, finding in findings.items() if finding.state is State.OFF)
    counted = [f"{symbol} {first} {noun} {word}", *(f"{count} {word}" for count, (_, word) in rest)]
    return f"{', '.join(counted)}{f' ({off})' if off else ''}"


def shown(findings: Mapping[str, Finding], *, remedies: bool = True) -> tuple[str, ...]:
    """Return findings for people: the reason of each first, its details and its remedy on lines below."""
    found: list[str] = []
    for name, finding in findings.items():
        symbol, word = _SHOWN[finding.state]
        title = f"{GATES[name].title}: " if finding.state in _FINE and name in GATES else ""
        found.append(f"{symbol} {name} {word}: {title}{finding.reason}")
        found.extend(f"    {detail}" for detail in finding.details)
        if remedies and finding.remedy:
            found.append(f"    remedy: {finding.remedy}")
    return tuple(found)


def for_people(
    findings: Mapping[str, Finding], stage: Stage = Stage.SERVICE, *, verbose: bool = False
) -> tuple[str, ...]:
    """Return the summary, and in full what is not fine; all when `verbose`."""
    chosen = {name: finding for name, finding in findings.items() if verbose or finding.state not in _FINE}
    return (summary(findings, stage), *(f"  {line}" for line in shown(chosen))) if findings else ()


def report_findings(console: Console, findings: Mapping[str, Finding], stage: Stage = Stage.SERVICE) -> None:
    """Report each finding as an event, and to people the summary; what refuses is on the failure screen."""
    for name, finding in findings.items():
        for line in lines({name: finding}):
            console.state("gate", line, gate=name, state=finding.state.value)
    if not findings:
        return
    console.remark(summary(findings, stage))
    passed = {name: finding for name, finding in findings.items() if finding.state is not State.REFUSED}
    for line in for_people(passed, stage, verbose=console.verbose)[1:]:
        console.remark(line)


def require_passed(findings: Mapping[str, Finding]) -> None:
    """Raise `Refused`, with the reasons as details, if a gate refuses."""
    closed = {name: finding for name, finding in findings.items() if finding.state is State.REFUSED}
    if not closed:
        return
    first = next(iter(closed))
    several = len(closed) > 1
    hint = "correct them, then: invoke deploy" if several else closed[first].remedy
    if all(name in GATES and GATES[name].overridable for name in closed):
        options = " ".join(f'--override {name}="why"' for name in closed)
        them = "them" if several else first
        hint = "; ".join(filter(None, [hint, f"or pass {them} once: invoke deploy {options}"]))
    raise Refused(
        f"refused before anything was deployed: {', '.join(closed)}",
        hint=hint,
        details=shown(closed, remedies=several),
    )


def _ask(gate: Gate, facts: Facts) -> Finding:
    """Return what a gate finds, unless it is off; one that fails closes itself and never the others."""
    from botocore.parsers import ResponseParserError

    if policy_of(facts.env.gates, gate) == "off":
        return Finding(State.OFF, f"not checked: {_where(facts.env, gate.name)} is off")
    try:
        return gate.check(facts)
    except OpsError as error:
        return refused(error.message, remedy=error.hint, details=error.details)
    except ResponseParserError:
        return unknown("could not be checked: the answer did not come from AWS")
    except Exception as error:  # noqa: BLE001 - a gate's fault is a finding
        known = translate(error)
        if known is not None and is_absent(known):
            return refused(known.message, remedy="create it, or correct the setting: invoke config")
        if known is not None:
            return unknown(f"could not be checked: {known.message}", remedy=known.hint)
        return refused(f"the gate failed: {type(error).__name__}: {error}", remedy="report it")


def is_absent(error: OpsError) -> bool:
    """Return whether AWS has no such thing as the settings name: that is known, not unknown."""
    return isinstance(error, AwsCallFailed) and _ABSENT.search(error.code) is not None


def gather_facts(
    context: ServiceContext,
    overrides: Overrides | None = None,
    *,
    own: LockOwner | None = None,
    image: str = "",
) -> Facts:
    """Read the service, its deployments and its load balancer; nothing is changed.

    Args:
        overrides: The gates that this deploy overrides, with the reasons.
        own: This deploy as the lock's owner; None when it doesn't take the lock.
        image: An image that exists, deployed instead of a build.

    Raises:
        ConfigurationError: The task definition cannot be rendered, or the load balancer does not exist.
    """
    from samjhadoo_ops.release import render_task_definition

    document = render_task_definition(context.env, UNBUILT, UNBUILT)
    with ThreadPoolExecutor(2, thread_name_prefix="gather_facts") as pool:
        traffic, scaled = pool.submit(_traffic, context), pool.submit(_scaled, context)
        service = context.ecs.describe()
        deployments = context.ecs.deployments(limit=_LATEST) if service else []
        current = [revision["arn"] for revision in (service or {}).get("currentServiceRevisions", ())]
        revisions = context.ecs.revisions(current) if current else {}
        load_balancing, rules = traffic.result()
        is_scaled = scaled.result()
    return Facts(
        env=context.env,
        aws=context.aws,
        ecs=context.ecs,
        service=service,
        deployments=deployments,
        load_balancing=load_balancing,
        render=lambda: document,
        source=lambda: _source(context, image),
        revisions=revisions,
        rules=rules,
        scaled=is_scaled,
        entries=context.journal.entries,
        lock_owner=lambda: _other(context, own),
        clock=context.clock,
        overrides=overrides or Overrides(),
    )


def _source(context: ServiceContext, image: str) -> Identity:
    from samjhadoo_ops.release import Identity, existing, identify

    if not image:
        return identify(context.env)
    version = existing(context.env, context.aws, image).version
    return Identity(version, version)


def _scaled(context: ServiceContext) -> bool:
    """Return whether auto scaling decides how many tasks run; assumed where that may not be read."""
    from botocore.exceptions import ClientError

    settings = context.env.service
    try:
        answer = context.aws.client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="ecs",
            ResourceIds=[f"service/{settings.cluster}/{settings.name}"],
            ScalableDimension="ecs:service:DesiredCount",
        )
    except ClientError:
        return True
    return bool(answer["ScalableTargets"])


def _traffic(context: ServiceContext) -> tuple[LoadBalancing, dict[str, dict[str, Any]]]:
    elbv2 = context.aws.client("elbv2")
    load_balancing = find_load_balancing(elbv2, context.env)
    named = [arn for arn in (load_balancing.production_rule, load_balancing.test_rule) if arn]
    found = elbv2.describe_rules(RuleArns=named)["Rules"]
    return load_balancing, {rule["RuleArn"]: rule for rule in found}


def _other(context: ServiceContext, own: LockOwner | None) -> LockOwner | None:
    """Return who holds the lock, when it is neither free nor this deploy's own."""
    owner = current_owner(context.journal.store, context.journal.lock_key)
    mine = owner and own and (owner.token, owner.nonce) == (own.token, own.nonce)
    return None if mine else owner


def read_overrides(
    overrides: Iterable[str] | None = None, emergency: str = "", approved_by: str = ""
) -> Overrides:
    """Read `--override GATE=reason`, `--emergency` and `--approved-by`, or raise `ConfigurationError`."""
    reasons: dict[str, str] = {}
    for option in overrides or ():
        given, _, reason = option.partition("=")
        name = given.strip().replace("-", "_")
        gate = GATES.get(name)
        if gate is None:
            known = ", ".join(sorted(each.name for each in GATES.values() if each.overridable))
            raise ConfigurationError(
                f"--override {given.strip()}: there is no such gate", hint=f"gates: {known}"
            )
        if not gate.overridable:
            instead = "use --emergency and --approved-by" if name == "window" else "correct what it reports"
            raise ConfigurationError(f"--override {name}: this gate cannot be overridden", hint=instead)
        if not reason.strip():
            raise ConfigurationError(
                f"--override {name}: the reason is missing", hint=f'--override {name}="why it may be passed"'
            )
        reasons[name] = reason.strip()
    if approved_by.strip() and not emergency.strip():
        raise ConfigurationError("--approved-by approves an emergency", hint='add --emergency "why"')
    return Overrides(reasons, emergency.strip(), approved_by.strip())
