from __future__ import annotations

import io
import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from gate_facts import facts_of, with_settings

from samjhadoo_ops.console import Console
from samjhadoo_ops.deployment.gates import GATES
from samjhadoo_ops.deployment.gates.gate import (
    Finding,
    Gate,
    GatePolicy,
    Overrides,
    Stage,
    State,
    ok,
    recorded_overrides,
    refused,
    skipped,
    unknown,
)
from samjhadoo_ops.deployment.preflight import (
    inspect,
    lines,
    policy_of,
    read_overrides,
    report_findings,
    require_passed,
    summary,
)
from samjhadoo_ops.errors import ConfigurationError, OpsError, Refused

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.gates.gate import Facts
    from samjhadoo_ops.environment import Environment


def gate(name: str, finding: Finding | BaseException, **options: Any) -> Gate:
    def check(_: Facts) -> Finding:
        if isinstance(finding, BaseException):
            raise finding
        return finding

    return Gate(name, f"{name} holds", check, **options)


def test_all_gates_are_told_at_once_and_a_closed_one_refuses(env: Environment) -> None:
    gates = [
        gate("a", ok("fine")),
        gate("b", refused("no", remedy="do this", details=("x.sql:3: bad",))),
        gate("c", skipped("nothing to say")),
    ]
    findings = inspect(facts_of(env), gates)
    with pytest.raises(Refused, match="before anything was deployed: b") as refusal:
        require_passed(findings)
    assert refusal.value.details == ("✘ b refused: no", "    x.sql:3: bad")
    assert refusal.value.hint == "do this"
    assert len(lines(findings)) == 4
    assert int(refusal.value.exit_code) == 3


def test_each_of_several_refusals_has_its_remedy() -> None:
    closed = {name: refused(f"no {name}", remedy=f"do {name}") for name in ("alarms", "lock")}
    with pytest.raises(Refused) as refusal:
        require_passed({"roles": ok("3 exist"), **closed})
    assert refusal.value.details == (
        "✘ alarms refused: no alarms",
        "    remedy: do alarms",
        "✘ lock refused: no lock",
        "    remedy: do lock",
    )
    assert refusal.value.hint == "correct them, then: invoke deploy"  # the lock's cannot be overridden


def test_several_refusals_are_overridden_together() -> None:
    with pytest.raises(Refused) as refusal:
        require_passed({name: refused("no", remedy="do it") for name in ("alarms", "vcpu_quota")})
    assert refusal.value.hint == (
        "correct them, then: invoke deploy; "
        'or pass them once: invoke deploy --override alarms="why" --override vcpu_quota="why"'
    )


WARNED = Finding(State.WARNED, "too little", remedy="add more")


@pytest.mark.parametrize(
    ("findings", "stage", "expected"),
    [
        pytest.param(
            [ok("")] * 15 + [skipped("")] * 4, Stage.SERVICE, "✔ 15 checks passed, 4 skipped", id="fine"
        ),
        pytest.param([ok("")], Stage.SCHEMA, "✔ 1 check of the migrations passed", id="migrations"),
        pytest.param([skipped("")], Stage.IMAGE, "\N{EN DASH} 1 check of the image skipped", id="skipped"),
        pytest.param([ok(""), WARNED], Stage.SERVICE, "! 1 check warned, 1 passed", id="warned"),
        pytest.param(
            [ok(""), WARNED, refused("", remedy=""), refused("", remedy="")],
            Stage.SERVICE,
            "✘ 2 checks refused, 1 warned, 1 passed",
            id="refused",
        ),
    ],
)
def test_the_summary_counts_the_gates_the_worst_first(
    findings: list[Finding], stage: Stage, expected: str
) -> None:
    assert summary({str(number): finding for number, finding in enumerate(findings)}, stage) == expected


FINDINGS = {
    "roles": ok("3 exist"),
    "alarms": skipped("none are configured"),
    "canary_sample": WARNED,
    "lock": refused("held", remedy="wait"),
}
SUMMARY = "✘ 1 check refused, 1 warned, 1 passed, 1 skipped"
WARNING = ["  ! canary_sample warned: too little", "      remedy: add more"]


