"""The SQL inside PL/pgSQL code, as PostgreSQL's own parser finds it.

The parser ends its whole process on some input (a function without a body), so it has one of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

SECONDS = 10.0
"""Real seconds that reading one body may take."""
_PROGRAM = "import json, sys, pgparse; json.dump(pgparse.parse_pgsql(sys.stdin.read()), sys.stdout)"
_SQL = {"PLpgSQL_stmt_execsql": "sqlstmt", "PLpgSQL_stmt_perform": "expr", "PLpgSQL_stmt_call": "expr"}
_DYNAMIC = {"PLpgSQL_stmt_dynexecute": "query", "PLpgSQL_stmt_dynfors": "query"}
_ENDS = frozenset({"PLpgSQL_stmt_commit", "PLpgSQL_stmt_rollback"})


def embedded(text: str) -> list[str] | None:
    """Return the SQL statements that a DO statement or a function may run; None if they are not all known.

    Args:
        text: The whole statement: `DO …`, or `CREATE FUNCTION … AS …`.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            input=text.encode(),
            capture_output=True,
            timeout=SECONDS,
            check=True,
        )
        return list(_statements(json.loads(done.stdout)))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def _statements(node: Any) -> list[str]:
    """Return the statements within a tree; raise `ValueError` for one that is put together at run time."""
    if isinstance(node, list):
        return [text for inner in node for text in _statements(inner)]
    if not isinstance(node, dict):
        return []
    found: list[str] = []
    for kind, inner in node.items():
        if kind in _SQL:
            found.append(inner[_SQL[kind]]["PLpgSQL_expr"]["query"])
        elif kind in _DYNAMIC:
            found.append(_literal(inner[_DYNAMIC[kind]]["PLpgSQL_expr"]["query"]))
        elif kind in _ENDS:
            found.append("COMMIT")
        found += _statements(inner)
    return found


def _literal(expression: str) -> str:
    """Return the text of a constant; raise `ValueError` if an expression is none."""
    import pgparse

    try:
        (statement,) = pgparse.parse(f"SELECT {expression}")
        return str(
            statement["stmt"]["SelectStmt"]["targetList"][0]["ResTarget"]["val"]["A_Const"]["sval"]["sval"]
        )
    except (pgparse.PGQueryError, KeyError, IndexError) as error:
        raise ValueError(f"not a constant: {expression}") from error
