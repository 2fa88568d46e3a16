"""May this deploy happen here, now, with these credentials: account, lock, window, roles and secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.gates.gate import Facts, Finding, GatePolicy, gate, ok, refused, skipped
from samjhadoo_ops.errors import OpsError, Refused
from samjhadoo_ops.release.task_secrets import references, secret_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from samjhadoo_ops.deployment.gates.gate import Overrides
    from samjhadoo_ops.environment.schema import Windows

_TASKS, _ECS = "ecs-tasks.amazonaws.com", "ecs.amazonaws.com"
_ABSENT = frozenset({"ResourceNotFoundException", "ParameterNotFound", "ParameterVersionNotFound"})


@gate("the account is the environment's", policy=GatePolicy.MANDATORY)
def identity(facts: Facts) -> Finding:
    """Refuse credentials of another account than the environment's: no mistake is more expensive."""
    try:
        return ok(f"account {facts.aws.account_guard()}")
    except Refused as error:
        return refused(error.message, remedy=error.hint)


@gate("the deployment lock is free", policy=GatePolicy.MANDATORY)
def lock(facts: Facts) -> Finding:
    """Refuse while somebody else holds the deployment lock.

    Two deploys at once would both "succeed" in ECS: the second supersedes the first. `invoke unlock` breaks
    the lock of a deploy whose process is gone.
    """
    owner = facts.lock_owner()
    if owner is None:
        return ok("no other run holds it")
    return refused(f"held by {owner}", remedy="wait for it to end; if its process has died: invoke unlock")


@gate("the deployment window is open", overridable=False)
def window(facts: Facts) -> Finding:
    """Refuse outside the deployment window and in the maintenance window.

    Deployments happen when people are there to repair them, never while the database is being maintained.
    `--emergency` takes the place of `--override`.
    """
    return decide_window(facts.env.windows, facts.now, facts.overrides)


def decide_window(windows: Windows, now: datetime, overrides: Overrides) -> Finding:
    """Return the finding at a time, an aware one.

    An emergency goes through at any time, the maintenance window included: with a manager's approval where
    `windows.emergency` is `approval`.
    """
    maintained = windows.maintenance.contains(now)
    if not maintained and windows.deployment.contains(now):
        return ok(f"{_local(windows, now)} is within {windows.deployment}")
    why = (
        f"{_local(windows, now)} is in the maintenance window {windows.maintenance}"
        if maintained
        else f"{_local(windows, now)} is outside the deployment window {windows.deployment}"
    )
    if windows.emergency == "always":
        return ok(f"{why}, which windows.emergency allows")
    if not overrides.emergency or windows.emergency == "never":
        return refused(why, remedy=_when_it_opens(windows, now))
    if not overrides.approved_by:
        return refused(f"{why}, and nobody approved the emergency", remedy="add --approved-by MANAGER")
    if overrides.approved_by.casefold() not in {name.casefold() for name in windows.managers}:
        return refused(
            f"{why}, and {overrides.approved_by!r} is not one of the managers",
            remedy=f"windows.managers: {', '.join(windows.managers) or 'none yet, name them there'}",
        )
    return ok(f"{why}; emergency: {overrides.emergency}, approved by {overrides.approved_by}")


def _local(windows: Windows, moment: datetime) -> str:
    local = moment.astimezone(windows.deployment.timezone)
    return f"{local:%a %H:%M %Z}"


def _when_it_opens(windows: Windows, now: datetime) -> str:
    opening = f"it opens {windows.deployment.next_opening(now):%a %d %b %H:%M %Z}"
    if windows.deployment.contains(now):  # both windows at once
        opening = "wait for the maintenance to end"
    if windows.emergency == "never":
        return opening
    return f'{opening}; in an emergency: --emergency "why" --approved-by MANAGER'


@gate("the roles exist and may be passed")
def roles(facts: Facts) -> Finding:
    """Refuse when a role doesn't exist, doesn't trust ECS, or this caller may not pass it.

    ECS passes roles to tasks and takes one itself to move traffic; a missing one fails late and obscurely.
    """
    try:
        moves_traffic = len(facts.load_balancing.target_groups) > 1
        wanted = wanted_roles(facts.render(), facts.load_balancing.role if moves_traffic else "")
    except OpsError:
        return skipped("the task definition cannot be rendered")
    iam = facts.aws.client("iam")
    problems = [problem for arn, principal in wanted.items() if (problem := _problem(iam, arn, principal))]
    if problems:
        return refused("; ".join(problems), remedy="create or correct the role")
    denied, passable = _not_passable(facts, iam, list(wanted))
    if denied:
        return refused(
            f"this caller may not pass {', '.join(denied)}", remedy="allow it iam:PassRole for them"
        )
    return ok(f"{len(wanted)} exist{passable}")


