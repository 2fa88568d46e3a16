"""What a migration may do to the users of a database while it runs: lock, rewrite, lose data, or fail.

PostgreSQL 14's rules, read in "ALTER TABLE", "Explicit Locking" and tablecmds.c, and seen with `pg_locks`.
Tables that the pending scripts make themselves, and small ones, have nobody to block. Whether the running
release works with the result is another question (`judge`). A comment `-- accept: lock` above a statement
accepts that it locks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.database.catalogue import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from samjhadoo_ops.database.answer import Inspection
    from samjhadoo_ops.database.script import Script, Statement
    from samjhadoo_ops.environment import Environment

    Node = dict[str, Any]
    Found = Iterator[tuple["RiskKind", str, str]]

_ACCEPTED = re.compile(r"\s*--\s*accept:(?P<kinds>[\w\s,-]+)", re.IGNORECASE)
_SHARE = 5
"""LOCK TABLE's number of the weakest mode that keeps writers out."""
_BUILDS_ITS_VALUES = frozenset(
    f"{name}{suffix}" for name in ("serial", "bigserial", "smallserial") for suffix in ("", "2", "4", "8")
)
_SAME_FOR_ALL_ROWS = frozenset(
    {
        *("now", "transaction_timestamp", "statement_timestamp", "current_setting", "timezone", "date_trunc"),
        *("to_timestamp", "to_date", "make_date", "make_interval", "make_timestamp", "lower", "upper", "md5"),
        *("jsonb_build_object", "json_build_object", "jsonb_build_array", "json_build_array", "to_jsonb"),
        *(
            "array_fill",
            "string_to_array",
            "decode",
            "encode",
            "concat",
            "date_part",
            "extract",
            "to_tsvector",
        ),
    }
)
"""Functions that are not volatile: as a new column's default, they are computed once."""
_TEXTS = frozenset({"text", "varchar", "citext"})
_IN_PLACE = frozenset({("cidr", "inet"), ("bit", "varbit"), *((a, b) for a in _TEXTS for b in _TEXTS)})
_CONCURRENTLY = "CREATE INDEX CONCURRENTLY, in a script that does nothing else"
_BATCHES = "change the rows in batches, outside the migration"


class RiskKind(StrEnum):
    """What may happen while a statement runs."""

    LOCK = "lock"
    REWRITE = "rewrite"
    DATA_LOSS = "data-loss"
    FAILURE = "failure"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Risk:
    """What a statement may do, and what to write instead.

    Attributes:
        accepted: Whether a comment in the script accepts it.
    """

    script: str
    line: int
    kind: RiskKind
    what: str
    remedy: str
    accepted: bool = False

    def __str__(self) -> str:
        return f"{self.script}:{self.line}: {self.kind}: {self.what}"


