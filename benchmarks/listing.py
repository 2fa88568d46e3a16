"""`invoke --list` against a bare Invoke listing: the ratio of medians of interleaved runs. Target: <= 1.3."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 15
TARGET = 1.3
BARE = "from invoke import task\n\n\n@task\ndef hello(c):\n    '''Say hello.'''\n"
ROOT = Path(__file__).parents[1]


def seconds(folder: Path) -> float:
    """Return how long one listing takes in a folder."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "invoke", "--list"], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as bare:
        (Path(bare) / "tasks.py").write_text(BARE)
        samples: dict[str, list[float]] = {"bare": [], "ours": []}
        for _ in range(RUNS):
            samples["bare"].append(seconds(Path(bare)))
            samples["ours"].append(seconds(ROOT))
    medians = {name: statistics.median(values) for name, values in samples.items()}
    ratio = medians["ours"] / medians["bare"]
    print(
        f"listing: ours {medians['ours'] * 1000:.0f} ms, bare {medians['bare'] * 1000:.0f} ms, "
        f"ratio {ratio:.2f} (target <= {TARGET})"
    )


if __name__ == "__main__":
    main()