@pytest.mark.parametrize(
    ("verbose", "expected"),
    [
        pytest.param(False, [SUMMARY, *WARNING], id="counted"),
        pytest.param(
            True,
            [
                SUMMARY,
                "  ✔ roles passed: the roles exist and may be passed: 3 exist",
                "  \N{EN DASH} alarms skipped: no deployment alarm is firing: none are configured",
                *WARNING,
            ],
            id="verbose",
        ),
    ],
)
def test_a_run_shows_what_is_not_fine_and_leaves_refusals_to_the_failure_screen(
    verbose: bool, expected: list[str]
) -> None:
    err = io.StringIO()
    report_findings(Console(err=err, verbose=verbose), FINDINGS)
    assert [line[10:] for line in err.getvalue().splitlines()] == expected


def test_every_finding_is_an_event_whatever_people_see() -> None:
    out = io.StringIO()
    report_findings(Console("json", out=out), FINDINGS)
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(each["gate"], each["state"]) for each in events] == [
        ("roles", "ok"),
        ("alarms", "skipped"),
        ("canary_sample", "warning"),
        ("lock", "refused"),
    ]
    assert events[0] == {
        "event": "gate",
        "message": "[ok] roles: the roles exist and may be passed: 3 exist",
        "gate": "roles",
        "state": "ok",
    }


@pytest.mark.parametrize(
    ("error", "state", "said"),
    [
        pytest.param(
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetRole"),
            State.SKIPPED,
            "could not be checked: AWS GetRole: AccessDenied",
            id="access-denied",
        ),
        *(
            pytest.param(
                ClientError({"Error": {"Code": code, "Message": "no"}}, "X"), State.REFUSED, code, id=code
            )
            for code in (
                "InvalidSubnetID.NotFound",
                "InvalidSubnetID.Malformed",
                "InvalidGroup.NotFound",
                "RepositoryNotFoundException",
                "ClusterNotFoundException",
                "NoSuchBucket",
            )
        ),
        *(
            pytest.param(
                ClientError({"Error": {"Code": code, "Message": "no"}}, "X"), State.SKIPPED, code, id=code
            )
            for code in ("ThrottlingException", "InternalFailure", "UnrecognizedClientException")
        ),
        pytest.param(
            EndpointConnectionError(endpoint_url="http://x"),
            State.SKIPPED,
            "could not be checked",
            id="unreachable",
        ),
        pytest.param(OpsError("the file is gone", hint="bring it back"), State.REFUSED, "is gone", id="told"),
        pytest.param(
            ZeroDivisionError("oops"), State.REFUSED, "the gate failed: ZeroDivisionError", id="fault"
        ),
    ],
)
def test_a_gate_that_fails_is_a_finding_and_the_others_are_asked(
    env: Environment, error: BaseException, state: State, said: str
) -> None:
    found = inspect(facts_of(env), [gate("bad", error), gate("good", ok("fine"))])
    assert found["good"].state is State.OK
    assert found["bad"].state is state
    assert said in found["bad"].reason


def test_settings_say_what_becomes_of_what_cannot_be_known(env: Environment) -> None:
    strict = with_settings(env, "gates", on_unknown="refuse")
    gates = [gate("a", unknown("not told"))]
    assert inspect(facts_of(env), gates)["a"].state is State.SKIPPED
    assert inspect(facts_of(strict), gates)["a"].state is State.REFUSED
    mandatory = [gate("a", unknown("not told"), policy=GatePolicy.MANDATORY)]
    assert inspect(facts_of(env), mandatory)["a"].state is State.REFUSED