@dataclass
class Tables:
    """The tables that statements refer to.

    Attributes:
        sizes: Bytes of each table in the database, by `schema.table`; None if they are not known.
        small: Up to how many bytes reading or rewriting a table blocks nobody.
        made: The tables that the pending scripts make.
        names: What renamed tables were called before.
        homes: The names of the tables that statements have made.
        types: The types of columns, as far as scripts have them.
        bare: Columns that the pending scripts add without a default, and have not filled.
        checks: The column that each constraint `CHECK (column IS NOT NULL)` guards, by table and constraint.
        proven: The columns that are NOT NULL, or that such a constraint guards in all rows.
    """

    sizes: Mapping[str, int] | None = None
    small: int = 0
    made: set[str] = field(default_factory=set)
    types: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    bare: set[tuple[str, str]] = field(default_factory=set)
    checks: dict[tuple[str, str], str] = field(default_factory=dict)
    proven: set[tuple[str, str]] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)
    homes: set[str] = field(default_factory=set)

    def home(self, name: str) -> str:
        """Return the name under which a table's columns are known: with its schema, if that was seen."""
        if name in self.homes:
            return name
        same = [home for home in self.homes if _same(home, name)]
        return min(same, key=lambda home: (not home.startswith("public."), home), default=name)

    def size(self, name: str) -> int | None:
        """Return a table's size: 0 for one that does not exist or is being made, None if it is not known."""
        if any(_same(name, made) for made in self.made):
            return 0
        if self.sizes is None:
            return None
        known = self.names.get(name, name)
        return max((size for table, size in self.sizes.items() if _same(known, table)), default=0)

    def has_rows(self, name: str) -> bool:
        """Return whether a table may have rows."""
        return self.size(name) != 0

    def is_large(self, name: str) -> bool:
        """Return whether work on all rows of a table may block its users."""
        size = self.size(name)
        return size is None or size > self.small

    def learn(self, kind: str, node: Node, *, pending: bool) -> None:
        """Take note of what a statement makes."""
        made = _made(kind, node)
        self.homes |= {made} if made else set()
        if made and pending and not (node.get("if_not_exists") and self.sizes and self.has_rows(made)):
            self.made.add(made)
        for item in node.get("tableElts", ()) if kind == "CreateStmt" else ():
            if "ColumnDef" in item:
                self._define(made, item["ColumnDef"])
        if kind == "AlterTableStmt":
            for command in _commands(node):
                self._alter(self.home(name_of(node["relation"])), command, pending=pending)
        elif kind == "RenameStmt" and "relation" in node:
            self._rename(node)
        elif kind == "UpdateStmt":
            table = self.home(name_of(node["relation"]))
            self.bare -= {(table, each["ResTarget"]["name"]) for each in node.get("targetList", ())}

    def _alter(self, table: str, command: Node, *, pending: bool) -> None:
        definition, name = command.get("def", {}), command.get("name", "")
        match command["subtype"]:
            case "AT_AddColumn":
                column = definition["ColumnDef"]
                self._define(table, column)
                if pending and not _has_value(column):
                    self.bare.add((table, column["colname"]))
            case "AT_DropNotNull":
                self.proven.discard((table, name))
            case "AT_AlterColumnType":
                self.types[table, name] = _type(definition["ColumnDef"]["typeName"])
            case "AT_AddConstraint":
                constraint = definition["Constraint"]
                guarded = _guarded(constraint)
                self.checks[table, constraint.get("conname", "")] = guarded
                if not constraint.get("skip_validation"):
                    self.proven.add((table, guarded))
            case "AT_ValidateConstraint":
                self.proven.add((table, self.checks.get((table, name), "")))

    def _define(self, table: str, column: Node) -> None:
        """Take note of a column's type, and of whether it is required."""
        key, kind = (table, column["colname"]), _type(column["typeName"])
        self.types[key] = kind
        if {"NOTNULL", "PRIMARY"} & _constraints(column).keys() or kind[0] in _BUILDS_ITS_VALUES:
            self.proven.add(key)

    def _rename(self, node: Node) -> None:
        table, new = self.home(name_of(node["relation"])), node["newname"]
        if node["renameType"] == "OBJECT_COLUMN":
            known = self.types.pop((table, node["subname"]), None)
            self.types |= {(table, new): known} if known else {}
        elif node["renameType"] == "OBJECT_TABLE":
            schema, dot, _ = table.rpartition(".")
            renamed = f"{schema}{dot}{new}"
            self.homes.add(renamed)
            self.names[renamed] = self.names.get(table, table)
            self.made |= {renamed} if self.size(table) == 0 and table in self.made else set()
            for (owner, column), kind in list(self.types.items()):
                if owner == table:
                    self.types[renamed, column] = kind


def find_pending_risks(inspection: Inspection, env: Environment, *, alone: bool) -> list[Risk]:
    """Return what pending migrations and their callbacks may do; raise `ImportError` without pgparse."""
    from samjhadoo_ops.database.judge import read
    from samjhadoo_ops.database.script import split

    settings = env.gates.migrations
    if inspection.schema is None:
        applied = [each for each in inspection.migrations if each.path and not each.pending]
        before = [read(each, env) for each in applied]
    else:
        before = [split("", inspection.schema)]
    tables = Tables(inspection.sizes, settings.small_table * 1024**2)
    pending = [read(each, env) for each in inspection.to_run]
    found = find_risks(pending, tables, before=before, alone=alone)
    return [risk for risk in found if risk.kind not in settings.exclude]


