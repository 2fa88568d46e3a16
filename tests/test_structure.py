"""The structure of both distributions, read from their source: run this file to see it as a table."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
MOST_DEPLOYMENT_FILES = 50
ENDINGS = {"FINISHED": "finished", "LEFT": "left"}
"""The events that end a run in the journal, by the names of their constants."""
JOURNAL = "samjhadoo_ops.deployment.journal"
"""The module that defines them, and the only other one that may read them."""


@dataclass(frozen=True)
class Module:
    name: str
    text: str = field(repr=False)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.text)))

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @property
    def classes(self) -> list[str]:
        return [node.name for node in self.nodes if isinstance(node, ast.ClassDef)]

    @property
    def imported_names(self) -> Iterator[str]:
        """What it imports anywhere, also inside functions and for type checking only."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name} has a relative import"
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    @property
    def writes_endings(self) -> bool:
        if self.name == JOURNAL:
            return False
        names = {node.id for node in self.nodes if isinstance(node, ast.Name)}
        attributes = {node.attr for node in self.nodes if isinstance(node, ast.Attribute)}
        written = {
            argument.value
            for node in self.nodes
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if node.func.attr in {"record", "write"}
            for argument in node.args[:1]
            if isinstance(argument, ast.Constant)
        }
        return bool(ENDINGS.keys() & (names | attributes) or set(ENDINGS.values()) & written)


@dataclass(frozen=True)
class Distribution:
    package: str
    source: Path

    @cached_property
    def modules(self) -> dict[str, Module]:
        modules = (
            Module(".".join(path.relative_to(self.source).with_suffix("").parts), path.read_text())
            for path in sorted((self.source / self.package).rglob("*.py"))
        )
        return {each.name.removesuffix(".__init__"): each for each in modules}

    @property
    def packages(self) -> int:
        return sum(each.name.endswith(".__init__") for each in self.modules.values())

    @property
    def lines(self) -> int:
        return sum(each.lines for each in self.modules.values())

    @property
    def repeated_classes(self) -> dict[str, list[str]]:
        """The modules of each class name that is in more than one."""
        found = defaultdict(list)
        for name, module in self.modules.items():
            for class_name in module.classes:
                found[class_name].append(name)
        return {name: modules for name, modules in sorted(found.items()) if len(modules) > 1}

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """The modules of this package that each module imports, other than itself."""
        return {name: set(self._imported_modules(each)) - {name} for name, each in self.modules.items()}

    @property
    def circles(self) -> list[list[str]]:
        """The groups of modules that import each other, directly or by way of others."""
        reached = {name: _reachable(name, self.imports) for name in self.imports}
        circles = {
            tuple(sorted(other for other in reached[name] if name in reached[other]))
            for name in self.imports
            if name in reached[name]
        }
        return [list(circle) for circle in sorted(circles)]

    def imports_of(self, other: str) -> list[str]:
        """Return the modules that import another package."""
        return [
            name
            for name, module in self.modules.items()
            if any(imported.partition(".")[0] == other for imported in module.imported_names)
        ]

    def _imported_modules(self, module: Module) -> Iterator[str]:
        for imported in module.imported_names:
            for name in (imported, imported.rpartition(".")[0]):
                if name in self.modules:
                    yield name
                    break


def _reachable(start: str, imports: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = list(imports[start])
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += imports[name]
    return reached


TOOL = Distribution("samjhadoo_ops", ROOT / "src")
EMULATOR = Distribution("samjhadoo_emulator", ROOT / "emulator" / "src")
BOTH = [pytest.param(each, id=each.package) for each in (TOOL, EMULATOR)]
DEPLOYMENT = {
    name: module for name, module in TOOL.modules.items() if name.startswith("samjhadoo_ops.deployment")
}


def writers_of_endings() -> list[str]:
    return [name for name, module in TOOL.modules.items() if module.writes_endings]


def test_one_module_writes_the_endings_of_runs():
    assert writers_of_endings() == ["samjhadoo_ops.deployment.finish"]


def test_the_deployment_package_stays_small():
    assert len(DEPLOYMENT) <= MOST_DEPLOYMENT_FILES


@pytest.mark.parametrize("distribution", BOTH)
def test_no_modules_import_each_other_in_a_circle(distribution):
    assert sum(map(len, distribution.imports.values())) > 500
    assert distribution.circles == []


@pytest.mark.parametrize("distribution", BOTH)
def test_every_class_name_is_in_one_module_only(distribution):
    assert distribution.repeated_classes == {}


def test_neither_distribution_imports_the_other():
    assert TOOL.imports_of(EMULATOR.package) == EMULATOR.imports_of(TOOL.package) == []


def test_the_emulator_does_not_run_the_tool():
    assert [name for name, module in EMULATOR.modules.items() if TOOL.package in module.text] == []


def report() -> Iterator[str]:
    """Yield the lines of the table, and then what breaks a rule."""
    row = "{:<18} {:>5} {:>9} {:>7} {:>8} {:>17}"
    yield row.format("distribution", "files", "packages", "lines", "circles", "repeated classes")
    for each in (TOOL, EMULATOR):
        figures = (len(each.modules), each.packages, f"{each.lines:,}")
        yield row.format(each.package, *figures, len(each.circles), len(each.repeated_classes))
    writers = writers_of_endings()
    yield ""
    yield f"source lines together   {TOOL.lines + EMULATOR.lines:,}"
    yield f"files in deployment/    {len(DEPLOYMENT)} (at most {MOST_DEPLOYMENT_FILES})"
    yield f"write a run's ending    {len(writers)} (exactly 1): {', '.join(writers)}"
    for each in (TOOL, EMULATOR):
        yield from (f"import circle           {' <-> '.join(circle)}" for circle in each.circles)
        for name, modules in each.repeated_classes.items():
            yield f"class {name:<18}{', '.join(modules)}"


if __name__ == "__main__":
    print("\n".join(report()))  # noqa: T201
