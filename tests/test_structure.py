"""The structure of the library: what its modules import, how its classes are named, who records endings."""

from __future__ import annotations

import ast
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import samjhadoo_ops

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(samjhadoo_ops.__file__).parent


def modules() -> dict[str, ast.Module]:
    """Return the syntax tree of every module by its name."""
    trees = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        trees[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text())
    return trees


def imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield (module, name) for everything imported, for types or inside functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def test_no_import_goes_in_a_circle() -> None:
    known = modules()
    graph = {
        name: {
            module if f"{module}.{member}" not in known else f"{module}.{member}"
            for module, member in imports(tree)
            if module in known
        }
        - {name}
        for name, tree in known.items()
    }
    assert sum(map(len, graph.values())) > 500
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" imports ".join(reversed(error.args[1]))) from None


def test_a_class_name_stands_in_one_module_only() -> None:
    found = defaultdict(set)
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found[node.name].add(name)
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_one_module_records_how_a_run_ends() -> None:
    journal = "samjhadoo_ops.deployment.journal"
    writers = {
        name
        for name, tree in modules().items()
        if {(journal, "FINISHED"), (journal, "LEFT")} & set(imports(tree))
    }
    assert writers == {"samjhadoo_ops.deployment.finish"}


def test_a_deployment_is_read_in_at_most_50_modules() -> None:
    names = [name for name in modules() if name.startswith("samjhadoo_ops.deployment")]
    assert len(names) <= 50