def find_risks(
    scripts: Iterable[Script], tables: Tables, *, before: Iterable[Script] = (), alone: bool = False
) -> list[Risk]:
    """Return what scripts that run one after the other may do.

    Args:
        before: The scripts that were applied earlier, in order: they have the types of columns.
        alone: Whether no judge looks at the scripts. Then what is dropped counts as lost, and what cannot be
            read as not known.
    """
    for script in before:
        for statement in script.statements:
            for kind, node in statement.trees:
                tables.learn(kind, node, pending=False)
    return [risk for script in scripts for risk in _Reading(script, tables, alone=alone).risks()]


@dataclass
class _Reading:
    """One script as it is read, statement by statement.

    Attributes:
        locked: The line that has locked each table until the script's end.
        untimed: The line that switched the lock's time-out off; 0 for none.
    """

    script: Script
    tables: Tables
    alone: bool
    locked: dict[str, int] = field(default_factory=dict)
    untimed: int = 0

    def risks(self) -> Iterator[Risk]:
        if self.alone and not self.script.statements:
            yield Risk(self.script.name, 0, RiskKind.UNKNOWN, "cannot be read", "plain SQL statements")
        for statement in self.script.statements:
            accepted = self._accepted(statement.line)
            trees = _trees(statement)
            if self.alone and not trees:
                what = "cannot be read, so that what it does is not known"
                hint = "plain SQL statements"
                risk = Risk(self.script.name, statement.line, RiskKind.UNKNOWN, what, hint)
                yield replace(risk, accepted=risk.kind in accepted)
            for kind, node in trees:
                for risk in self._risks_of(statement.line, kind, node):
                    yield replace(risk, accepted=risk.kind in accepted)
                self.tables.learn(kind, node, pending=True)

    def _risks_of(self, line: int, kind: str, node: Node) -> Iterator[Risk]:
        for risk, what, remedy in _RULES[kind](node, self) if kind in _RULES else ():
            yield Risk(self.script.name, line, risk, what, remedy)
        if kind == "VariableSetStmt" and node["name"] == "lock_timeout":
            self.untimed = line if _is_zero(node) else 0
        if kind not in {"AlterTableStmt", "RenameStmt"} or "relation" not in node:
            return
        table = name_of(node["relation"])
        if self.untimed and self.tables.is_large(table):
            yield Risk(
                self.script.name,
                self.untimed,
                RiskKind.LOCK,
                f"line {line} then waits for {table} without a time-out, and everybody else behind it",
                "leave lock_timeout as [database] sets it",
            )
            self.untimed = 0
        if self.script.in_transaction:
            self.locked.setdefault(table, line)

    def _accepted(self, line: int) -> frozenset[str]:
        """Return the kinds that the comments directly above a statement accept."""
        for text in reversed(self.script.text.split("\n")[: line - 1]):
            found = _ACCEPTED.match(text)
            if found:
                return frozenset(re.split(r"[\s,]+", found["kinds"].lower()))
            if text.strip() and not text.lstrip().startswith("--"):
                break
        return frozenset()


def name_of(relation: Node) -> str:
    """Return the name of a RangeVar, with its schema if it has one."""
    return ".".join(filter(None, [relation.get("schemaname"), relation["relname"]]))


def _same(one: str, other: str) -> bool:
    """Return whether two names may be one table: one without a schema is that of any schema."""
    ours, theirs = one.rpartition("."), other.rpartition(".")
    return ours[2] == theirs[2] and (not ours[0] or not theirs[0] or ours[0] == theirs[0])


