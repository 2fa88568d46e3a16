"""The structure of the package: what its modules import and how its classes are named."""

from __future__ import annotations

import ast
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import samjhadoo_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(samjhadoo_emulator.__file__).parent


def modules() -> dict[str, ast.Module]:
    """Return the syntax tree of every module by its name."""
    trees = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        trees[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text())
    return trees


def imports(tree: ast.Module, known: dict[str, ast.Module]) -> Iterator[str]:
    """Yield the modules of the package that a module imports, for types or inside functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in known else str(node.module)


def test_no_import_goes_in_a_circle() -> None:
    known = modules()
    graph = {name: set(imports(tree, known)) - {name} for name, tree in known.items()}
    assert sum(map(len, graph.values())) > 500
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" imports ".join(reversed(error.args[1]))) from None


def test_a_class_name_stands_in_one_module_only() -> None:
    found = defaultdict(list)
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(name)
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