def test_settings_switch_a_gate_off_or_let_it_only_warn(env: Environment) -> None:
    def found(policy: str) -> dict[str, Finding]:
        settings = with_settings(env, "gates", policy={"alarms": policy})
        return inspect(facts_of(settings), [gate("alarms", refused("one fires", remedy="wait"))])

    off = found("off")
    assert off["alarms"].state is State.OFF
    require_passed(off)
    assert summary(off) == "\N{EN DASH} 1 check off (alarms)"
    (line,) = lines(off)
    assert line.startswith("[off] alarms: ")
    assert line.endswith("not checked: environments/base.toml: gates.policy.alarms is off")
    assert found("warn")["alarms"].state is State.WARNED
    require_passed(found("warn"))
    assert found("refuse")["alarms"].state is State.REFUSED


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"alarm": "off"}, "no such gate"),
        ({"identity": "off"}, "always refuses"),
        ({"lock": "warn"}, "always"),
    ],
)
def test_settings_for_no_gate_and_for_what_must_hold_are_errors(
    env: Environment, policy: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        inspect(facts_of(with_settings(env, "gates", policy=policy)), [])


def test_an_override_opens_its_gate_and_is_shown_with_its_reason(env: Environment) -> None:
    overrides = read_overrides(["alarms=known, ticket 12"])
    closed = refused("one fires", remedy="wait")
    found = inspect(facts_of(env, overrides=overrides), [gate("alarms", closed), gate("roles", closed)])
    assert found["alarms"].state is State.OVERRIDDEN
    assert "overridden: known, ticket 12" in lines(found)[0]
    assert found["roles"].state is State.REFUSED
    assert overrides.record == {"overrides": {"alarms": "known, ticket 12"}}


def test_what_cannot_be_overridden_stays_closed_whatever_the_journal_says(env: Environment) -> None:
    overrides = Overrides({"lock": "because"})
    closed = [gate("lock", refused("held", remedy="wait"), overridable=False, policy=GatePolicy.MANDATORY)]
    assert inspect(facts_of(env, overrides=overrides), closed)["lock"].state is State.REFUSED


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"overrides": ["alarm=x"]}, "no such gate", id="unknown"),
        pytest.param({"overrides": ["alarms"]}, "reason is missing", id="no-reason"),
        pytest.param({"overrides": ["alarms=  "]}, "reason is missing", id="blank-reason"),
        pytest.param({"overrides": ["identity=x"]}, "cannot be overridden", id="account"),
        pytest.param({"overrides": ["lock=x"]}, "cannot be overridden", id="lock"),
        pytest.param({"overrides": ["window=x"]}, "cannot be overridden", id="window"),
        pytest.param({"approved_by": "Asha"}, "approves an emergency", id="approval-of-nothing"),
    ],
)
def test_wrong_overrides_are_errors_of_usage(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as error:
        read_overrides(**options)
    assert int(error.value.exit_code) == 2
    assert error.value.hint


def test_overrides_survive_the_journal() -> None:
    overrides = read_overrides(["error-budget=this is the fix"], "payments are down", "Asha")
    assert overrides.reasons == {"error_budget": "this is the fix"}
    assert recorded_overrides({"release": "v1", **overrides.record}) == overrides
    assert recorded_overrides({}) == Overrides()


def test_the_settings_list_every_gate_with_the_policy_that_it_registers() -> None:
    base = tomllib.loads((Path(__file__).parents[3] / "environments" / "base.toml").read_text())
    assert base["gates"]["policy"] == {
        each.name: each.policy for each in GATES.values() if not each.mandatory
    }


def test_every_gate_has_a_policy_in_the_settings_and_a_sentence(env: Environment) -> None:
    assert {each.name for each in GATES.values() if not each.mandatory} == set(env.gates.policy)
    assert all(each.title and each.check.__doc__ for each in GATES.values())
    assert [each.name for each in GATES.values() if policy_of(env.gates, each) == "off"] == [
        "window",
        "clean_source",
        "vcpu_quota",
        "free_addresses",
    ]
    assert {each.name for each in GATES.values() if each.stage is not Stage.SERVICE} == {
        "migrations_linted",
        "migrations_runnable",
        "migrations_compatible",
        "image",
    }