def _trees(statement: Statement) -> list[tuple[str, Node]]:
    """Return the nodes of a statement, and those inside a DO block; none if it cannot be read."""
    from samjhadoo_ops.database.plpgsql import embedded

    trees = list(statement.trees)
    if [kind for kind, _ in trees] != ["DoStmt"]:
        return trees
    inside = embedded(statement.text)
    return (
        []
        if inside is None
        else [*trees, *(tree for text in inside for tree in replace(statement, text=text).trees)]
    )


def _commands(node: Node) -> list[Node]:
    return [each["AlterTableCmd"] for each in node.get("cmds", ())]


def _made(kind: str, node: Node) -> str:
    """Return the table or materialized view that a statement makes; empty for none."""
    if kind == "CreateStmt":
        return name_of(node["relation"])
    into = node.get("into") if kind == "CreateTableAsStmt" else node.get("intoClause")
    return name_of(into["rel"]) if into else ""


def _type(node: Node) -> tuple[str, ...]:
    """Return a type as its name and the numbers in its brackets."""
    numbers = [
        str(each["A_Const"].get("ival", {}).get("ival", 0))
        for each in node.get("typmods", ())
        if "A_Const" in each
    ]
    name = node["names"][-1]["String"]["sval"] + ("[]" if "arrayBounds" in node else "")
    return (name, *numbers)


def _constraints(column: Node) -> dict[str, Node]:
    found = (each["Constraint"] for each in column.get("constraints", ()))
    return {each["contype"].removeprefix("CONSTR_"): each for each in found}


def _has_value(column: Node) -> bool:
    """Return whether existing rows get a value in a new column."""
    given = {"DEFAULT", "IDENTITY", "GENERATED"} & _constraints(column).keys()
    return bool(given) or _type(column["typeName"])[0] in _BUILDS_ITS_VALUES


def _guarded(constraint: Node) -> str:
    """Return the column of a constraint `CHECK (column IS NOT NULL)`; empty for any other."""
    test = constraint.get("raw_expr", {}).get("NullTest", {})
    if test.get("nulltesttype") != "IS_NOT_NULL" or "ColumnRef" not in test["arg"]:
        return ""
    return str(test["arg"]["ColumnRef"]["fields"][-1].get("String", {}).get("sval", ""))


def _is_zero(node: Node) -> bool:
    constant = node.get("args", [{}])[0].get("A_Const", {})
    text = constant.get("sval", {}).get("sval") or constant.get("ival", {}).get("ival", 0)
    return node["kind"] == "VAR_SET_VALUE" and re.fullmatch(r"0+\s*[a-z]*", str(text)) is not None


def _is_volatile(expression: Any) -> bool:
    """Return whether a default has to be computed for each row."""
    if isinstance(expression, list):
        return any(map(_is_volatile, expression))
    if not isinstance(expression, dict):
        return False
    called = expression.get("FuncCall")
    if called and called["funcname"][-1]["String"]["sval"] not in _SAME_FOR_ALL_ROWS:
        return True
    return any(map(_is_volatile, expression.values()))


def _index(node: Node, at: _Reading) -> Found:
    table = name_of(node["relation"])
    if not node.get("concurrent") and at.tables.is_large(table):
        yield RiskKind.LOCK, f"nobody can write to {table} while the index is built", _CONCURRENTLY


def _alter_table(node: Node, at: _Reading) -> Found:
    if node.get("objtype") != "OBJECT_TABLE":
        return
    table = name_of(node["relation"])
    for command in _commands(node):
        rule = _ALTERATIONS.get(command["subtype"])
        if rule and at.tables.has_rows(table):
            yield from rule(table, command, at)


