"""The live panel: the progress of a run, drawn for a terminal of any width; no I/O."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.report.failure import numbers

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from samjhadoo_ops.report.progress import RunProgress

_GLYPHS = {"done": "✔", "now": "●", "ahead": "○", "failed": "✘"}
_STYLES = {"done": "green", "now": "bold cyan", "ahead": "dim", "failed": "bold red"}
_OPINIONS = {"PASS": "green", "FAIL": "bold red", "ENVIRONMENT": "yellow"}
_BAR = 30
_SHORT = 76
"""Terminals with fewer columns get shorter texts."""
_WIDEST = 100
_FRAME = 4
_GAP = "  "
_FULL = 100.0


def panel(progress: RunProgress, *, width: int, elapsed: float, now: float | None = None) -> Any:
    """Return the panel.

    Args:
        progress: What has happened so far.
        width: Columns of the terminal.
        elapsed: Real seconds since the run began.
        now: Unix seconds on the deployment's clock; None before anything is watched.
    """
    from rich.box import ROUNDED
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    drawn = min(width, _WIDEST)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for title, text in _facts(progress, now, width=drawn):
        facts.add_row(title, text)
    body: list[RenderableType] = [_stages(progress, drawn - _FRAME)]
    if facts.row_count:
        body += [Text(""), facts]
    return Panel(
        Group(*body),
        title=_title(progress, short=width < _SHORT),
        title_align="left",
        subtitle=Text(f"{elapsed:.0f} s", style="dim"),
        subtitle_align="right",
        border_style="red" if progress.going_back else "cyan",
        box=ROUNDED,
        width=drawn,
    )


def clock_of(progress: RunProgress) -> Clock | None:
    """Return the deployment's clock; None before a deployment is watched."""
    if not progress.watching:
        return None
    return Clock(minute=float(progress.watching["minute"]), origin=float(progress.watching["origin"]))


def remaining(progress: RunProgress, now: float) -> list[tuple[str, float]]:
    """Return what the run waits for, with the seconds that are left on the clock."""
    watching, phase = progress.watching, progress.phase.get("phase")
    if not watching or progress.going_back:
        return []
    left: list[tuple[str, float]] = []
    started = float(watching["started"])
    if phase == "SCALING_UP":
        left.append(("to become healthy", started + watching["healthy_within"] - now))
    since = watching.get("canary_since") or progress.canary_since
    if phase in {"CANARY", "BEFORE_FULL"} and since:
        left.append(("of the canary", since + watching["canary_time"] - now))
    if phase == "BAKING" and progress.phase.get("since") and watching["bake_time"]:
        left.append(("of the bake", progress.phase["since"] + watching["bake_time"] - now))
    acts_at = progress.phase.get("acts_at")
    if acts_at is not None:
        left.append(("until ECS rolls back by itself", _seconds(acts_at) - now))
    left.append(("for all of it", started + watching["ends_within"] - now))
    return left


def _title(progress: RunProgress, *, short: bool) -> Text:
    from rich.text import Text

    name = progress.deployment.rpartition("/")[2] or progress.deploy
    release = progress.release[:12]
    names = " ".join(part for part in (release, "" if short else name) if part)
    phase = str(progress.phase.get("phase", "")).replace("_", " ").lower() or progress.step
    return Text.assemble((phase, "bold"), f" {names}".rstrip())


def _stages(progress: RunProgress, width: int) -> Text:
    """Return the stages side by side, on as many lines as they need; no stage is split."""
    from rich.text import Text

    found = [(f"{_GLYPHS[how]} {name}", _STYLES[how]) for name, how in progress.stages()]
    if progress.going_back:
        found.append((f"{_GLYPHS['now']} rolling back", "bold red"))
    row, used = Text(), 0
    for stage, style in found:
        gap = _GAP if used else ""
        if used + len(gap) + len(stage) > width:
            gap, used = "\n", 0
        row.append(gap).append(stage, style=style)
        used += len(stage) + len(gap.strip("\n"))
    return row


def _facts(progress: RunProgress, now: float | None, *, width: int) -> list[tuple[str, RenderableType]]:
    rows: list[tuple[str, RenderableType]] = []
    if progress.phase.get("weight") is not None:
        rows.append(("traffic", _bar(float(progress.phase["weight"]), width=width)))
    if progress.phase:
        failed = progress.phase.get("failed") or 0
        running = f"{progress.phase.get('running', 0)} of {progress.phase.get('requested', 0)} running"
        rows.append(
            ("tasks", _styled(f"{running}{f', {failed} failed' if failed else ''}", "red" if failed else ""))
        )
    if progress.counts:
        rows.append(("requests", _counts(progress)))
        rows.append(("verdict", _verdict(progress)))
    if progress.probes.get("failures"):
        rows.append(("probes", _probes(progress)))
    clock = clock_of(progress)
    if clock is not None and now is not None:
        left = [(seconds, what) for what, seconds in remaining(progress, now) if seconds > 0.0]
        if left:
            seconds, what = min(left)
            rows.append(("left", _styled(f"{clock.words(seconds)} {what}")))
    if progress.stopping:
        rows.append(("why", _styled(progress.stopping, "red")))
    return rows


def _bar(weight: float, *, width: int) -> Text:
    from rich.text import Text

    cells = max(8, min(_BAR, width - 46))
    new = round(cells * weight / _FULL)
    if 0 < weight < _FULL:
        new = min(cells - 1, max(1, new))
    return Text.assemble(
        f"old {_FULL - weight:3g} % ",
        ("░" * (cells - new), "dim"),
        ("█" * new, "cyan"),
        f" {weight:g} % new",
    )


def _counts(progress: RunProgress) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("")
    for title in ("all", "5xx", "slow"):
        table.add_column(title, justify="right")
    for side in ("canary", "baseline", "bake"):
        found = progress.counts.get(side)
        if found:
            of = found["requests"]
            cells = [
                Text(_rate(found[kind], of), style="red" if found[kind] else "")
                for kind in ("errors", "slow")
            ]
            table.add_row(side, f"{of}", *cells)
    return table


def _verdict(progress: RunProgress) -> Text:
    verdict = progress.counts.get("verdict", {})
    opinion = str(verdict.get("opinion", ""))
    clock = clock_of(progress)
    unit = clock.minutes if clock else "min"
    text = (
        numbers(verdict, minutes=unit)
        if verdict.get("signal")
        else f"{opinion} {verdict.get('reason', '')}".strip()
    )
    return _styled(text, _OPINIONS.get(opinion, ""))


def _probes(progress: RunProgress) -> Text:
    from rich.text import Text

    threshold, row = progress.probes.get("threshold", 0), Text()
    for name, failures in progress.probes["failures"].items():
        row.append(f"{name} ", style="dim")
        row.append(
            f"{failures} of {threshold} failed" if failures else "healthy",
            style="red" if failures else "green",
        )
        row.append("  ")
    return row


def _rate(bad: int, of: int) -> str:
    return f"{bad} ({100 * bad / of:.1f} %)" if bad and of else f"{bad}"


def _styled(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(text, style=style)


def _seconds(moment: Any) -> float:
    if isinstance(moment, datetime):
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    return float(moment)