def wanted_roles(document: Mapping[str, Any], infrastructure: str) -> dict[str, str]:
    """Return the roles of the task definition and ECS's own, if any, each with whom it must trust."""
    tasks = {str(document[key]): _TASKS for key in ("executionRoleArn", "taskRoleArn") if document.get(key)}
    return {**tasks, **({infrastructure: _ECS} if infrastructure else {})}


def trusts(document: Mapping[str, Any], principal: str) -> bool:
    """Return whether a trust policy lets a service assume the role; conditions are not evaluated."""
    statements = document.get("Statement", ())
    for statement in [statements] if isinstance(statements, dict) else statements:
        allowed = statement.get("Principal", {})
        services = allowed.get("Service", ()) if isinstance(allowed, dict) else allowed
        names = [services] if isinstance(services, str) else services
        if statement.get("Effect") == "Allow" and ({principal, "*"} & set(names)):
            return True
    return False


def role_of(caller: str) -> str:
    """Return the ARN of the role or user behind a caller's ARN: a session is not a principal of policies."""
    if ":assumed-role/" not in caller:
        return caller
    account, name = caller.split(":")[4], caller.split("/")[1]
    return f"arn:aws:iam::{account}:role/{name}"


def is_root(caller: str) -> bool:
    """Return whether an ARN is an account's root user, whom no policy of its own account restricts.

    Source: IAM user guide, "AWS account root user"; it is no principal of SimulatePrincipalPolicy either.
    """
    return caller.endswith(":root")


def _problem(iam: Any, arn: str, principal: str) -> str:
    name = arn.rpartition("/")[2]
    try:
        role = iam.get_role(RoleName=name)["Role"]
    except iam.exceptions.NoSuchEntityException:
        return f"there is no role {arn}"
    policy = role.get("AssumeRolePolicyDocument") or {}
    if isinstance(policy, dict) and not trusts(policy, principal):
        return f"{arn} does not trust {principal}"
    return ""


def _not_passable(facts: Facts, iam: Any, arns: list[str]) -> tuple[list[str], str]:
    """Return the roles that may not be passed, and what is known when none is denied.

    Few deployers may run a simulation (iam:SimulatePrincipalPolicy), and emulators have none.
    """
    from botocore.exceptions import ClientError
    from botocore.parsers import ResponseParserError

    try:
        caller = role_of(facts.aws.caller)
        if is_root(caller):
            return [], " and may be passed"
        answer = iam.simulate_principal_policy(
            PolicySourceArn=caller, ActionNames=["iam:PassRole"], ResourceArns=arns
        )
    except ClientError as error:
        return [], f"; whether they may be passed is unknown ({error.response['Error']['Code']})"
    except ResponseParserError:
        return [], "; whether they may be passed is unknown"
    results = answer["EvaluationResults"]
    denied = [each["EvalResourceName"] for each in results if each["EvalDecision"] != "allowed"]
    return denied, " and may be passed"


@gate("secrets and parameters exist")
def secrets(facts: Facts) -> Finding:
    """Refuse when a secret or parameter that the task definition names doesn't exist.

    A task whose secret is missing never starts; better to know before the migration than after it.
    """
    from botocore.exceptions import ClientError

    try:
        document = facts.render()
    except OpsError:
        return skipped("the task definition cannot be rendered")
    missing, count = [], 0
    for name, reference in references(document):
        count += 1
        try:
            found = _describe_secret(facts, reference)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _ABSENT:
                missing.append(f"{name} ({reference}: {code})")
            elif code == "ValidationException" and not reference.startswith("arn:"):
                missing.append(f"{name} ({reference} is not a parameter's name; a secret needs its full ARN)")
            else:
                raise
        else:
            if found.get("DeletedDate"):
                missing.append(f"{name} ({reference}: it is being deleted)")
    if missing:
        return refused(f"missing: {', '.join(missing)}", remedy="create them, or correct the task definition")
    return ok(f"{count} of {count}")


def _describe_secret(facts: Facts, reference: str) -> dict[str, Any]:
    """Check whether the secret exists; its value is never read."""
    if ":secretsmanager:" in reference:
        found: dict[str, Any] = facts.aws.client("secretsmanager").describe_secret(
            SecretId=secret_id(reference)
        )
        return found
    name = reference.partition(":parameter")[2] or reference
    facts.aws.client("ssm").get_parameter(Name=name)
    return {}