def _add_column(table: str, command: Node, at: _Reading) -> Found:
    column = command["def"]["ColumnDef"]
    name, constraints = column["colname"], _constraints(column)
    if {"NOTNULL", "PRIMARY"} & constraints.keys() and not _has_value(column):
        yield (
            RiskKind.FAILURE,
            f"{name} cannot be NOT NULL without a default while {table} has rows",
            "give it a DEFAULT, or add it without NOT NULL",
        )
    if not at.tables.is_large(table):
        return
    default = constraints.get("DEFAULT", {}).get("raw_expr")
    fills = _type(column["typeName"])[0] in _BUILDS_ITS_VALUES or _is_volatile(default)
    if fills or {"IDENTITY", "GENERATED"} & constraints.keys():
        yield (
            RiskKind.REWRITE,
            f"{table} is rewritten, as each row gets a value of its own; nobody can use it meanwhile",
            f"add {name} without a default, set the default afterwards, and {_BATCHES}",
        )
    if {"UNIQUE", "PRIMARY"} & constraints.keys():
        yield RiskKind.LOCK, f"nobody can use {table} while the index of {name} is built", _CONCURRENTLY
    if "CHECK" in constraints or ("FOREIGN" in constraints and _has_value(column)):
        yield _scan(table, "ADD CONSTRAINT … NOT VALID, and VALIDATE CONSTRAINT in a later script")


def _scan(table: str, remedy: str) -> tuple[RiskKind, str, str]:
    return RiskKind.LOCK, f"{table} is locked while all its rows are checked", remedy


def _add_constraint(table: str, command: Node, at: _Reading) -> Found:
    constraint = command["def"]["Constraint"]
    kind = constraint["contype"].removeprefix("CONSTR_")
    if not at.tables.is_large(table) or constraint.get("skip_validation") or constraint.get("indexname"):
        return
    if kind in {"CHECK", "FOREIGN", "NOTNULL"}:
        yield _scan(table, "add it NOT VALID, and VALIDATE CONSTRAINT in a later script")
    elif kind in {"UNIQUE", "PRIMARY"}:
        remedy = f"CREATE UNIQUE {_CONCURRENTLY[7:]}; then ADD CONSTRAINT … USING INDEX"
        yield RiskKind.LOCK, f"nobody can use {table} while the index is built", remedy
    else:
        yield (
            RiskKind.LOCK,
            f"nobody can use {table} while the index is built",
            "run it while nobody uses the table",
        )


def _set_not_null(table: str, command: Node, at: _Reading) -> Found:
    column = (at.tables.home(table), command["name"])
    if column in at.tables.bare:
        remedy = "fill the column first, or give it a default when it is added"
        yield RiskKind.FAILURE, f"{command['name']} was just added: it is null in all rows of {table}", remedy
    elif at.tables.is_large(table) and column not in at.tables.proven:
        name = command["name"]
        remedy = f"ADD CHECK ({name} IS NOT NULL) NOT VALID; in later scripts VALIDATE it, then SET NOT NULL"
        yield _scan(table, remedy)


def _change_type(table: str, command: Node, at: _Reading) -> Found:
    definition = command["def"]["ColumnDef"]
    using = definition.get("raw_default")
    old, new = at.tables.types.get((at.tables.home(table), command["name"])), _type(definition["typeName"])
    if at.tables.is_large(table) and (_computes(using) or _is_rewritten(old, new) or (old is None and using)):
        change = f"{command['name']} from {old[0] if old else 'its type'} to {new[0]}"
        yield (
            RiskKind.REWRITE,
            f"{table} is rewritten to change {change}; nobody can use it meanwhile",
            f"add a column of the new type, keep both filled, {_BATCHES}, and drop the old one later",
        )


def _computes(using: Any) -> bool:
    """Return whether USING does more than name the column or cast it."""
    while using and "TypeCast" in using:
        using = using["TypeCast"]["arg"]
    return bool(using) and "ColumnRef" not in using


def _is_rewritten(old: tuple[str, ...] | None, new: tuple[str, ...]) -> bool:
    """Return whether values of a type are stored in another way, or have to be checked, as another type."""
    if old is None:
        return new not in {("text",), ("varchar",)}
    (before, *had), (after, *has) = old, new
    if old == new:
        return False
    if before != after:
        return (before, after) not in _IN_PLACE or (
            after != "text" and bool(has) and not (had and int(had[0]) <= int(has[0]))
        )
    if before in {"bpchar", "bit"}:
        return True
    if not has:
        return False
    return not had or int(has[0]) < int(had[0]) or had[1:] != has[1:]


