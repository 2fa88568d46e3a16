from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from samjhadoo_emulator.elbv2.data_plane import process as processes
from samjhadoo_emulator.elbv2.data_plane.discovery import Discovery, Key
from samjhadoo_emulator.elbv2.data_plane.documents import CLUSTERS, LISTENERS
from samjhadoo_emulator.elbv2.data_plane.process import EnvoyFailed, EnvoyProcess

KILLED_WITH_ITS_PARENT = """
import asyncio, pathlib, sys, time
from samjhadoo_emulator.elbv2.data_plane.discovery import Discovery, Key
from samjhadoo_emulator.elbv2.data_plane.process import EnvoyProcess
async def main():
    discovery = Discovery()
    for kind in ("clusters", "listeners"):
        discovery.publish(Key(kind), [])
    process = EnvoyProcess(pathlib.Path(sys.argv[1]), {}, discovery)
    await process.start()
    print(process.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.fixture
def folder():
    # Short enough for the admin endpoint's socket: a killed parent would leave one elsewhere behind.
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def envoy(folder, **environment):
    discovery = Discovery()
    for kind in (CLUSTERS, LISTENERS):
        discovery.publish(Key(kind), [])
    return EnvoyProcess(folder, environment, discovery)


async def until(check):
    deadline = time.monotonic() + 30
    while not check():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def test_envoy_carries_the_marker_and_ends_when_it_is_stopped(folder):
    async def scenario():
        process = envoy(folder, MARK="of the stack")
        await process.start()
        pid = process.pid
        assert psutil.Process(pid).environ()["MARK"] == "of the stack"
        await process.stop()
        assert not psutil.pid_exists(pid)

    asyncio.run(scenario())


def test_envoy_is_started_again_when_it_ends_by_itself(folder, caplog):
    async def scenario():
        process = envoy(folder)
        await process.start()
        first = process.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: process.pid != first)
        deadline = time.monotonic() + 30
        while True:
            try:
                if await process.admin.ready():
                    break
            except OSError:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.02)
        await process.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    assert "Envoy ended with status -9 and is started again" in caplog.text


def test_an_envoy_that_keeps_ending_is_given_up_and_that_is_logged(folder, caplog, monkeypatch):
    monkeypatch.setattr(processes, "RESTART_PAUSE", 0.0)
    monkeypatch.setattr(processes, "MOST_RESTARTS", 1)

    async def scenario():
        process = envoy(folder)
        await process.start()
        first = process.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: process.pid != first)
        os.kill(process.pid, signal.SIGKILL)
        await until(lambda: process.given_up)
        await process.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    assert "2 times in a row: the load balancers are down" in caplog.text


def test_an_envoy_that_cannot_start_is_reported_with_the_reason(folder, monkeypatch):
    monkeypatch.setattr(EnvoyProcess, "_bootstrap", lambda _: {"surprise": True})

    async def scenario():
        process = envoy(folder)
        try:
            with pytest.raises(EnvoyFailed, match="surprise"):
                await process.start()
        finally:
            await process.stop()

    asyncio.run(scenario())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_envoy_dies_with_a_killed_emulator(folder):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_WITH_ITS_PARENT, str(folder)], stdout=subprocess.PIPE, text=True
    ) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        gone, _ = psutil.wait_procs([child], timeout=30)
    assert gone


def test_a_socket_folder_elsewhere_is_called_after_the_stack(folder, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    envoy(folder / ("long" * 30), SAMJHADOO_STACK_ID="mark-1")
    assert [each.name.rpartition("-")[0] for each in folder.iterdir()] == ["samjhadoo-mark-1-envoy"]


def test_envoy_starts_even_where_the_folder_for_temporary_files_is_deep(tmp_path, monkeypatch):
    deep = tmp_path / ("long" * 30)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))

    async def scenario():
        process = envoy(deep)
        await process.start()
        await process.stop()

    asyncio.run(scenario())
