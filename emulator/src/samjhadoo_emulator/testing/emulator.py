"""A local AWS in a process of its own, talked to by HTTP only."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from samjhadoo_emulator.clock import Clock
from samjhadoo_emulator.guard.keys import key_of
from samjhadoo_emulator.processes import die_with_parent, listen
from samjhadoo_emulator.testing.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Found = TypeVar("Found")
REGION = "ap-south-1"
LONGEST_ANSWER = 60.0
"""Real seconds that the control endpoint gets to answer: the start, or a reset, is over by then."""
STOP_TIME = 20.0
CONTROL_HEADERS = {"X-Emulator-Control": "1", "Content-Type": "application/json"}
"""What the control endpoint wants of changes, so that no web page can ask for them."""


@dataclass
class LocalAws:
    """A local AWS, wherever it runs.

    Attributes:
        url: The endpoint of every AWS service.
        region: The region of its clients.
        key: The access key id of its clients; an emulator may ask for its own.
    """

    url: str
    region: str
    key: str = field(default="test", kw_only=True, repr=False)
    _clients: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    _making: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service; always the same one, for any thread."""
        with self._making:
            if service not in self._clients:
                self._clients[service] = self._make_client(service)
            return self._clients[service]

    def _make_client(self, service: str) -> Any:
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=self.key,
            aws_secret_access_key="test",  # noqa: S106 - nothing checks it
        )

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which any AWS client talks to it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    @property
    def faults(self) -> Faults:
        """Its fault knobs."""
        return Faults(self.ask)

    @property
    def clock(self) -> Clock:
        """Its clock, without the jumps that faults made it do."""
        clock = self.ask("GET", "health")["clock"]
        return Clock(minute=clock["minute"], origin=clock["origin"])

    def reset(self) -> None:
        """Return it to the state of a fresh start, live services and upstream alike.

        What is under way ends: deployments, tasks, requests. The clock runs on.

        Raises:
            ValueError: Its upstream cannot be reset; the live services have been.
        """
        self.ask("POST", "reset")

    def ask(self, method: str, path: str, document: Any = None) -> Any:
        """Perform a request at the control endpoint, and return its document.

        Raises:
            ValueError: The endpoint rejected the request; the text explains why.
        """
        body = None if document is None else json.dumps(document).encode()
        password = base64.b64encode(f":{self.key}".encode()).decode()
        headers = {**CONTROL_HEADERS, "Authorization": f"Basic {password}"}
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/_emulator/{path}", data=body, headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=LONGEST_ANSWER) as answer:  # noqa: S310
                content = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(json.load(error)["message"]) from None
        return json.loads(content) if content else None

    def close(self) -> None:
        """Close its clients."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()


@dataclass
class Emulator(LocalAws):
    """A running emulator.

    Attributes:
        process: Its process.
        log: What it writes.
    """

    process: subprocess.Popen[bytes]
    log: Path


@contextlib.contextmanager
def running_emulator(
    *options: str,
    minute: float = 0.1,
    runtime: str = "process",
    region: str = REGION,
    folder: Path | None = None,
) -> Iterator[Emulator]:
    """Run an emulator until the block ends; it ends with this process in any case.

    Args:
        options: Further options of `samjhadoo-emulator`.
        minute: Real seconds in an emulated minute.
        runtime: `process` runs the images' programs, `noop` runs nothing.
        region: The region of its clients.
        folder: Takes its data and its log; a temporary one by default.

    Raises:
        RuntimeError: It did not start; the text is its log.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="samjhadoo-")))
        listener = stack.enter_context(listen())
        argv = [sys.executable, "-m", "samjhadoo_emulator", "--fd", str(listener.fileno())]
        argv += ["--minute", str(minute), "--runtime", runtime, "--region", region]
        key_file = folder / "key"
        key = key_of(key_file)
        argv += ["--data-dir", str(folder / "data"), "--key-file", str(key_file), *options]
        log = folder / "emulator.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                argv,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                pass_fds=(listener.fileno(),),
                preexec_fn=die_with_parent(),  # noqa: PLW1509
            )
        port = listener.getsockname()[1]
        listener.close()
        emulator = Emulator(f"http://127.0.0.1:{port}", region, process, log, key=key)
        try:
            _wait_for(emulator)
            yield emulator
        finally:
            emulator.close()
            _end(process)


def eventually(check: Callable[[], Found], *, within: float = 60.0, pause: float = 0.02) -> Found:
    """Return what a check gives once that is true.

    Raises:
        AssertionError: It was not within that many real seconds.
    """
    deadline = time.monotonic() + within
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s; last: {found!r}")
        time.sleep(pause)


def _wait_for(emulator: Emulator) -> None:
    try:
        emulator.ask("GET", "health")  # its socket listens already: it answers as soon as it can
    except OSError:
        raise RuntimeError(
            f"the emulator did not start:\n{emulator.log.read_text(errors='replace')}"
        ) from None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIME)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
