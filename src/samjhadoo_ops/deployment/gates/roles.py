"""ECS passes roles to tasks and takes one itself to move traffic; a missing one fails late and obscurely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused, skipped
from samjhadoo_ops.deployment.gates.gate import Gate
from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.deployment.gates.ground import Ground

_TASKS, _ECS = "ecs-tasks.amazonaws.com", "ecs.amazonaws.com"


def check(ground: Ground) -> Finding:
    """Refuse when a role doesn't exist, doesn't trust ECS, or this caller may not pass it."""
    try:
        wanted = wanted_roles(ground.render(), ground.listening.role)
    except OpsError:
        return skipped("the task definition doesn't render")
    iam = ground.aws.client("iam")
    problems = [problem for arn, principal in wanted.items() if (problem := _problem(iam, arn, principal))]
    if problems:
        return refused("; ".join(problems), remedy="create or correct the role")
    denied, told = _passable(ground, iam, list(wanted))
    if denied:
        return refused(
            f"this caller may not pass {', '.join(denied)}", remedy="allow it iam:PassRole for them"
        )
    return ok(f"{len(wanted)} there{told}")


def wanted_roles(document: Mapping[str, Any], infrastructure: str) -> dict[str, str]:
    """Return who must be trusted by each role: those of the task definition and ECS's own."""
    tasks = {str(document[key]): _TASKS for key in ("executionRoleArn", "taskRoleArn") if document.get(key)}
    return {**tasks, infrastructure: _ECS}


def trusts(document: Mapping[str, Any], principal: str) -> bool:
    """Tell whether a trust policy lets a service assume the role; conditions are not weighed."""
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
    """Tell whether an ARN is an account's root user, whom no policy of its own account restricts.

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


def _passable(ground: Ground, iam: Any, roles: list[str]) -> tuple[list[str], str]:
    """Return the roles that may not be passed, and what to say when nobody tells.

    Few deployers may ask for a simulation (iam:SimulatePrincipalPolicy), and emulators know none.
    """
    from botocore.exceptions import ClientError
    from botocore.parsers import ResponseParserError

    try:
        caller = role_of(ground.aws.client("sts").get_caller_identity()["Arn"])
        if is_root(caller):
            return [], " and passable"
        answer = iam.simulate_principal_policy(
            PolicySourceArn=caller, ActionNames=["iam:PassRole"], ResourceArns=roles
        )
    except ClientError as error:
        return [], f"; whether they may be passed is not told ({error.response['Error']['Code']})"
    except ResponseParserError:
        return [], "; whether they may be passed is not told"
    results = answer["EvaluationResults"]
    return [
        each["EvalResourceName"] for each in results if each["EvalDecision"] != "allowed"
    ], " and passable"


GATE = Gate("roles", "the roles are there and may be passed", check)
