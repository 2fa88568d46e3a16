"""The live panel: a story drawn for a terminal of any width. Pure; only rich, and only when it is drawn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.clock import REAL_MINUTE, Clock
from samjhadoo_ops.report.failure import numbers

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from samjhadoo_ops.report.story import Story

_GLYPHS = {"done": "✔", "now": "●", "ahead": "○", "failed": "✘"}
_STYLES = {"done": "green", "now": "bold cyan", "ahead": "dim", "failed": "bold red"}
_OPINIONS = {"PASS": "green", "FAIL": "bold red", "ENVIRONMENT": "yellow"}
_BAR = 30
_SHORT = 76
"""Narrower terminals get the shorter forms."""
_WIDEST = 100
_FRAME = 4
_GAP = "  "
_FULL = 100.0


def panel(story: Story, *, width: int, elapsed: float, now: float | None = None) -> Any:
    """Return what to draw.

    Args:
        story: What has happened.
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
    for title, said in _facts(story, now, width=drawn):
        facts.add_row(title, said)
    body: list[RenderableType] = [_stages(story, drawn - _FRAME)]
    if facts.row_count:
        body += [Text(""), facts]
    return Panel(
        Group(*body),
        title=_title(story, short=width < _SHORT),
        title_align="left",
        subtitle=Text(f"{elapsed:.0f} s", style="dim"),
        subtitle_align="right",
        border_style="red" if story.going_back else "cyan",
        box=ROUNDED,
        width=drawn,
    )


def clock_of(story: Story) -> Clock | None:
    """Return the clock of what is watched; None before."""
    if not story.watching:
        return None
    return Clock(minute=float(story.watching["minute"]), origin=float(story.watching["origin"]))


def remaining(story: Story, now: float) -> list[tuple[str, float]]:
    """Return what is waited for, with the seconds on the clock that are left of it."""
    watching, phase = story.watching, story.phase.get("phase")
    if not watching or story.going_back:
        return []
    left: list[tuple[str, float]] = []
    started = float(watching["started"])
    if phase == "SCALING_UP":
        left.append(("to become healthy", started + watching["healthy_within"] - now))
    since = watching.get("canary_since") or story.canary_since
    if phase in {"CANARY", "BEFORE_FULL"} and since:
        left.append(("of the canary", since + watching["canary_time"] - now))
    if phase == "BAKING" and story.phase.get("since") and watching["bake_time"]:
        left.append(("of the bake", story.phase["since"] + watching["bake_time"] - now))
    acts_at = story.phase.get("acts_at")
    if acts_at is not None:
        left.append(("until ECS rolls back by itself", _seconds(acts_at) - now))
    left.append(("for all of it", started + watching["ends_within"] - now))
    return left


def duration(seconds: float, clock: Clock) -> str:
    """Return seconds on the clock in words; on a clock that isn't real, with the real seconds."""
    said = f"{seconds:.0f} s" if abs(seconds) < 2 * REAL_MINUTE else f"{seconds / REAL_MINUTE:.0f} min"
    return said if clock.minute == REAL_MINUTE else f"{said} ({clock.real(seconds):.0f} s)"


def _title(story: Story, *, short: bool) -> Text:
    from rich.text import Text

    name = story.deployment.rpartition("/")[2] or story.deploy
    release = story.release[:12]
    said = " ".join(part for part in (release, "" if short else name) if part)
    phase = str(story.phase.get("phase", "")).replace("_", " ").lower() or story.step
    return Text.assemble((phase, "bold"), f" {said}".rstrip())


def _stages(story: Story, width: int) -> Text:
    """Return the stages side by side, in as many lines as they need; none is broken."""
    from rich.text import Text

    found = [(f"{_GLYPHS[how]} {name}", _STYLES[how]) for name, how in story.stages()]
    if story.going_back:
        found.append((f"{_GLYPHS['now']} rolling back", "bold red"))
    row, used = Text(), 0
    for said, style in found:
        gap = _GAP if used else ""
        if used + len(gap) + len(said) > width:
            gap, used = "\n", 0
        row.append(gap).append(said, style=style)
        used += len(said) + len(gap.strip("\n"))
    return row


def _facts(story: Story, now: float | None, *, width: int) -> list[tuple[str, RenderableType]]:
    rows: list[tuple[str, RenderableType]] = []
    if story.phase.get("weight") is not None:
        rows.append(("traffic", _bar(float(story.phase["weight"]), width=width)))
    if story.phase:
        failed = story.phase.get("failed") or 0
        said = f"{story.phase.get('running', 0)} of {story.phase.get('requested', 0)} running"
        rows.append(
            ("tasks", _styled(f"{said}{f', {failed} failed' if failed else ''}", "red" if failed else ""))
        )
    if story.counts:
        rows.append(("requests", _counts(story)))
        rows.append(("verdict", _verdict(story)))
    if story.probes.get("failures"):
        rows.append(("probes", _probes(story)))
    clock = clock_of(story)
    if clock is not None and now is not None:
        left = [f"{duration(max(0.0, seconds), clock)} {what}" for what, seconds in remaining(story, now)]
        if left:
            rows.append(("left", _styled("; ".join(left))))
    if story.stopping:
        rows.append(("why", _styled(story.stopping, "red")))
    if story.last:
        rows.append(("last", _cut(story.last, width - 16)))
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


def _counts(story: Story) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("")
    for title in ("all", "5xx", "slow"):
        table.add_column(title, justify="right")
    for side in ("canary", "baseline", "bake"):
        found = story.counts.get(side)
        if found:
            of = found["requests"]
            cells = [
                Text(_rate(found[kind], of), style="red" if found[kind] else "")
                for kind in ("errors", "slow")
            ]
            table.add_row(side, f"{of}", *cells)
    return table


def _verdict(story: Story) -> Text:
    verdict = story.counts.get("verdict", {})
    opinion = str(verdict.get("opinion", ""))
    said = numbers(verdict) if verdict.get("signal") else f"{opinion} {verdict.get('reason', '')}".strip()
    return _styled(said, _OPINIONS.get(opinion, ""))


def _probes(story: Story) -> Text:
    from rich.text import Text

    threshold, row = story.probes.get("threshold", 0), Text()
    for name, failures in story.probes["failures"].items():
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


def _cut(text: str, width: int) -> Text:
    from rich.text import Text

    found = Text(" ".join(text.split()), style="dim", no_wrap=True)
    found.truncate(max(20, min(width, 84)), overflow="ellipsis")
    return found


def _seconds(moment: Any) -> float:
    if isinstance(moment, datetime):
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    return float(moment)
