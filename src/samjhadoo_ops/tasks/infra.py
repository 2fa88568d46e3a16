from __future__ import annotations

import json
from typing import TYPE_CHECKING

from invoke.collection import Collection

from samjhadoo_ops.console import current_console
from samjhadoo_ops.errors import ConfigurationError, ExitCode
from samjhadoo_ops.tasks.services import ALL
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoke.context import Context

    from samjhadoo_ops.infrastructure.destroy import Doomed
    from samjhadoo_ops.infrastructure.proposals import InfrastructureContext
    from samjhadoo_ops.tasks.session import Session


@ops_task(example="invoke infra.plan --env staging")
def plan(_c: Context, *, env: str = "local") -> None:
    """Show what an apply would change; nothing changes."""
    session, infrastructure = _open(env)
    _show_plan(session, infrastructure)


@ops_task(
    help={
        "replace": "A data store that may be lost, as RESOURCE or STACK.RESOURCE; can be repeated.",
        "lock_wait": "Wait up to this long for another run's lock, for example 15m.",
        "yes": "Skip the confirmation.",
    },
    example="invoke infra.apply --env staging",
)
def apply(
    c: Context, *, env: str = "local", replace: tuple[str, ...] = (), lock_wait: str = "", yes: bool = False
) -> None:
    """Make or update the stacks."""
    from samjhadoo_ops.infrastructure.apply import apply as apply_stacks
    from samjhadoo_ops.tasks.session import seconds

    patience = seconds("--lock-wait", lock_wait)
    session, infrastructure = _open(env)
    if c.config.run.dry:
        _show_plan(session, infrastructure)
        return
    session.aws.account_guard()

    def confirm(show: Callable[[], None]) -> None:
        show()
        session.confirm(f"Apply these changes to {env}?", yes=yes)

    with session.counted():
        applied = apply_stacks(infrastructure, confirm=confirm, replace=replace, lock_wait=patience)
    outcome = "applied" if applied.names else "unchanged"
    session.console.result(
        outcome, ExitCode.SUCCEEDED, str(applied), made=applied.made, changed=applied.changed
    )


@ops_task(default=True, example="invoke infra.status --env production")
def status(_c: Context, *, env: str = "local") -> None:
    """Show the state of the stacks."""
    from samjhadoo_ops.infrastructure.cost import estimate
    from samjhadoo_ops.infrastructure.status import show_cost, show_status

    session, infrastructure = _open(env)
    missing = show_status(infrastructure)
    show_cost(session.console, estimate(session.env, infrastructure.stacks))
    text = f"{len(missing)} of the stacks do not exist yet" if missing else "every stack exists"
    commands = (f"invoke infra.plan --env {session.env.name}",) if missing else ()
    session.console.result("shown", ExitCode.SUCCEEDED, text, missing=missing, commands=commands)


@ops_task(example="invoke infra.drift --env production")
def drift(_c: Context, *, env: str = "local") -> None:
    """Show what was changed by other means than the stacks."""
    from samjhadoo_ops.infrastructure.drift import drifts

    session, infrastructure = _open(env)
    found = drifts(infrastructure)
    for each in found:
        session.console.state("drift", **each.fields)
        session.console.show(
            f"! {each.stack}: {each.id} ({each.type}) {each.physical}: {each.status.lower()}"
        )
        for path, expected, actual in each.differences:
            session.console.show(f"    {path}: expected {expected or '(none)'}, found {actual or '(none)'}")
    resources = "1 resource has" if len(found) == 1 else f"{len(found)} resources have"
    text = f"{resources} drifted" if found else "nothing has drifted"
    session.console.result("drifted" if found else "in-sync", ExitCode.SUCCEEDED, text, resources=len(found))


