from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.tasks import logs

if TYPE_CHECKING:
    import pytest

    from conftest import Lab

InLab = "Callable[..., None]"


def awslogs(**options: str) -> dict[str, Any]:
    named = {f"awslogs-{key.replace('_', '-')}": value for key, value in options.items()}
    return {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/app", "awslogs-stream-prefix": "ecs", **named},
    }


def test_every_line_arrives_in_order_before_the_task_is_stopped(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        program = "for n in range(25000): print(n)\nprint()\nprint('last', end='')"
        image = lab.image(program)
        before = time.time_ns() // 1_000_000
        task = lab.run({"name": "app", "image": image, "logConfiguration": awslogs()})
        await lab.status(task, "STOPPED")
        assert lab.aws.events[f"ecs/app/{task.id}"] == [*map(str, range(25_000)), "last"]
        assert lab.aws.timestamps == sorted(lab.aws.timestamps)
        assert lab.aws.timestamps[0] >= before
        transcript = (lab.host.data_dir / "logs" / task.id / "app.log").read_text().splitlines()
        assert transcript[-2:] == ["", "last"]

    in_lab(script)


def test_lines_arrive_while_the_task_runs(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        task = lab.run(lab.shell("echo up; sleep 60", stopTimeout=0.1, logConfiguration=awslogs()))
        async with asyncio.timeout(30):
            await lab.aws.delivered.wait()
        assert task.last_status == "RUNNING"

    in_lab(script)


def test_batches_and_events_stay_within_the_limits(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        lab.aws.delay = 0.3  # lines pile up meanwhile
        program = (
            "import sys\n"
            "for n in range(30): print('y' * 100_000)\n"
            "sys.stdout.buffer.write(b'\\xff' * 300_000)"
        )
        image = lab.image(program)
        task = lab.run({"name": "app", "image": image, "logConfiguration": awslogs()})
        await lab.status(task, "STOPPED")
        events = lab.aws.events[f"ecs/app/{task.id}"]
        assert max(lab.aws.batches) <= 1_048_576
        assert max(len(event.encode()) for event in events) <= 262_144 - 26
        assert "".join(events) == "y" * 3_000_000 + "�" * 300_000

    in_lab(script)


def test_a_missing_group_stops_the_task_unless_it_is_to_be_made(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        task = lab.run(lab.shell("echo x", logConfiguration=awslogs(group="/none")))
        await lab.status(task, "STOPPED")
        assert task.stopped_reason == (
            "ResourceInitializationError: failed to validate logger args: "
            "create stream has been retried 1 times: failed to create Cloudwatch log stream: "
            "ResourceNotFoundException: The specified log group does not exist. : exit status 1"
        )
        options = awslogs(group="/none", create_group="true")
        task = lab.run(lab.shell("echo x", logConfiguration=options))
        await lab.status(task, "STOPPED")
        assert lab.aws.events[f"ecs/app/{task.id}"] == ["x"]

    in_lab(script)


def test_a_dead_log_service_does_not_hold_up_the_task(in_lab: InLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "CLOSE_SECONDS", 0.3)

    async def script(lab: Lab) -> None:
        lab.aws.dead = True
        task = lab.run(
            lab.shell("i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done", logConfiguration=awslogs())
        )
        await lab.status(task, "STOPPED")
        assert task.containers[0].exit_code == 0
        transcript = (lab.host.data_dir / "logs" / task.id / "app.log").read_text().splitlines()
        assert len(transcript) == 3000

    in_lab(script)