def _validate(table: str, _command: Node, at: _Reading) -> Found:
    if at.tables.is_large(table) and table in at.locked:
        remedy = "VALIDATE CONSTRAINT in a script of its own: alone, it blocks nobody"
        yield (
            RiskKind.LOCK,
            f"{table} stays locked by line {at.locked[table]} while all its rows are checked",
            remedy,
        )


def _move(table: str, command: Node, at: _Reading) -> Found:
    if command["subtype"] == "AT_SetUnLogged":
        yield (
            RiskKind.DATA_LOSS,
            f"a crash or a failover empties {table} once it is unlogged",
            "keep it logged",
        )
    if at.tables.is_large(table):
        what = f"{table} is rewritten; nobody can use it meanwhile"
        yield RiskKind.REWRITE, what, "move the rows to a new table in batches"


def _drop_column(table: str, command: Node, at: _Reading) -> Found:
    if at.alone and (at.tables.home(table), command["name"]) not in at.tables.bare:
        yield RiskKind.DATA_LOSS, f"{table} loses the column {command['name']}", "drop it in a later release"


def _drop(node: Node, at: _Reading) -> Found:
    if not at.alone or node["removeType"] not in {"OBJECT_TABLE", "OBJECT_SCHEMA"}:
        return
    for each in node["objects"]:
        parts = each["List"]["items"] if "List" in each else [each]
        name = ".".join(part["String"]["sval"] for part in parts)
        if node["removeType"] == "OBJECT_SCHEMA" or at.tables.has_rows(name):
            yield RiskKind.DATA_LOSS, f"{name} and all that it holds is lost", "drop it in a later release"


def _drop_database(node: Node, _at: _Reading) -> Found:
    yield RiskKind.DATA_LOSS, f"the database {node['dbname']} is lost", "no migration should drop a database"


def _truncate(node: Node, at: _Reading) -> Found:
    for each in node["relations"]:
        name = name_of(each["RangeVar"])
        if at.tables.has_rows(name):
            yield (
                RiskKind.DATA_LOSS,
                f"all rows of {name} are lost",
                "delete only what nobody needs, with a WHERE",
            )


def _delete(node: Node, at: _Reading) -> Found:
    name, where = name_of(node["relation"]), node.get("whereClause", {})
    if at.tables.has_rows(name) and not _selects(where) and "usingClause" not in node:
        yield (
            RiskKind.DATA_LOSS,
            f"all rows of {name} are lost",
            "delete only what nobody needs, with a WHERE",
        )
    else:
        yield from _rows(name, where, at)


def _update(node: Node, at: _Reading) -> Found:
    name, where = name_of(node["relation"]), node.get("whereClause", {})
    if at.tables.is_large(name) and not _selects(where):
        yield RiskKind.LOCK, f"all rows of {name} are locked until the script's end", _BATCHES
    else:
        yield from _rows(name, where, at)


def _rows(name: str, where: Node, at: _Reading) -> Found:
    """Find a change of many rows while the table is locked."""
    if at.tables.is_large(name) and name in at.locked and not _is_narrow(where):
        what = f"{name} stays locked by line {at.locked[name]} while its rows are changed"
        yield RiskKind.LOCK, what, f"{_BATCHES}, or in a script of its own"


def _selects(where: Node) -> bool:
    """Return whether a condition can be false."""
    comparison = where.get("A_Expr", {})
    constant = "A_Const" in comparison.get("lexpr", {}) and "A_Const" in comparison.get("rexpr", {})
    return bool(where) and "A_Const" not in where and not constant


