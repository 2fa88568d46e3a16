"""The emulator's fault knobs, from Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Fault:
    """A fault that was created; as a context manager, it ends with the block.

    Attributes:
        document: What the emulator answered: `id`, and what was done (`tasks`, `deployment`, `now`).
    """

    def __init__(self, faults: Faults, document: dict[str, Any]) -> None:
        self.document = document
        self._faults = faults

    @property
    def struck(self) -> int | None:
        """How often it has struck; None once it is over."""
        mine = [each["struck"] for each in self._faults.in_force() if each["id"] == self.document.get("id")]
        return mine[0] if mine else None

    def remove(self) -> None:
        """End it; one that is over already is no error."""
        if "id" in self.document:
            self._faults.remove(self.document["id"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


class Faults:
    """Makes things go wrong as they may on AWS.

    Faults of calls take `rate` (the share of calls), `count` (how many at most), `skip` (how many pass
    first), `seed`, and `callers` ("clients", or "services": the emulator's own).

    Args:
        ask: Performs a request at the control endpoint: `ask(method, path, document)`.
    """

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    def add(self, kind: str, **members: Any) -> Fault:
        """Create a fault of any kind.

        Raises:
            ValueError: The emulator does not know such a fault; the text explains what is wrong.
        """
        return Fault(self, self._ask("POST", "faults", {"kind": kind, **members}))

    def in_force(self) -> list[dict[str, Any]]:
        """Return the faults in force."""
        found: list[dict[str, Any]] = self._ask("GET", "faults")
        return found

    def remove(self, fault_id: str) -> None:
        """End a fault; one that is over already is no error."""
        if any(each["id"] == fault_id for each in self.in_force()):
            self._ask("DELETE", f"faults/{fault_id}")

    def clear(self) -> None:
        """End every fault."""
        self._ask("DELETE", "faults")

    def throttle(self, service: str, operation: str = "*", **options: Any) -> Fault:
        """Refuse calls with `ThrottlingException`."""
        return self.add("throttle", service=service, operation=operation, **options)

    def refuse(self, service: str, operation: str, code: str, message: str = "", **options: Any) -> Fault:
        """Refuse calls with an error."""
        return self.add("error", service=service, operation=operation, code=code, message=message, **options)

    def lose_response(self, service: str, operation: str = "*", **options: Any) -> Fault:
        """Carry calls out, and answer 500; or with `close=True`, close the connection."""
        return self.add("lost-response", service=service, operation=operation, **options)

    def delay(self, service: str, operation: str, seconds: float, **options: Any) -> Fault:
        """Carry calls out after some real seconds."""
        return self.add("latency", service=service, operation=operation, seconds=seconds, **options)

    def unknown_value(self, member: str = "lifecycleStage", value: str = "NEW", **options: Any) -> Fault:
        """Answer `DescribeServiceDeployments` with a value that no model lists."""
        return self.add("unknown-value", member=member, value=value, **options)

    def miss_alarms(self, **options: Any) -> Fault:
        """Let ECS find no deployment alarm in ALARM when it polls them."""
        return self.add("missed-alarms", **options)

    def delay_metrics(self, minutes: float, namespace: str = "*", metric: str = "*", **options: Any) -> Fault:
        """Let metric data be seen only after some emulated minutes."""
        return self.add("late-metrics", minutes=minutes, namespace=namespace, metric=metric, **options)

    def lose_metrics(self, namespace: str = "*", metric: str = "*", **options: Any) -> Fault:
        """Let metric data get lost on its way."""
        return self.add("late-metrics", namespace=namespace, metric=metric, **options)

    def kill_task(self, **which: Any) -> Fault:
        """Kill tasks: `task=`, or `service=`, `cluster=` and `count=`."""
        return self.add("killed-task", **which)

    def partition_task(self, **which: Any) -> Fault:
        """Cut tasks off until the fault is removed: `task=`, or `service=`, `cluster=` and `count=`."""
        return self.add("partitioned-task", **which)

    def deploy_as_another(self, service: str, cluster: str = "default", **options: Any) -> Fault:
        """Let another client deploy the service, at once."""
        return self.add("second-deployer", service=service, cluster=cluster, **options)

    def jump_clock(self, minutes: float) -> Fault:
        """Let the emulated clock jump."""
        return self.add("clock-jump", minutes=minutes)
