from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.ecs.tasks import container_run

if TYPE_CHECKING:
    from conftest import Lab

InLab = "Callable[..., None]"
FOREVER = "exec sleep 60"


def test_a_task_goes_through_every_state_and_records_when(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        task = lab.run(lab.shell(FOREVER))
        assert task.last_status == "PROVISIONING"
        await lab.status(task, "RUNNING")
        lab.tasks.stop(task, reason="enough", code="UserInitiated")
        lab.tasks.stop(task, reason="again", code="ServiceSchedulerInitiated")
        await lab.status(task, "STOPPED")
        assert lab.history[task.id] == [
            "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED",
        ]  # fmt: skip
        view = task.describe()
        assert (view["stoppedReason"], view["stopCode"]) == ("enough", "UserInitiated")
        times = [
            "createdAt",
            "pullStartedAt",
            "pullStoppedAt",
            "startedAt",
            "stoppingAt",
            "executionStoppedAt",
            "stoppedAt",
        ]
        assert [view[name] for name in times] == sorted(view[name] for name in times)
        assert view["containers"][0]["exitCode"] == 143
        assert list((lab.host.data_dir / "tasks").glob("*")) == []

    in_lab(script)


def test_the_end_of_an_essential_container_ends_the_task(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        task = lab.run(lab.shell("exit 7", "main"), lab.shell(FOREVER, "side"))
        await lab.status(task, "STOPPED")
        assert task.stopped_reason == "Essential container in task exited"
        assert task.stop_code == "EssentialContainerExited"
        assert [each.exit_code for each in task.containers] == [7, 143]

    in_lab(script)


def test_the_end_of_another_container_does_not(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        task = lab.run(lab.shell(FOREVER, "main"), lab.shell("exit 1", "side", essential=False))
        await lab.until(lambda: task.containers[1].last_status == "STOPPED" and task.last_status == "RUNNING")
        await asyncio.sleep(0.1)
        assert task.last_status == "RUNNING"

    in_lab(script)


def test_a_container_that_ignores_sigterm_is_killed_after_its_stop_timeout(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        ready = lab.host.data_dir / "ready"
        task = lab.run(
            lab.shell(f"trap '' TERM; touch {ready}; while :; do sleep 0.02; done", stopTimeout=0.4)
        )
        await lab.status(task, "RUNNING")
        await lab.written(ready)
        started = time.monotonic()
        lab.tasks.stop(task, reason="", code="UserInitiated")
        await lab.status(task, "STOPPED")
        assert 0.4 <= time.monotonic() - started < 20
        assert task.containers[0].exit_code == 137

    in_lab(script)


def test_containers_start_in_the_order_of_their_dependencies_and_stop_in_reverse(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        folder = lab.host.data_dir
        note = "echo {0} >> " + str(folder / "order")
        ready = folder / "ready"
        task = lab.run(
            lab.shell(
                f"trap '{note.format('app-end')}; exit' TERM; {note.format('app')}; "
                "while :; do sleep 0.02; done",
                dependsOn=[
                    {"containerName": "once", "condition": "SUCCESS"},
                    {"containerName": "cache", "condition": "HEALTHY"},
                ],
            ),
            lab.shell(f"sleep 0.2; {note.format('once')}", "once", essential=False),
            lab.shell(
                f"trap '{note.format('cache-end')}; exit' TERM; "
                f"sleep 0.3; {note.format('cache')}; touch {ready}; while :; do sleep 0.02; done",
                "cache",
                healthCheck={"command": ["CMD-SHELL", f"test -e {ready}"]},
                dependsOn=[{"containerName": "once", "condition": "COMPLETE"}],
            ),
        )
        await lab.status(task, "RUNNING")
        await lab.written(folder / "order", "app")
        lab.tasks.stop(task, reason="", code="UserInitiated")
        await lab.status(task, "STOPPED")
        assert (folder / "order").read_text().split() == ["once", "cache", "app", "app-end", "cache-end"]

    in_lab(script)


@pytest.mark.parametrize(
    ("condition", "command"),
    [("SUCCESS", "exit 1"), ("HEALTHY", "exit 0")],
)
def test_a_dependency_that_can_never_be_fulfilled_fails_the_task(
    in_lab: InLab, condition: str, command: str
) -> None:
    async def script(lab: Lab) -> None:
        task = lab.run(
            lab.shell(FOREVER, dependsOn=[{"containerName": "once", "condition": condition}]),
            lab.shell(command, "once", essential=False),
        )
        await lab.status(task, "STOPPED")
        assert (task.stopped_reason, task.stop_code) == ("Task failed to start", "TaskFailedToStart")
        assert "container ordering dependency" in task.containers[0].reason

    in_lab(script)


@pytest.mark.parametrize("own", [{"startTimeout": 1}, {}], ids=["its start timeout", "the default"])
def test_a_task_waits_only_so_long_for_a_sidecar_that_never_becomes_healthy(
    in_lab: InLab, monkeypatch: pytest.MonkeyPatch, own: dict[str, int]
) -> None:
    monkeypatch.setattr(container_run, "DEPENDENCY_TIMEOUT", 1)
    monkeypatch.setattr(container_run, "LEAST_DEPENDENCY_TIMEOUT", 1)

    async def script(lab: Lab) -> None:
        task = lab.run(
            lab.shell(FOREVER, dependsOn=[{"containerName": "side", "condition": "HEALTHY"}]),
            lab.shell(FOREVER, "side", healthCheck={"command": ["CMD", "false"], "retries": 1}, **own),
        )
        await lab.status(task, "STOPPED")
        assert task.stopped_reason == "Task failed to start"
        assert task.containers[0].reason.endswith(
            "dependency graph: container ordering dependency [side] for target [app] has timed out."
        )

    in_lab(script)


def test_an_image_that_is_not_there_is_the_stopped_reason(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        image = lab.registry.reference("none")
        task = lab.run({"name": "app", "image": image})
        await lab.status(task, "STOPPED")
        assert task.stop_code == "TaskFailedToStart"
        assert task.stopped_reason.startswith("CannotPullContainerError: ")
        assert task.containers[0].reason == task.stopped_reason
        assert "exitCode" not in task.describe()["containers"][0]

    in_lab(script)


def test_a_command_that_is_not_there_fails_the_task(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        task = lab.run({"name": "app", "image": lab.image(), "command": ["nothing"]})
        await lab.status(task, "STOPPED")
        assert task.stopped_reason == "Task failed to start"
        assert task.containers[0].reason.startswith("CannotStartContainerError: ")

    in_lab(script)


def test_health_follows_the_check_and_only_essential_containers_count(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        lab.host.data_dir.mkdir()
        flag = lab.host.data_dir / "well"
        check: dict[str, Any] = {"command": ["CMD-SHELL", f"test -e {flag}"], "retries": 1, "startPeriod": 60}
        task = lab.run(
            lab.shell(FOREVER, healthCheck=check),
            lab.shell(
                FOREVER, "side", essential=False, healthCheck={"command": ["CMD", "false"], "retries": 1}
            ),
        )
        await lab.status(task, "RUNNING")
        await lab.until(lambda: task.containers[1].health_status == "UNHEALTHY")
        assert task.health_status == "UNKNOWN"
        flag.touch()
        await lab.until(lambda: task.health_status == "HEALTHY")
        flag.unlink()
        await lab.until(lambda: task.health_status == "UNHEALTHY")
        assert task.describe()["healthStatus"] == "UNHEALTHY"

    in_lab(script)


def test_a_restart_policy_restarts_without_ending_the_task(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        policy = {"enabled": True, "restartAttemptPeriod": 60, "ignoredExitCodes": [9]}
        lab.host.data_dir.mkdir()
        tries = lab.host.data_dir / "tries"
        command = f"echo x >> {tries}; sleep 0.3; [ $(wc -l < {tries}) -lt 3 ] || exit 9"
        task = lab.run(lab.shell(command, restartPolicy=policy))
        await lab.status(task, "STOPPED")
        assert tries.read_text().count("x") == 3
        assert task.containers[0].exit_code == 9

    in_lab(script)


def test_stopping_a_task_that_is_still_starting_leaves_nothing(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        container = lab.shell(FOREVER)
        tasks = [lab.run(container) for _ in range(6)]
        for number, task in enumerate(tasks):
            await asyncio.sleep(0.004 * number)
            lab.tasks.stop(task, reason="never mind", code="UserInitiated")
        for task in tasks:
            await lab.status(task, "STOPPED")
            assert task.stopped_reason == "never mind"
        assert list((lab.host.data_dir / "tasks").glob("*")) == []

    in_lab(script)


def test_ports_and_addresses_are_shown_while_a_task_runs(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        task = lab.run(lab.shell(FOREVER, portMappings=[{"containerPort": 8080}]))
        assert task.address("app", 8080) is None
        await lab.status(task, "RUNNING")
        address = task.address("app", 8080)
        assert address is not None
        binding = task.describe()["containers"][0]["networkBindings"][0]
        assert (binding["bindIP"], binding["hostPort"]) == address
        assert task.address("app", 1) is None
        assert task.address("none", 8080) is None

    in_lab(script)


def test_overrides_replace_the_command_and_win_over_the_environment(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        out = lab.host.data_dir / "out"
        task = lab.run(
            lab.shell("exit 1", environment=[{"name": "A", "value": "task"}, {"name": "B", "value": "task"}]),
            overrides={
                "containerOverrides": [
                    {
                        "name": "app",
                        "command": ["sh", "-c", f'echo "$A $B" > {out}'],
                        "environment": [{"name": "A", "value": "mine"}],
                    }
                ]
            },
        )
        await lab.status(task, "STOPPED")
        assert out.read_text() == "mine task\n"

    in_lab(script)


def test_a_thousand_tasks_without_processes_are_cheap(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        container = {
            "name": "app",
            "image": "any",
            "portMappings": [{"containerPort": 80}],
            "healthCheck": {"command": ["x"]},
        }
        started = time.process_time()
        tasks = [lab.run(container) for _ in range(1000)]
        await lab.until(lambda: all(task.last_status == "RUNNING" for task in tasks))
        assert {task.health_status for task in tasks} == {"HEALTHY"}
        for task in tasks:
            lab.tasks.stop(task, reason="", code="UserInitiated")
        await lab.until(lambda: all(task.last_status == "STOPPED" for task in tasks))
        assert time.process_time() - started < 10
        assert lab.aws.calls == []

    in_lab(script, runtime="noop")
