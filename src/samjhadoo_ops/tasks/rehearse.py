from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError, ExitCode, OpsError
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(
    help={
        "scenario": "Scenario to run; may be repeated. Default: the quick ones.",
        "all": "Run every scenario.",
        "show": "List the scenarios without running any.",
        "retries": "How often to repeat a failed scenario; the table shows every attempt.",
        "keep": "Keep the rehearsal's project and stack for inspection.",
    },
    example="invoke rehearse --scenario healthy",
)
def rehearse(
    c: Context,
    *,
    env: str = "local",
    scenario: tuple[str, ...] = (),
    all: bool = False,  # noqa: A002 - the flag's name
    show: bool = False,
    keep: bool = False,
    retries: int = 0,
) -> None:
    """Rehearse good and bad releases on a local stack."""
    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.console import current_console
    from samjhadoo_ops.environment import load_environment
    from samjhadoo_ops.rehearsal.rehearsal import COLUMNS, SHOWN, Rehearsal, failed_for_good, for_people, row
    from samjhadoo_ops.rehearsal.scenario import scenarios

    settings, console = load_environment(env), current_console()
    if settings.stack is None:
        raise ConfigurationError(f"the environment {env} has no local stack", hint="use --env local")
    known = scenarios(settings.root)
    unknown = [name for name in scenario if name not in known]
    if unknown:
        raise ConfigurationError(
            f"there is no scenario {', '.join(unknown)}", hint="invoke rehearse --show lists the scenarios"
        )
    chosen = [
        each for name, each in known.items() if all or name in scenario or (not scenario and each.quick)
    ]
    if show or c.config.run.dry:
        listed = list(known.values()) if show else chosen
        console.table(("Name", "Title"), [(each.name, each.title) for each in listed], event="scenario")
        return
    played = Rehearsal(settings, console, keep=keep, retries=retries).run(chosen)
    console.records(COLUMNS, [row(each) for each in played], event="rehearsed")
    clock = Clock(minute=settings.clock.minute)
    console.grid(SHOWN, [for_people(each, clock) for each in played])
    failed = failed_for_good(played)
    if failed:
        raise OpsError(
            f"{len(failed)} of {len(chosen)} scenarios did not end as expected",
            details=tuple(f"{each.scenario.name}: {problem}" for each in failed for problem in each.problems),
        )
    again = len(played) - len(chosen)
    count = "the scenario" if len(chosen) == 1 else f"all {len(chosen)} scenarios"
    text = f"{count} ended as expected"
    text += f"; {again} earlier attempts failed" if again else ""
    console.result("succeeded", ExitCode.SUCCEEDED, text)
