"""What an environment costs in a month, estimated from its templates and a small, dated table of prices."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.infrastructure.evaluation import Evaluation
from samjhadoo_ops.release import render_task_definition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.infrastructure.stacks import Stack, Stacks

_CPU_UNITS = 1024


@dataclass(frozen=True)
class Cost:
    """The cost of a month of something, in US dollars.

    Attributes:
        dollars: None if the table has no price for it.
    """

    title: str
    dollars: float | None

    def __str__(self) -> str:
        return f"{self.title}: {'not in the table' if self.dollars is None else f'{self.dollars:,.0f} USD'}"


@dataclass(frozen=True)
class Estimate:
    """The cost of a month of an environment.

    Attributes:
        costs: What costs something, the dearest first; what the table does not have comes first of all.
        date: The date of the prices.
        region: The region whose prices they are.
    """

    costs: tuple[Cost, ...]
    date: str
    region: str

    @property
    def dollars(self) -> float:
        """Return the sum of what is known."""
        return sum(cost.dollars or 0.0 for cost in self.costs)

    def __str__(self) -> str:
        unknown = [cost.title for cost in self.costs if cost.dollars is None]
        without = f", without {', '.join(unknown)}" if unknown else ""
        return (
            f"about {self.dollars:,.0f} USD a month at AWS{without}: an estimate from the prices of "
            f"{self.date} in {self.region}, without traffic, requests, logs and backups"
        )


def estimate(env: Environment, stacks: Stacks) -> Estimate:
    """Return the estimated cost of an environment's stacks, and of the least number of tasks."""
    table = prices()
    found: dict[str, float | None] = {}
    made = (each for stack in stacks.items for each in _of_stack(stack))
    for title, dollars in chain(_of_tasks(env, table), made):
        before = found.get(title, 0.0)
        found[title] = None if dollars is None or before is None else before + dollars
    costs = [Cost(title, dollars) for title, dollars in found.items() if dollars is None or dollars > 0]
    costs.sort(key=lambda cost: (cost.dollars is not None, -(cost.dollars or 0.0)))
    return Estimate(tuple(costs), table["date"], table["region"])


@cache
def prices() -> dict[str, Any]:
    """Return the table of prices."""
    return tomllib.loads((files("samjhadoo_ops.infrastructure") / "prices.toml").read_text(encoding="utf-8"))


def price(rule: Mapping[str, Any], properties: Mapping[str, Any], *, hours: float) -> float | None:
    """Return what a resource costs in a month by its type's rule; None if the table lacks its class."""
    if any(properties.get(name) != value for name, value in rule.get("only", {}).items()):
        return 0.0
    hourly = rule.get("hour", 0.0)
    if "class" in rule:
        known = rule["classes"].get(properties.get(rule["class"]))
        if known is None:
            return None
        hourly += known
    total: float = hourly * hours + rule.get("month", 0.0)
    for name, each in rule.get("amounts", {}).items():
        total += each * float(properties.get(name) or 0)
    total *= _count(properties.get(rule["times"])) if "times" in rule else 1
    return total * 2 if "double" in rule and str(properties.get(rule["double"])).lower() == "true" else total


def _of_stack(stack: Stack) -> Iterable[tuple[str, float | None]]:
    table, evaluation = prices(), Evaluation(stack.template, stack.names)
    for resource in stack.template.resources.values():
        kind = str(resource.get("Type", ""))
        if kind not in table or not evaluation.exists(resource):
            continue
        properties = evaluation.value(resource.get("Properties", {}))
        title = kind.removeprefix("AWS::").replace("::", " ")
        dollars = price(table[kind], properties, hours=table["hours"])
        yield (
            title if dollars is not None else f"{title} {properties.get(table[kind].get('class'))}",
            dollars,
        )


def _of_tasks(env: Environment, table: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    """Yield the least number of each service's tasks, with the size of its task definition."""
    for each in env.services.values() or [env]:
        document = render_task_definition(each, "unbuilt", "unbuilt")
        hourly = (
            int(document["cpu"]) / _CPU_UNITS * table["task"]["vcpu"]
            + int(document["memory"]) / _CPU_UNITS * table["task"]["gib"]
        )
        number = each.infrastructure.min_tasks
        yield f"{number} tasks of {each.service.name}", hourly * table["hours"] * number


def _count(value: Any) -> float:
    if isinstance(value, list):
        return len(value)
    return float(value) if value is not None else 1.0
