"""All gates side by side, all findings at once, nothing changed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.gates import GATES
from samjhadoo_ops.deployment.gates.gate import Finding, Stage, State, refused, unknown
from samjhadoo_ops.errors import ConfigurationError, OpsError, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from samjhadoo_ops.console import Console
    from samjhadoo_ops.deployment.consent import Consent
    from samjhadoo_ops.deployment.gates.gate import Facts, Gate
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.environment.gates import Gates

_WIDTH = 8
"""Gates asked at once: most wait for AWS."""


def inspect(
    facts: Facts, gates: Iterable[Gate] | None = None, *, stage: Stage = Stage.SERVICE
) -> dict[str, Finding]:
    """Ask every gate of a stage that is not switched off, side by side; findings by the gates' names.

    Raises:
        ConfigurationError: `gates.policy` names a gate that doesn't exist, or switches off what must hold.

    """
    settings = facts.env.gates
    check_policy(facts.env)
    chosen = [
        gate
        for gate in (GATES.values() if gates is None else gates)
        if gate.stage is stage and policy_of(settings, gate) != "off"
    ]
    if not chosen:
        return {}
    with ThreadPoolExecutor(min(_WIDTH, len(chosen)), thread_name_prefix="gate") as pool:
        asked = [(gate, pool.submit(_ask, gate, facts)) for gate in chosen]
        return {
            gate.name: settle(gate, future.result(), settings=settings, consent=facts.consent)
            for gate, future in asked
        }


def check_policy(env: Environment) -> None:
    """Refuse a policy for a gate that doesn't exist, and one that opens what must hold.

    Raises:
        ConfigurationError: There is one.

    """
    for name, policy in env.gates.policy.items():
        where = f"{env.sources.get(('gates', 'policy', name), 'settings')}: gates.policy.{name}"
        if name not in GATES:
            raise ConfigurationError(
                f"{where}: there is no such gate", hint=f"gates: {', '.join(sorted(GATES))}"
            )
        if GATES[name].mandatory and policy != "refuse":
            raise ConfigurationError(f"{where}: this gate always refuses", hint="remove the line")


def policy_of(settings: Gates, gate: Gate) -> str:
    """Return what becomes of a gate's refusal: `refuse`, `warn`, or `off` when it is not asked."""
    return "refuse" if gate.mandatory else settings.policy.get(gate.name, gate.policy.value)


def settle(gate: Gate, finding: Finding, *, settings: Gates, consent: Consent) -> Finding:
    """Return what settings and overrides make of a finding."""
    if finding.state is State.UNKNOWN:
        closed = gate.mandatory or settings.on_unknown == "refuse"
        finding = replace(finding, state=State.REFUSED if closed else State.SKIPPED)
    if finding.state is not State.REFUSED:
        return finding
    if not gate.mandatory and policy_of(settings, gate) == "warn":
        return replace(finding, state=State.WARNED)
    reason = consent.overrides.get(gate.name, "")
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


def tell(console: Console, findings: Mapping[str, Finding]) -> None:
    """Tell each finding as an event."""
    for name, finding in findings.items():
        for line in lines({name: finding}):
            console.event("gate", line, gate=name, state=finding.state.value)


def refuse_closed(findings: Mapping[str, Finding]) -> None:
    """Go on only when no gate is closed.

    Raises:
        Refused: Some are; all findings are told.

    """
    closed = [name for name, finding in findings.items() if finding.state is State.REFUSED]
    if closed:
        hint = findings[closed[0]].remedy
        if closed[0] in GATES and GATES[closed[0]].overridable:
            hint = "; ".join(filter(None, [hint, f'or pass it once: --override {closed[0]}="why"']))
        raise Refused(
            f"refused before anything was deployed: {', '.join(closed)}", hint=hint, details=lines(findings)
        )


def _ask(gate: Gate, facts: Facts) -> Finding:
    """Return what a gate finds; one that fails closes itself and never the others."""
    from botocore.parsers import ResponseParserError

    from samjhadoo_ops.aws_errors import translate

    try:
        return gate.check(facts)
    except OpsError as error:
        return refused(error.message, remedy=error.hint, details=error.details)
    except ResponseParserError:
        return unknown("could not look: the answer was not AWS's")
    except Exception as error:  # noqa: BLE001 - a gate's fault is a finding
        told = translate(error)
        if told is not None:
            return unknown(f"could not look: {told.message}", remedy=told.hint)
        return refused(f"the gate failed: {type(error).__name__}: {error}", remedy="report it")
