from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from samjhadoo_emulator.ecs.runtime import CannotStartError, Launch, process
from samjhadoo_emulator.ecs.runtime.process import ProcessRuntime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fake_registry import FakeRegistry, Files

    from samjhadoo_emulator.ecs.runtime import Container
    from samjhadoo_emulator.service import Host

REPORT = """
import json, os, sys
print(json.dumps({"argv": sys.argv, "cwd": os.getcwd(), "env": dict(os.environ), "exe": sys.executable}))
"""
SERVE = """
import http.server, os
port = int(os.environ[os.environ.get("WHICH", "PORT")])
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"served")
    def log_message(self, *args): pass
print("listening", flush=True)
http.server.HTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""


class Stage:
    """Starts containers of images given in the test and keeps what they print."""

    def __init__(self, host: Host, registry: FakeRegistry, runtime: ProcessRuntime) -> None:
        self.registry = registry
        self.runtime = runtime
        self.host = host
        self.lines: list[str] = []
        self._arrived = asyncio.Event()
        self._count = 0

    async def start(self, files: Files, config: dict[str, Any] | None = None, **launch: Any) -> Container:
        self._count += 1
        self.registry.push(f"image{self._count}", [files], **(config or {}))
        image = await self.runtime.pull(self.registry.reference(f"image{self._count}"))
        given = {"task_id": f"{self._count:032x}", "name": "app", "region": "ap-south-1", **launch}
        return await self.runtime.start(Launch(image=image, output=self._put, **given))

    def _put(self, line: bytes) -> None:
        self.lines.append(line.decode())
        self._arrived.set()

    async def line(self, wanted: str = "", *, count: int = 1) -> str:
        async with asyncio.timeout(60):
            while len(found := [line for line in self.lines if wanted in line]) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return found[0]


Script = "Callable[[Stage], Awaitable[None]]"


@pytest.fixture
def on_stage(host: Host, registry: FakeRegistry) -> Callable[[Script], None]:
    @asynccontextmanager
    async def stage() -> AsyncIterator[Stage]:
        runtime = ProcessRuntime(host)
        try:
            yield Stage(host, registry, runtime)
        finally:
            await runtime.close()

    def run(script: Script) -> None:
        async def main() -> None:
            async with stage() as made:
                await script(made)

        asyncio.run(main())

    return run


def test_paths_that_the_image_holds_are_mapped_and_others_are_not(on_stage: Callable[[Script], None]) -> None:
    async def script(stage: Stage) -> None:
        container = await stage.start(
            {"app/main.py": REPORT, "app/lib/x": "", "app/log/old": "", "api/v1": ""},
            {
                "Entrypoint": ["python", "/app/main.py"],
                "Cmd": ["--config=/app/lib/x", "http://host/api/v1", "/nowhere", "/app/log/new"],
                "WorkingDir": "/app",
                "Env": ["PYTHONPATH=/app/lib:/opt/none", "OWN=/app"],
            },
            environment={"ROUTE": "/api/v1", "DATA_DIR": "/app/lib"},
        )
        assert await container.wait() == 0
        seen = json.loads(stage.lines[0])
        root = seen["cwd"].removesuffix("/app")
        assert Path(root).is_relative_to(stage.host.data_dir)
        assert seen["argv"] == [
            f"{root}/app/main.py",
            f"--config={root}/app/lib/x",
            "http://host/api/v1",
            "/nowhere",
            f"{root}/app/log/new",
        ]
        assert seen["env"]["PYTHONPATH"] == f"{root}/app/lib:/opt/none"
        assert seen["env"]["OWN"] == f"{root}/app"
        assert seen["env"]["DATA_DIR"] == f"{root}/app/lib"
        assert seen["env"]["ROUTE"] == "/api/v1"
        assert Path(seen["exe"]).is_relative_to(stage.host.data_dir)

    on_stage(script)


def test_an_image_that_the_disk_has_no_room_for_is_not_copied(
    on_stage: Callable[[Script], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(stage: Stage) -> None:
        stage.registry.push("large", [{"main.py": "", "data": "x" * 1_000_000}], Cmd=["python", "/main.py"])
        image = await stage.runtime.pull(stage.registry.reference("large"))
        full = SimpleNamespace(f_bavail=400, f_frsize=4096, f_files=10, f_favail=9)
        monkeypatch.setattr("samjhadoo_emulator.ecs.runtime.room.os.statvfs", lambda _: full)
        with pytest.raises(CannotStartError, match="copy the image: .*half of the bytes that are free"):
            await stage.runtime.start(Launch(task_id="1", name="app", region="r", image=image))
        assert not list((stage.host.data_dir / "tasks").rglob("data"))

    on_stage(script)


def test_what_differs_from_the_base_image_is_in_the_log(on_stage: Callable[[Script], None]) -> None:
    async def script(stage: Stage) -> None:
        config = {"base": "python:3.1-slim", "Entrypoint": ["python", "/main.py"]}
        container = await stage.start({"main.py": "import boto3"}, config)
        assert await container.wait() == 1
        assert "python:3.1-slim has Python 3.1, but the task runs on Python 3." in stage.lines[0]
        assert stage.lines[-1] == "ModuleNotFoundError: No module named 'boto3'"

    on_stage(script)


def test_home_and_temporary_files_have_room_for_a_socket(on_stage: Callable[[Script], None]) -> None:
    code = "import os, socket, tempfile; from pathlib import Path; s = socket.socket(socket.AF_UNIX)\n"
    code += "s.bind(tempfile.mkdtemp() + '/a-socket-with-a-name.sock'); print(Path.home() / 'x', flush=True)"

    async def script(stage: Stage) -> None:
        made = [
            await stage.start({"main.py": code}, {"Entrypoint": ["python", "/main.py"]}, name=name * 100)
            for name in "ab"
        ]
        assert [await container.wait() for container in made] == [0, 0]
        homes = {Path(line).parent for line in stage.lines}
        assert len(homes) == 2
        await stage.runtime.release(f"{1:032x}")
        await stage.runtime.release(f"{2:032x}")
        assert not any(home.exists() for home in homes)

    on_stage(script)


def test_the_environment_is_a_containers_not_the_hosts(
    on_stage: Callable[[Script], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_SECRET", "x")

    async def script(stage: Stage) -> None:
        container = await stage.start(
            {"main.py": REPORT},
            {"Entrypoint": ["python", "/main.py"], "Env": ["A=image", "B=image", "HOST=0.0.0.0"]},
            environment={"B": "task", "AWS_REGION": "eu-west-1", "PORT": "8080"},
            ports=[8080, 9090],
            neighbours=[8080, 9090, 5000],
        )
        await container.wait()
        seen = json.loads(stage.lines[0])["env"]
        assert "HOST_SECRET" not in seen
        assert (seen["A"], seen["B"], seen["AWS_REGION"]) == ("image", "task", "eu-west-1")
        assert seen["AWS_ENDPOINT_URL"] == stage.host.edge_url
        assert seen["SAMJHADOO_STACK_ID"] == "test"
        assert seen["PORT"] == seen["SERVER_PORT"] == seen["PORT_8080"]
        assert len({seen["PORT_8080"], seen["PORT_9090"], seen["PORT_5000"]}) == 3
        assert seen["HOST"] == seen["SERVER_ADDRESS"] == "127.0.0.1"
        assert container.address(9090) == ("127.0.0.1", int(seen["PORT_9090"]))

    on_stage(script)


def test_the_containers_of_a_task_reach_one_another_at_localhost(on_stage: Callable[[Script], None]) -> None:
    read = "import sys, urllib.request as web; print(web.urlopen(sys.argv[1], timeout=60).read().decode())"

    async def script(stage: Stage) -> None:
        ports = {"task_id": "f" * 32, "neighbours": [9000, 8080]}
        side = await stage.start(
            {"main.py": SERVE}, {"Cmd": ["python", "/main.py"]}, name="side", ports=[9000], **ports
        )
        await stage.line("listening")
        command = {"Cmd": ["python", "-c", read, "http://localhost:9000/"]}
        await (await stage.start({"a": ""}, command, name="by-argument", **ports)).wait()
        await stage.line("served")
        variables = {
            "SIDE": "http://localhost:9000/health",
            "BOTH": "a=127.0.0.1:9000,b=[::1]:8080",
            "ELSEWHERE": "http://my.localhost:9000 localhost:90001 localhost:5432",
        }
        web = {"main.py": REPORT}, {"Entrypoint": ["python", "/main.py"]}
        await (await stage.start(*web, environment=variables, **ports)).wait()
        seen = json.loads(await stage.line("ELSEWHERE"))["env"]
        nine, eight = seen["PORT_9000"], seen["PORT_8080"]
        assert seen["SIDE"] == f"http://127.0.0.1:{nine}/health"
        assert seen["BOTH"] == f"a=127.0.0.1:{nine},b=127.0.0.1:{eight}"
        assert seen["ELSEWHERE"] == variables["ELSEWHERE"]
        side.kill()
        await side.wait()

    on_stage(script)


def test_two_tasks_write_to_files_of_their_own_and_leave_none(on_stage: Callable[[Script], None]) -> None:
    async def script(stage: Stage) -> None:
        files, config = (
            {"app/state": "0"},
            {"Cmd": ["sh", "-c", "echo $$ > /app/state; cat /app/state; sleep 60"]},
        )
        first, second = [await stage.start(files, config) for _ in range(2)]
        await stage.line(count=2)
        assert len(set(stage.lines)) == 2
        await asyncio.gather(first.stop(5), second.stop(5))
        for number in (1, 2):
            await stage.runtime.release(f"{number:032x}")
        assert list((stage.host.data_dir / "tasks").iterdir()) == []

    on_stage(script)


def test_an_image_of_many_files_is_linked_not_copied(
    on_stage: Callable[[Script], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MOST_COPIED", 5)

    async def script(stage: Stage) -> None:
        files: Files = {f"app/{number}": "old" for number in range(6)}
        command = "echo new > /app/new; mv /app/new /app/1; cat /app/1 /app/2"
        await (await stage.start(files, {"Cmd": ["sh", "-c", command]})).wait()
        assert stage.lines == ["new", "old"]
        image = await stage.runtime.pull(stage.registry.reference("image1"))
        assert image.rootfs is not None
        assert (image.rootfs / "app/1").read_text() == "old"
        assert (image.rootfs / "app/2").stat().st_nlink == 2

    on_stage(script)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param("exit 3", 3, id="exit"),
        pytest.param("kill -SEGV $$", 139, id="signal"),
    ],
)
def test_exit_codes_are_dockers(on_stage: Callable[[Script], None], command: str, code: int) -> None:
    async def script(stage: Stage) -> None:
        assert await (await stage.start({"x": ""}, {"Cmd": ["sh", "-c", command]})).wait() == code

    on_stage(script)


def test_stopping_sends_the_images_signal_and_waits(on_stage: Callable[[Script], None]) -> None:
    async def script(stage: Stage) -> None:
        command = "trap 'echo bye; exit 0' INT; echo ready; while :; do sleep 0.05; done"
        container = await stage.start({"x": ""}, {"Cmd": ["sh", "-c", command], "StopSignal": "SIGINT"})
        await stage.line("ready")
        await container.stop(5)
        assert await container.wait() == 0
        assert stage.lines[-1] == "bye"

    on_stage(script)


def test_a_container_that_does_not_stop_is_killed_with_all_its_processes(
    on_stage: Callable[[Script], None],
) -> None:
    async def script(stage: Stage) -> None:
        command = "trap '' TERM; setsid sleep 61.5 & sleep 62.5 & echo ready; while :; do sleep 0.05; done"
        container = await stage.start({"x": ""}, {"Cmd": ["sh", "-c", command]})
        await stage.line("ready")
        started = time.monotonic()
        await container.stop(0.3)
        assert 0.3 <= time.monotonic() - started < 30
        assert await container.wait() == 128 + signal.SIGKILL
        assert [each for each in commands() if "61.5" in each or "62.5" in each] == []

    on_stage(script)


def test_lines_come_in_order_cut_where_too_long_and_the_last_one_whole(
    on_stage: Callable[[Script], None],
) -> None:
    async def script(stage: Stage) -> None:
        program = (
            "import sys\n"
            "for n in range(2000): print(n, file=(sys.stdout, sys.stderr)[n % 2], flush=True)\n"
            "print('x' * 600000); sys.stdout.write('end')"
        )
        container = await stage.start({"main.py": program}, {"Cmd": ["python3", "/main.py"]})
        assert await container.wait() == 0
        assert stage.lines[:2000] == [str(number) for number in range(2000)]
        assert "".join(stage.lines[2000:-1]) == "x" * 600_000
        assert stage.lines[-1] == "end"

    on_stage(script)


def test_a_command_beside_the_container_sees_its_ports_and_is_cut_off(
    on_stage: Callable[[Script], None],
) -> None:
    async def script(stage: Stage) -> None:
        container = await stage.start({"main.py": SERVE}, {"Cmd": ["python", "/main.py"]}, ports=[8080])
        await stage.line("listening")
        check = "import urllib.request; urllib.request.urlopen('http://localhost:8080/', timeout=60)"
        assert await container.execute(["python", "-c", check], 60) == 0
        assert await container.execute(["sh", "-c", "exit 4"], 60) == 4
        started = time.monotonic()
        assert await container.execute(["sleep", "60"], 0.2) is None
        assert time.monotonic() - started < 30
        usage = await container.usage()
        assert usage is not None
        assert usage.memory_bytes > 1 << 20

    on_stage(script)


def test_an_application_that_binds_its_fixed_port_is_reached_all_the_same(
    on_stage: Callable[[Script], None],
) -> None:
    async def script(stage: Stage) -> None:
        with __import__("socket").create_server(("127.0.0.1", 0)) as probe:
            fixed = probe.getsockname()[1]
        container = await stage.start(
            {"main.py": SERVE},
            {"Cmd": ["python", "/main.py"]},
            environment={"WHICH": "FIXED", "FIXED": str(fixed)},
            ports=[fixed],
        )
        await stage.line("listening")
        address = container.address(fixed)
        assert address is not None
        assert address[1] != fixed

        def fetch() -> bytes:
            with urllib.request.urlopen(f"http://127.0.0.1:{address[1]}/", timeout=5) as answer:
                return answer.read()

        async with asyncio.timeout(60):
            while True:
                try:
                    assert await asyncio.to_thread(fetch) == b"served"
                    break
                except OSError:
                    await asyncio.sleep(0.05)

    on_stage(script)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        pytest.param({}, "no command specified", id="no-command"),
        pytest.param(
            {"Cmd": ["no-such-thing"]},
            'exec: "no-such-thing": executable file not found in \\$PATH',
            id="name",
        ),
        pytest.param({"Cmd": ["/no/such"]}, 'exec: "/no/such": stat /no/such: no such file', id="path"),
    ],
)
def test_what_cannot_start_has_the_error_of_containerd(
    on_stage: Callable[[Script], None], config: dict[str, Any], text: str
) -> None:
    async def script(stage: Stage) -> None:
        with pytest.raises(CannotStartError, match=text):
            await stage.start({"x": ""}, config)

    on_stage(script)


def mounts() -> str:
    return Path("/proc/self/mounts").read_text()


def commands() -> list[list[str]]:
    found = []
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            found.append(each.cmdline())
    return found


def busybox() -> Files | None:
    """Return a small complete root file system: a shell and some tools of this host, with their libraries."""
    tools = [path for name in ("sh", "cat", "ls", "id", "sleep") if (path := shutil.which(name))]
    files: Files = {
        "etc/passwd": "root:x:0:0::/root:/bin/sh\napp:x:1234:1234::/home/app:/bin/sh\n",
        "app/data": "1\n",
    }
    for tool in tools:
        files[f"bin/{Path(tool).name}"] = Path(tool).resolve().read_bytes()
        needed = subprocess.run(["ldd", tool], capture_output=True, text=True, check=False).stdout
        for word in needed.split():
            if word.startswith("/"):
                files[word.lstrip("/")] = Path(word).read_bytes()
    return files


def can_enter() -> bool:
    return sys.platform == "linux" and subprocess.run(
        ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--mount", "true"],
        capture_output=True, check=False,
    ).returncode == 0  # fmt: skip


@pytest.mark.skipif(not can_enter(), reason="needs mount namespaces")
def test_a_complete_image_runs_inside_its_root_file_system(on_stage: Callable[[Script], None]) -> None:
    async def script(stage: Stage) -> None:
        config = {"Cmd": ["sh", "-c", "ls /; echo 2 >> /app/data; cat /app/data; pwd; echo up; sleep 60"]}
        container = await stage.start(
            busybox() or {}, config | {"WorkingDir": "/app"}, environment={"LD_DEBUG": ""}
        )
        await stage.line("up")
        assert "app" in stage.lines
        assert "usr" not in stage.lines or "home" not in stage.lines
        assert stage.lines[-4:] == ["1", "2", "/app", "up"]
        assert await container.execute(["sh", "-c", "cat /app/data | { read a; read b; exit $b; }"], 5) == 2
        assert await container.execute(["sh", "-c", "test -e /proc/self"], 5) == 0
        image = await stage.runtime.pull(stage.registry.reference("image1"))
        assert image.rootfs is not None
        assert (image.rootfs / "app/data").read_text() == "1\n"
        await container.stop(0.1)
        await stage.runtime.release(f"{1:032x}")
        assert str(stage.host.data_dir) not in mounts()

    on_stage(script)


@pytest.mark.skipif(not can_enter() or os.geteuid() != 0, reason="needs root")
def test_a_complete_image_runs_as_its_user(on_stage: Callable[[Script], None]) -> None:
    async def script(stage: Stage) -> None:
        container = await stage.start(
            busybox() or {}, {"Cmd": ["sh", "-c", "id -u; id -g; echo $HOME"], "User": "app"}
        )
        assert await container.wait() == 0
        assert stage.lines == ["1234", "1234", "/home/app"]
        with pytest.raises(CannotStartError, match="unable to find user nobody"):
            await stage.start(busybox() or {}, {"Cmd": ["id"], "User": "nobody"})

    on_stage(script)


def test_containers_die_with_the_process_that_runs_them(tmp_path: Path) -> None:
    program = f"""
import asyncio, sys, os
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from fake_registry import FakeRegistry
from samjhadoo_emulator.clock import Clock
from samjhadoo_emulator.service import Host
from samjhadoo_emulator.ecs.runtime import Launch
from samjhadoo_emulator.ecs.runtime.process import ProcessRuntime
async def main():
    registry = FakeRegistry()
    registry.push("web", [{{"x": ""}}], Cmd=["sleep", "300"])
    runtime = ProcessRuntime(Host("0" * 12, Clock(), Path({str(tmp_path)!r}), registry.url))
    image = await runtime.pull(registry.reference("web"))
    child = await runtime.start(Launch(task_id="1" * 32, name="app", region="r", image=image))
    print(child.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.kill()
    deadline = time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)
