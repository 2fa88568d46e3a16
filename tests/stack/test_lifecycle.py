"""How a stack starts, ends and dies; its processes are really killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from samjhadoo_ops import stack
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.processes import listen, start_time
from samjhadoo_ops.stack import lifecycle

UP = """
import sys
from pathlib import Path
from samjhadoo_ops import stack
from samjhadoo_ops.environment import load_environment
class Lines:
    def line(self, text): pass
stack.up(load_environment("local", root=Path(sys.argv[1])), Lines())
print("up", flush=True)
"""
LIMIT = 20.0


def start_from_shell(project, then: str) -> subprocess.Popen[str]:
    """Start the stack from a shell that then runs `then`; return the shell once the stack is up."""
    shell = subprocess.Popen(
        ["sh", "-c", f'"$0" -c "$1" "$2"; {then}', sys.executable, UP, str(project.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **project.variables},
    )
    assert shell.stdout is not None
    assert shell.stdout.readline() == "up\n"
    return shell


def close(shell: subprocess.Popen[str]) -> None:
    shell.wait(60)
    for pipe in (shell.stdin, shell.stdout):
        assert pipe is not None
        pipe.close()


def test_down_leaves_no_process_no_port_and_no_file(bare):
    bare.up()
    sockets = bare.sockets()
    assert len(sockets) >= 3
    assert bare.down()
    assert bare.processes() == []
    for address in sockets:
        with pytest.raises(ConnectionRefusedError), socket.create_connection(address, timeout=1):
            pass
    assert sorted(path.name for path in bare.paths.folder.iterdir()) == [
        "key",
        "stack.lock",
        "supervisor.log",
    ]
    assert list(bare.paths.leftovers()) == []
    assert not bare.down()


def test_two_starts_at_once_make_one_stack(bare):
    found = []
    threads = [threading.Thread(target=lambda: found.append(bare.up())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] == found[1]
    assert sum(start_time(pid) != "" and b"supervisor" in command(pid) for pid in bare.processes()) == 1


def test_taken_ports_are_replaced_by_free_ones(bare):
    wanted = bare.env.stack
    ports = (wanted.edge_port, wanted.postgres_port, wanted.redis_port)
    held = [listen(port) for port in ports]
    try:
        bare.up()
        paths = bare.state.endpoints
        moved = [int(place.rpartition(":")[2]) for place in (paths.aws, paths.postgres, paths.redis)]
        assert not set(moved) & set(ports)
        assert set(moved) <= {port for _, port in bare.sockets()}
    finally:
        for listener in held:
            listener.close()


@pytest.mark.parametrize("victim", ["emulator", "postgres", "redis", "watchdog"])
def test_the_stack_ends_when_a_process_is_killed_and_the_next_command_shows_why(bare, victim):
    bare.up()
    pid = bare.pid(victim)
    os.kill(pid, signal.SIGKILL)
    assert bare.seconds_until_gone(limit=2 * LIMIT) < LIMIT
    ended = lifecycle.why_ended(bare.env)
    assert ended is not None
    assert f"{victim} ({pid}) was killed" in ended.reason
    with pytest.raises(stack.StackNotRunning, match=f"{victim} .* was killed"):
        stack.ensure_up(bare.env, bare.console, start=False)
    if victim == "emulator":
        stack.ensure_up(bare.env, bare.console, start=True)
        assert any("the last stack ended" in line for line in bare.console.lines)
        assert lifecycle.why_ended(bare.env) is None


def test_the_stack_ends_when_its_supervisor_is_killed_and_its_state_file_is_then_ignored(bare):
    bare.up()
    os.kill(bare.state.supervisor.pid, signal.SIGKILL)
    assert bare.seconds_until_gone(limit=2 * LIMIT) < LIMIT
    assert bare.paths.state.exists()
    found = stack.status(bare.env)
    assert not found.running
    assert "supervisor" in found.reason
    assert bare.down()
    assert list(bare.paths.leftovers()) == []


def test_a_state_file_with_a_reused_pid_is_ignored(bare):
    import msgspec

    bare.up()
    state = bare.state
    bare.down()
    impostor = msgspec.structs.replace(state.supervisor, pid=os.getpid())
    from samjhadoo_ops.stack.state import write

    write(bare.paths.state, msgspec.structs.replace(state, supervisor=impostor))
    assert lifecycle.find(bare.env) is None
    assert bare.up()
    assert bare.state.id != state.id


def test_a_stack_without_its_state_file_is_found_and_ended(bare):
    bare.up()
    bare.paths.state.unlink()
    lost = bare.processes()
    assert bare.down()
    assert all(start_time(pid) == "" for pid in lost)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux reports how another process ended")
def test_the_stack_ends_when_the_shell_that_started_it_is_killed(bare):
    shell = start_from_shell(bare, "read line")
    shell.kill()
    close(shell)
    assert bare.seconds_until_gone(limit=2 * LIMIT) < LIMIT
    ended = lifecycle.why_ended(bare.env)
    assert ended is not None
    assert f"shell (sh, {shell.pid}) was killed by SIGKILL" in ended.reason


def test_the_stack_stays_when_the_shell_that_started_it_exits(bare, eventually):
    shell = start_from_shell(bare, "exit 3")
    close(shell)
    eventually(lambda: start_time(shell.pid) == "")
    assert bare.state.starter is not None
    assert bare.state.starter.pid == shell.pid
    assert stack.ensure_up(bare.env, bare.console, start=False)


@pytest.mark.parametrize(
    "owner",
    [pytest.param("9" * 5000, id="longest"), "0", "-1", " 1", "me", "²", "4194305"],
)
def test_an_owner_that_is_not_a_process_is_refused(bare, monkeypatch, owner):
    monkeypatch.setenv("SAMJHADOO_STACK_OWNER", owner)
    with pytest.raises(ConfigurationError, match="SAMJHADOO_STACK_OWNER: expected the id of a"):
        bare.up()
    assert list(bare.paths.leftovers()) == []


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="strangers are watched on Linux only")
def test_an_owner_that_cannot_be_watched_is_refused(bare, monkeypatch):
    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setenv("SAMJHADOO_STACK_OWNER", str(pool.submit(threading.get_native_id).result()))
        with pytest.raises(ConfigurationError, match="SAMJHADOO_STACK_OWNER"):
            bare.up()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="strangers are watched on Linux only")
def test_an_owner_that_ends_before_the_start_has_no_stack(bare):
    with subprocess.Popen(["sleep", "60"]) as owner:

        def kill_at_the_start(line: str) -> None:
            if line.startswith("starting"):
                owner.kill()
                owner.wait()

        with pytest.raises(lifecycle.StackFailed, match=rf"owner \({owner.pid}\) ended before"):
            lifecycle.start(bare.env, kill_at_the_start, owner=owner.pid)


def test_a_failing_hook_fails_the_start_and_leaves_nothing(bare):
    hooks = bare.root / "localstack" / "init" / "ready.d"
    hooks.mkdir(parents=True)
    (hooks / "10_broken.py").write_text("raise RuntimeError('no such thing')\n")
    with pytest.raises(lifecycle.StackFailed, match="10_broken.py failed: RuntimeError") as caught:
        bare.up()
    assert any("no such thing" in line for line in caught.value.details)
    assert any("no such thing" in line for line in caught.value.__notes__)
    assert bare.processes() == []
    assert not bare.paths.state.exists()
    assert list(bare.paths.leftovers()) == []


def test_a_containers_stack_without_an_engine_is_refused_with_the_address_that_was_tried(bare, monkeypatch):
    from samjhadoo_ops.environment import load_environment

    monkeypatch.setenv("DOCKER_HOST", f"unix://{bare.root}/nobody.sock")
    env = load_environment("local", root=bare.root, variables={"SAMJHADOO_STACK": "containers"})
    with pytest.raises(ConfigurationError, match=r"no Docker engine at unix://.*nobody\.sock") as refused:
        stack.up(env, bare.console)
    assert "SAMJHADOO_STACK=embedded" in refused.value.hint
    assert not bare.paths.state.exists()


def command(pid: int) -> bytes:
    with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
        return file.read()


def test_a_read_only_project_is_refused(bare):
    (bare.root / ".samjhadoo").write_text("no folder")
    with pytest.raises(lifecycle.StackFailed, match="cannot be written") as failed:
        lifecycle.start(bare.env, lambda _: None)
    assert "writable" in failed.value.hint
    (bare.root / ".samjhadoo").unlink()
