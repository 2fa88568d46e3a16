"""The main job's time and memory: a warm start of the stack, a deploy of a changed release beyond its scaled
waits and where that goes, and the resident memory of the stack with its tasks.

Targets: start <= 4 s; deploy overhead <= 6 s with Flyway; memory <= 500 MiB. Works on a copy of the project.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
STARTS = 3
DEPLOYS = 3
PARTS = ("tasks.py", "environments", "infrastructure", "localstack", "docker")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def invoke(folder: Path, *arguments: str) -> tuple[float, list[dict[str, Any]]]:
    """Run a task with `--json`; return real seconds and its events.

    Raises:
        SystemExit: It failed.
    """
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *arguments, "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} exited {done.returncode}:\n{done.stdout}{done.stderr}")
    return took, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def duration(text: str) -> float:
    """Return a simple duration of the settings (`15m`, `0.2s`) in seconds."""
    number = text.rstrip("msh")
    return float(number) * UNITS[text[len(number) :]]


def waits(folder: Path) -> float:
    """Return the real seconds that a canary deploy of the local environment has to wait."""
    settings: dict[str, Any] = {}
    for name in ("base", "local"):
        for table, values in tomllib.loads((folder / "environments" / f"{name}.toml").read_text()).items():
            settings.setdefault(table, {}).update(values if isinstance(values, dict) else {})
    minute = duration(settings["clock"]["minute"])
    deployment = settings["deployment"]
    return (duration(deployment["canary_time"]) + duration(deployment["bake_time"])) / 60 * minute


def memory(supervisor: int) -> list[tuple[str, float, float]]:
    """Return name, RSS and PSS in MiB of the stack's supervisor and everything below it."""
    import psutil

    found = []
    root = psutil.Process(supervisor)
    for process in (root, *root.children(recursive=True)):
        info = process.memory_full_info()
        found.append((process.name(), info.rss / 2**20, getattr(info, "pss", info.rss) / 2**20))
    return found


def main() -> None:
    """Measure and print."""
    folder = Path(tempfile.mkdtemp(prefix="samjhadoo-bench-"))
    try:
        for part in PARTS:
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / part)
        measure(folder)
    finally:
        subprocess.run(
            [sys.executable, "-m", "invoke", "stack.down"], cwd=folder, capture_output=True, check=False
        )
        shutil.rmtree(folder, ignore_errors=True)


def measure(folder: Path) -> None:
    """Measure on a copy of the project."""
    invoke(folder, "stack.up")  # fills the caches
    starts = []
    for _ in range(STARTS):
        invoke(folder, "stack.down")
        starts.append(invoke(folder, "stack.up")[0])
    print(f"stack start, warm: median {statistics.median(starts):.2f} s of {STARTS} (target <= 4)")
    first, _ = invoke(folder, "deploy")
    print(f"first deploy (six migrations, no canary): {first:.2f} s")
    waiting = waits(folder)
    overheads = []
    for number in range(DEPLOYS):
        (folder / "docker" / "backend" / "samjhadoo_backend" / "bench.py").write_text(f"NUMBER = {number}\n")
        took, events = invoke(folder, "deploy")
        overheads.append(took - waiting)
        parts = events[-1].get("seconds", {})
        print(
            f"deploy of a changed release: {took:.2f} s, of which {waiting:.1f} s are canary and bake; "
            f"beyond them {took - waiting:.2f} s. Parts: {parts}"
        )
    print(f"deploy beyond its waits: median {statistics.median(overheads):.2f} s (target <= 6)")
    state = json.loads(next((folder / ".samjhadoo").rglob("stack.json")).read_text())
    processes = memory(state["supervisor"]["pid"])
    for name, rss, pss in sorted(processes, key=lambda entry: -entry[1]):
        print(f"  {name:<20} RSS {rss:6.1f} MiB  PSS {pss:6.1f} MiB")
    total, proportional = sum(entry[1] for entry in processes), sum(entry[2] for entry in processes)
    print(
        f"memory of the stack: RSS {total:.0f} MiB summed, {proportional:.0f} MiB proportional "
        f"(target <= 500), {os.cpu_count()} cores"
    )


if __name__ == "__main__":
    main()
