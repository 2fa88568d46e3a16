"""A project of a user's own whose first release is deployed, and load on it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Self

import pytest

from user_project import user_project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from user_project import UserProject


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UserProject]:
    """A project whose first release is deployed."""
    with user_project(tmp_path_factory.mktemp("project")) as found:
        first = found.invoke("deploy")
        assert first.code == 0, first.stderr
        yield found


class Load:
    """GET requests at a steady rate while the block runs; each answer with its time and version."""

    def __init__(self, url: str, rate: float) -> None:
        self.url, self.rate = url, rate
        self.answers: list[tuple[float, str]] = []
        self.failures: list[Any] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(8)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        import urllib3

        http = urllib3.PoolManager()
        due = time.monotonic()
        while not self._stop.is_set():
            due += len(self._threads) / self.rate
            try:
                answer = http.request("GET", self.url, retries=False, timeout=30)
            except urllib3.exceptions.HTTPError as error:
                self.failures.append((time.monotonic(), repr(error)))
            else:
                if answer.status == 200:
                    self.answers.append((time.monotonic(), answer.headers["X-Version"]))
                else:
                    self.failures.append((time.monotonic(), answer.status))
            self._stop.wait(max(0.0, due - time.monotonic()))


@pytest.fixture(scope="session")
def load() -> type[Load]:
    return Load
