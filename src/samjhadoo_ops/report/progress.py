"""The progress of a run, collected from the console's events; the views are drawn from it. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECK, BUILD, PUSH, MIGRATE = "check", "build", "push", "migrate"
SCALE, TEST, CANARY, BAKE, CLEAN = "scale up", "test", "canary", "bake", "clean up"
_PREPARING = {
    "account": CHECK,
    "preflight": CHECK,
    "build": BUILD,
    "push": PUSH,
    "migrate": MIGRATE,
    "register": SCALE,
    "start": SCALE,
}
_ROLLING = {
    "SCALING_UP": SCALE,
    "TESTING": TEST,
    "BEFORE_CANARY": TEST,
    "CANARY": CANARY,
    "BEFORE_FULL": CANARY,
    "BAKING": BAKE,
    "CLEANING_UP": CLEAN,
}
BACK = frozenset({"ROLLING_BACK", "STOPPING", "ROLLED_BACK", "ROLLBACK_FAILED", "STOPPED", "SUPERSEDED"})


@dataclass
class RunProgress:
    """The progress of a task.

    Attributes:
        steps: Real seconds that each finished step took, in order.
        spans: Each phase of the deployment, and the real second of the run in which it began.
        phase: The fields of the last `phase` event.
        watching: The fields of the `watching` event.
        counts: The fields of the last `counts` event.
        gates: The state and sentence of each gate.
        notices: Warnings, in order.
        rows: A rehearsal's results.
        result: The fields of the `result`.
    """

    deploy: str = ""
    deployment: str = ""
    release: str = ""
    digest: str = ""
    steps: dict[str, float] = field(default_factory=dict)
    step: str = ""
    spans: list[tuple[str, float]] = field(default_factory=list)
    phase: dict[str, Any] = field(default_factory=dict)
    watching: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    verdict: dict[str, Any] = field(default_factory=dict)
    probes: dict[str, Any] = field(default_factory=dict)
    gates: dict[str, tuple[str, str]] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    migrated: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    stopping: str = ""
    canary_since: float | None = None
    ended: float | None = None
    result: dict[str, Any] = field(default_factory=dict)

    def record(self, event: str, text: str, fields: Mapping[str, Any], at: float) -> None:
        """Add an event.

        Args:
            event: Its name.
            text: Its message; empty for a mere update of the state.
            fields: Its fields.
            at: Real seconds since the run began.
        """
        take = getattr(self, f"_on_{event.replace('-', '_')}", None)
        if take is not None:
            take(text, fields, at)

    @property
    def preparing(self) -> bool:
        """Return whether no deployment is being watched yet."""
        return not self.watching

    @property
    def going_back(self) -> bool:
        """Return whether the deployment is rolling back, or has rolled back."""
        return bool(self.stopping) or self.phase.get("phase") in BACK

    def stages(self) -> list[tuple[str, str]]:
        """Return the stages in order, each with `done`, `now`, `ahead` or `failed`."""
        all_at_once = bool(self.watching.get("all_at_once"))
        preparing = [CHECK, BUILD, PUSH, MIGRATE] if self.steps or self.step else []
        rolling = [SCALE, CLEAN] if all_at_once else [SCALE, TEST, CANARY, BAKE, CLEAN]
        names = [*preparing, *rolling]
        if self.phase.get("phase") == "SUCCEEDED":
            return [(name, "done") for name in names]
        reached = self._reached(names)
        return [
            (name, "done" if number < reached else "ahead" if number > reached else self._how())
            for number, name in enumerate(names)
        ]

    def durations(self) -> list[tuple[str, float]]:
        """Return the real seconds that each step and each phase of the deployment took."""
        ends = [at for _, at in self.spans[1:]] + [self.ended if self.ended is not None else at_end(self)]
        spent: dict[str, float] = {}
        for (name, began), end in zip(self.spans, ends, strict=False):
            spent[name] = spent.get(name, 0.0) + max(0.0, end - began)
        waiting = {name: seconds for name, seconds in spent.items() if name.lower() not in _FINAL}
        return [*self.steps.items(), *waiting.items()]

    def _how(self) -> str:
        return "failed" if self.going_back else "now"

    def _reached(self, names: list[str]) -> int:
        """Return the index of the stage that the run is in, or was in before it rolled back."""
        phases = [name for name, _ in self.spans]
        for phase in reversed(phases):
            stage = _ROLLING.get(phase)
            if stage in names:
                return names.index(stage)
        if self.watching:
            return names.index(SCALE)
        stage = _PREPARING.get(self.step, SCALE if "migrate" in self.steps else CHECK)
        return names.index(stage) if stage in names else 0

    def _on_step(self, _text: str, fields: Mapping[str, Any], _at: float) -> None:
        if fields.get("state") == "began":
            self.step = str(fields["step"])
        else:
            self.steps[str(fields["step"])] = float(fields["seconds"])

    def _on_deploy(self, _text: str, fields: Mapping[str, Any], _at: float) -> None:
        self.deploy = str(fields.get("deploy", ""))

    def _on_build(self, _text: str, fields: Mapping[str, Any], _at: float) -> None:
        self.release = str(fields.get("version", ""))

    def _on_pushed(self, _text: str, fields: Mapping[str, Any], _at: float) -> None:
        self.digest = str(fields.get("digest") or self.digest)

    _on_push = _on_pushed

    def _on_watching(self, _text: str, fields: Mapping[str, Any], _at: float) -> None:
        self.watching = dict(fields)
        self.deployment = str(fields.get("deployment", ""))
        self.release = str(fields.get("release") or self.release)

    def _on_phase(self, _text: str, fields: Mapping[str, Any], at: float) -> None:
        if fields.get("phase") != self.phase.get("phase"):
            self.spans.append((str(fields.get("phase", "")), at))
        self.phase = dict(fields)
        if fields.get("phase") == "CANARY" and self.canary_since is None:
            self.canary_since = fields.get("since")

    def _on_counts(self, _text: str, fields: Mapping[str, Any], _at: float) -> None:
        self.counts = dict(fields)

    def _on_verdict(self, text: str, fields: Mapping[str, Any], _at: float) -> None:
        self.verdict = {**fields, "reason": text}
        if fields.get("opinion") in {"FAIL", "ENVIRONMENT"}:
            self.notices.append(text)

    def _on_probes(self, _text: str, fields: Mapping[str, Any], _at: float) -> None:
        self.probes = dict(fields)

    def _on_gate(self, text: str, fields: Mapping[str, Any], _at: float) -> None:
        name = str(fields.get("gate", ""))
        if text.startswith("["):  # the lines after the first are details
            self.gates[name] = (str(fields.get("state", "")), text.partition("] ")[2])

    def _on_migrated(self, _text: str, fields: Mapping[str, Any], _at: float) -> None:
        self.migrated.append(str(fields.get("script", "")))

    def _on_stopping(self, _text: str, fields: Mapping[str, Any], _at: float) -> None:
        self.stopping = str(fields.get("reason", ""))

    def _warn(self, text: str, _fields: Mapping[str, Any], _at: float) -> None:
        self.notices.append(text)

    _on_unmonitored = _on_unrecorded = _on_unknown = _on_forced = _on_interrupted = _on_too_late = _warn

    def _on_rehearsed(self, _text: str, fields: Mapping[str, Any], _at: float) -> None:
        self.rows.append(dict(fields))

    def _on_result(self, _text: str, fields: Mapping[str, Any], at: float) -> None:
        self.result = dict(fields)
        self.ended = at
        self.release = str(fields.get("release") or self.release)
        self.digest = str(fields.get("digest") or self.digest)
        self.deployment = str(fields.get("deployment") or self.deployment)


_FINAL = frozenset({"succeeded", "rolled_back", "rollback_failed", "stopped", "superseded"})


def at_end(progress: RunProgress) -> float:
    """Return the real second in which the last known phase began."""
    return progress.spans[-1][1] if progress.spans else 0.0