def _is_narrow(where: Node) -> bool:
    """Return whether a condition compares a column with a constant, so that few rows are expected."""
    conditions = (
        where["BoolExpr"]["args"] if where.get("BoolExpr", {}).get("boolop") == "AND_EXPR" else [where]
    )
    compared = (each.get("A_Expr", {}) for each in conditions)
    constant = (each for each in compared if each and each["name"] != [{"String": {"sval": "<>"}}])
    return any(not [*find(each["rexpr"], "ColumnRef"), *find(each["rexpr"], "SubLink")] for each in constant)


def _vacuum(node: Node, at: _Reading) -> Found:
    options = {each["DefElem"]["defname"] for each in node.get("options", ())}
    if "full" not in options:
        return
    names = [name_of(each["VacuumRelation"]["relation"]) for each in node.get("rels", ())]
    if not names or any(map(at.tables.is_large, names)):
        what = f"{', '.join(names) or 'every table'} is rewritten; nobody can use it meanwhile"
        yield RiskKind.REWRITE, what, "VACUUM without FULL, or pg_repack"


def _cluster(node: Node, at: _Reading) -> Found:
    name = name_of(node["relation"]) if "relation" in node else ""
    if not name or at.tables.is_large(name):
        what = f"{name or 'every clustered table'} is rewritten; nobody can use it meanwhile"
        yield RiskKind.REWRITE, what, "pg_repack"


def _reindex(node: Node, at: _Reading) -> Found:
    if any(each["DefElem"]["defname"] == "concurrently" for each in node.get("params", ())):
        return
    name = name_of(node["relation"]) if "relation" in node else str(node.get("name", "the database"))
    if node["kind"] != "REINDEX_OBJECT_TABLE" or at.tables.is_large(name):
        what = f"nobody can write while the indexes of {name} are built"
        yield (
            RiskKind.LOCK,
            what,
            "REINDEX … CONCURRENTLY, with executeInTransaction=false in the script's .conf",
        )


def _lock(node: Node, at: _Reading) -> Found:
    for each in node["relations"] if node.get("mode", 0) >= _SHARE else ():
        name = name_of(each["RangeVar"])
        if at.tables.has_rows(name):
            what = f"{name} is locked until the script's end"
            yield RiskKind.LOCK, what, "let each statement take the lock that it needs"


def _refresh(node: Node, at: _Reading) -> Found:
    name = name_of(node["relation"])
    if not node.get("concurrent") and not node.get("skipData") and at.tables.is_large(name):
        what = f"nobody can read {name} while it is refreshed"
        yield RiskKind.LOCK, what, "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index"


def _domain(node: Node, _at: _Reading) -> Found:
    checked = node["subtype"] == "C" and not node["def"]["Constraint"].get("skip_validation")
    if checked or node["subtype"] == "O":
        what = "all tables with the domain are locked while their rows are checked"
        yield RiskKind.LOCK, what, "ADD CONSTRAINT … NOT VALID, and VALIDATE CONSTRAINT in a later script"


_RULES: Mapping[str, Callable[[Node, _Reading], Found]] = {
    "AlterDomainStmt": _domain,
    "AlterTableStmt": _alter_table,
    "ClusterStmt": _cluster,
    "DeleteStmt": _delete,
    "DropStmt": _drop,
    "DropdbStmt": _drop_database,
    "IndexStmt": _index,
    "LockStmt": _lock,
    "RefreshMatViewStmt": _refresh,
    "ReindexStmt": _reindex,
    "TruncateStmt": _truncate,
    "UpdateStmt": _update,
    "VacuumStmt": _vacuum,
}
_ALTERATIONS: Mapping[str, Callable[[str, Node, _Reading], Found]] = {
    "AT_AddColumn": _add_column,
    "AT_AddConstraint": _add_constraint,
    "AT_AlterColumnType": _change_type,
    "AT_DropColumn": _drop_column,
    "AT_SetAccessMethod": _move,
    "AT_SetLogged": _move,
    "AT_SetNotNull": _set_not_null,
    "AT_SetTableSpace": _move,
    "AT_SetUnLogged": _move,
    "AT_ValidateConstraint": _validate,
}