@ops_task(
    help={
        "data": "A stack whose data stores may be deleted; can be repeated.",
        "yes": "Skip the confirmation.",
    },
    example="invoke infra.destroy --env staging --data data",
)
def destroy(c: Context, *, env: str = "local", data: tuple[str, ...] = (), yes: bool = False) -> None:
    """Delete the stacks, the last one first."""
    from samjhadoo_ops.infrastructure.destroy import destroy as destroy_stacks
    from samjhadoo_ops.infrastructure.destroy import doomed_stacks

    session, infrastructure = _open(env)
    if c.config.run.dry:
        _show_doomed(session, doomed_stacks(infrastructure))
        return
    session.aws.account_guard()

    def confirm(doomed: list[Doomed]) -> None:
        _show_doomed(session, doomed)
        session.confirm(f"Delete these stacks of {env}?", yes=yes)

    with session.counted():
        deleted = destroy_stacks(infrastructure, named=data, confirm=confirm)
    text = f"deleted {', '.join(deleted)}" if deleted else "there are no stacks"
    session.console.result("deleted" if deleted else "unchanged", ExitCode.SUCCEEDED, text, deleted=deleted)


@ops_task(
    help={
        **ALL,
        "role": "ARN of the role that releases (default: aws.role_arn).",
        "part": "Print only this one of several policies.",
    },
    example="invoke infra.policy --env production > policy.json",
)
def policy(
    _c: Context,
    *,
    env: str = "local",
    service: str = "",
    role: str = "",
    part: int = 0,
) -> None:
    """Print the least IAM policy of the role that releases."""
    from samjhadoo_ops.environment import load_environment
    from samjhadoo_ops.environment.outputs import resolve_outputs
    from samjhadoo_ops.infrastructure.policy import LARGEST, names_outputs, policies, size
    from samjhadoo_ops.tasks.session import not_negative, open_session

    not_negative("--part", part)
    console, environment = current_console(), load_environment(env, service=service)
    found = policies(environment, role=role)
    if names_outputs(found):
        aws = open_session(env, service=service, common=True).aws
        found = policies(environment, role=role, resolve=lambda each: resolve_outputs(each, aws))
    if part > len(found):
        raise ConfigurationError(f"--part {part}: expected a number up to {len(found)}")
    if len(found) > 1 and not part:
        console.line(
            f"{len(found)} policies, because one has at most {LARGEST} characters; attach all of them to the "
            "role. --part 1 prints the first"
        )
    for document in found[part - 1 : part] if part else found:
        console.state("policy", document=document, characters=size(document))
        for line in json.dumps(document, indent=2).splitlines():
            console.command(line)


collection = Collection("infra", plan, apply, status, drift, destroy, policy)
collection.__doc__ = "Make what a release needs, from the templates in infrastructure/."


def _open(env: str) -> tuple[Session, InfrastructureContext]:
    from samjhadoo_ops.infrastructure.proposals import InfrastructureContext
    from samjhadoo_ops.tasks.session import open_session

    session = open_session(env, common=True)
    return session, InfrastructureContext(session.env, session.aws, session.clock, session.console)


def _show_plan(session: Session, infrastructure: InfrastructureContext) -> None:
    from samjhadoo_ops.infrastructure.cost import estimate
    from samjhadoo_ops.infrastructure.plan import show, totals

    session.aws.account_guard()
    proposals = infrastructure.propose()
    try:
        show(infrastructure, proposals)
    finally:
        infrastructure.discard(proposals)
    estimated = estimate(session.env, infrastructure.stacks)
    session.console.show(f"{estimated}")
    unchanged = all(proposal.unchanged for proposal in proposals)
    commands = () if unchanged else (f"invoke infra.apply --env {session.env.name}",)
    outcome = "unchanged" if unchanged else "planned"
    session.console.result(
        outcome,
        ExitCode.SUCCEEDED,
        totals(proposals),
        commands=commands,
        month=round(estimated.dollars),
        prices=estimated.date,
    )


def _show_doomed(session: Session, doomed: list[Doomed]) -> None:
    for each in doomed:
        stores = f": with {', '.join(each.stores)}" if each.stores else ""
        session.console.show(f"- {each.stack.key} ({each.stack.name}){stores}", stack=each.stack.key)
