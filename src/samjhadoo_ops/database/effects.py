"""What each statement of pending migrations does to a release that runs, and to the schema.

The decisions are data where they can be: `_SAFE`, `_UNKNOWN` and the tables of ALTER TABLE's commands. What
pending migrations have made themselves no release uses yet. What is dropped and made again with the same
columns or signature is as good as never dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.database.catalogue import (
    CONSTRAINT,
    EXTENSION,
    FUNCTION,
    RELATION,
    SCHEMA,
    TYPE,
    Catalogue,
    Column,
    Entry,
    find,
    relation_names,
    strings,
    type_of,
)
from samjhadoo_ops.database.plpgsql import embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from samjhadoo_ops.database.catalogue import Key, Node
    from samjhadoo_ops.database.script import Script, Statement


class Compatibility(StrEnum):
    """Whether the running release works with a migration."""

    SAFE = "safe"
    UNKNOWN = "unknown"
    BREAKS = "breaks"


class Effect(StrEnum):
    """What a statement does besides, whether or not the running release works with it.

    What blocks users meanwhile is another question (`risks`).
    """

    LOSES = "loses data"
    FAILS = "may fail"


@dataclass(frozen=True)
class Reason:
    """What a statement does.

    Attributes:
        line: The statement's line in the script, from 1 on; 0 where only the script is known.
    """

    script: str
    line: int
    what: str
    answer: Compatibility = Compatibility.BREAKS
    effects: tuple[Effect, ...] = ()

    def __str__(self) -> str:
        besides = f" ({', '.join(self.effects)})" if self.effects else ""
        return f"{self.script}:{self.line}: {self.what}{besides}"


SAFE, UNKNOWN, BREAKS = Compatibility.SAFE, Compatibility.UNKNOWN, Compatibility.BREAKS
_RULES: dict[str, Callable[[Effects, Node], None]] = {}
_COMMAND_RULES: dict[str, Callable[[Effects, Key, Entry, Node], None]] = {}


def _rule(*kinds: str) -> Callable[[Any], Any]:
    """Register how statements of these kinds are judged."""
    return lambda method: _RULES.update(dict.fromkeys(kinds, method)) or method


def _command_rule(*kinds: str) -> Callable[[Any], Any]:
    """Register how commands of ALTER TABLE of these kinds are judged."""
    return lambda method: _COMMAND_RULES.update(dict.fromkeys(kinds, method)) or method


_X, _F = Effect.LOSES, Effect.FAILS

_KINDS = {
    "OBJECT_TABLE": (RELATION, "table"),
    "OBJECT_FOREIGN_TABLE": (RELATION, "foreign table"),
    "OBJECT_VIEW": (RELATION, "view"),
    "OBJECT_MATVIEW": (RELATION, "materialized view"),
    "OBJECT_INDEX": (RELATION, "index"),
    "OBJECT_SEQUENCE": (RELATION, "sequence"),
    "OBJECT_TYPE": (TYPE, "type"),
    "OBJECT_DOMAIN": (TYPE, "domain"),
    "OBJECT_FUNCTION": (FUNCTION, "function"),
    "OBJECT_PROCEDURE": (FUNCTION, "procedure"),
    "OBJECT_ROUTINE": (FUNCTION, "routine"),
    "OBJECT_AGGREGATE": (FUNCTION, "aggregate"),
    "OBJECT_SCHEMA": (SCHEMA, "schema"),
    "OBJECT_EXTENSION": (EXTENSION, "extension"),
}
_DROPPED_UNKNOWN = {"OBJECT_TRIGGER": "trigger", "OBJECT_RULE": "rule", "OBJECT_POLICY": "policy"}
_HARMLESS_RENAMES = frozenset(
    {
        *("OBJECT_TABCONSTRAINT", "OBJECT_DOMCONSTRAINT", "OBJECT_INDEX", "OBJECT_TRIGGER", "OBJECT_RULE"),
        *("OBJECT_POLICY", "OBJECT_STATISTIC_EXT"),
    }
)
_SAFE = frozenset(
    {
        *("CommentStmt", "CreateStatsStmt", "DefineStmt", "CreateCastStmt"),
        *("CreateOpClassStmt", "CreateOpFamilyStmt", "CreateRoleStmt", "CreateForeignTableStmt"),
        *("CreateFdwStmt", "CreateForeignServerStmt", "CreateUserMappingStmt", "CreatedbStmt"),
        *("CreateTableSpaceStmt", "CreatePublicationStmt", "CreateSubscriptionStmt", "CreateRangeStmt"),
        *("CreateConversionStmt", "CreateAmStmt", "CreatePLangStmt", "SecLabelStmt", "NotifyStmt"),
        *("ListenStmt", "UnlistenStmt", "CheckPointStmt", "DiscardStmt", "VariableShowStmt", "ExplainStmt"),
        *("TransactionStmt", "ConstraintsSetStmt", "DeclareCursorStmt", "ClosePortalStmt", "FetchStmt"),
        *("LockStmt", "ClusterStmt", "VacuumStmt", "ReindexStmt", "RefreshMatViewStmt", "CopyStmt"),
        *("LoadStmt", "AlterStatsStmt", "AlterTSDictionaryStmt", "CreateTransformStmt"),
    }
)
_UNKNOWN = {
    "CreateTrigStmt": "makes a trigger",
    "RuleStmt": "makes a rule",
    "CreatePolicyStmt": "makes a policy",
    "AlterPolicyStmt": "changes a policy",
    "CreateEventTrigStmt": "makes an event trigger",
    "AlterOwnerStmt": "changes an owner",
    "ReassignOwnedStmt": "changes owners",
    "AlterDefaultPrivilegesStmt": "changes default privileges",
    "AlterFunctionStmt": "changes a function",
    "AlterRoleStmt": "changes a role",
    "AlterRoleSetStmt": "changes a role's settings",
    "AlterDatabaseSetStmt": "changes the database's settings",
    "AlterExtensionStmt": "changes an extension's version",
    "ExecuteStmt": "runs a prepared statement",
    "MergeStmt": "merges rows into a table",
}
_COMMANDS: dict[str, tuple[Compatibility, str, tuple[Effect, ...]]] = {
    "AT_DropNotNull": (SAFE, "", ()),
    "AT_ValidateConstraint": (SAFE, "", ()),
    "AT_AttachPartition": (SAFE, "", ()),
    "AT_SetStatistics": (SAFE, "", ()),
    "AT_SetStorage": (SAFE, "", ()),
    "AT_SetCompression": (SAFE, "", ()),
    "AT_SetRelOptions": (SAFE, "", ()),
    "AT_ResetRelOptions": (SAFE, "", ()),
    "AT_SetOptions": (SAFE, "", ()),
    "AT_ResetOptions": (SAFE, "", ()),
    "AT_ReplicaIdentity": (SAFE, "", ()),
    "AT_ClusterOn": (SAFE, "", ()),
    "AT_DropCluster": (SAFE, "", ()),
    "AT_AlterConstraint": (SAFE, "", ()),
    "AT_DisableRowSecurity": (SAFE, "", ()),
    "AT_NoForceRowSecurity": (SAFE, "", ()),
    "AT_SetTableSpace": (SAFE, "", ()),
    "AT_SetLogged": (SAFE, "", ()),
    "AT_SetUnLogged": (SAFE, "makes {0} unlogged: it is empty after a crash", (_X,)),
    "AT_SetAccessMethod": (SAFE, "", ()),
    "AT_EnableRowSecurity": (BREAKS, "enables row level security on {0}", ()),
    "AT_ForceRowSecurity": (BREAKS, "forces row level security on {0}", ()),
    "AT_DropIdentity": (BREAKS, "drops the identity of {0}.{1}", ()),
    "AT_DropExpression": (BREAKS, "drops the expression of {0}.{1}", ()),
    "AT_DetachPartition": (BREAKS, "detaches a partition from {0}", ()),
    **dict.fromkeys(
        (
            *("AT_EnableTrig", "AT_EnableAlwaysTrig", "AT_EnableReplicaTrig", "AT_DisableTrig"),
            *("AT_EnableTrigAll", "AT_DisableTrigAll", "AT_EnableTrigUser", "AT_DisableTrigUser"),
            *("AT_EnableRule", "AT_EnableAlwaysRule", "AT_EnableReplicaRule", "AT_DisableRule"),
        ),
        (UNKNOWN, "turns triggers or rules of {0} on or off", ()),
    ),
    "AT_ChangeOwner": (UNKNOWN, "changes the owner of {0}", ()),
}
_WIDER = {("int2", "int4"), ("int2", "int8"), ("int4", "int8")}
_TIMES = {"timestamp", "timestamptz"}
_SERIAL = frozenset({"serial", "bigserial", "smallserial", "serial4", "serial8", "serial2"})
_DEEPEST = 4
"""How deep calls of functions are followed."""
_SHOWN = 60


@dataclass
class _Gone:
    """Something that was dropped or renamed, until it is made again."""

    entry: Entry | None
    reason: int
    renamed: bool = False


@dataclass
class Effects:
    """Follows pending migrations, statement by statement.

    Attributes:
        catalogue: What the schema holds; it changes with the statements.
        reasons: What was found so far.
    """

    catalogue: Catalogue
    reasons: list[Reason] = field(default_factory=list)
    _script: str = ""
    _line: int = 0
    _depth: int = 0
    _text: str = ""
    _gone: dict[Key, _Gone] = field(default_factory=dict)
    _filled: set[str] = field(default_factory=set)

    def follow(self, script: Script) -> None:
        """Take a script's statements into account; raise `ImportError` without pgparse."""
        self._script = script.name
        path = self.catalogue.path
        for statement in script.statements:
            self._line = statement.line
            self._follow(statement)
        self.catalogue.path = path  # Flyway resets it after each script

    def _follow(self, statement: Statement) -> None:
        self._text = statement.text
        if not statement.trees:
            self._say(UNKNOWN, f"PostgreSQL's parser does not understand {_shortened(statement.text)}")
        for kind, node in statement.trees:
            self._judge(kind, node)

    def _judge(self, kind: str, node: Node) -> None:
        rule = _RULES.get(kind)
        if rule is not None:
            rule(self, node)
        elif kind in _UNKNOWN:
            relation = node.get("relation") or node.get("table")
            if not (isinstance(relation, dict) and "relname" in relation and self._made(relation)):
                self._say(UNKNOWN, _UNKNOWN[kind])
        elif kind not in _SAFE:
            self._say(UNKNOWN, f"runs {_shortened(self._text)}, whose effect is not known")

    def _say(self, answer: Compatibility, what: str, *effects: Effect) -> None:
        self.reasons.append(Reason(self._script, self._line, what, answer, effects))

    def _key(self, relation: Node) -> Key:
        return self.catalogue.key(RELATION, relation_names(relation))

    def _made(self, relation: Node) -> bool:
        """Return whether pending migrations have made a relation, or it is temporary."""
        entry = self.catalogue.get(self._key(relation))
        return entry is not None and bool(entry.origin)

    def _make(self, key: Key, entry: Entry, *, origin: str | None = None) -> None:
        """Enter something new; if it was dropped or renamed before, settle that.

        Args:
            origin: The script that has made it; None for this one.
        """
        gone = self._gone.pop(key, None)
        entry.origin = self._script if origin is None else origin
        self.catalogue.entries[key] = entry
        if gone is None:
            return
        entry.origin = gone.entry.origin if gone.entry else ""
        verb = "renames" if gone.renamed else "drops"
        answer, but = _again(key, gone, entry)
        reason, former = self.reasons[gone.reason], gone.entry or entry
        self.reasons[gone.reason] = replace(
            reason,
            answer=answer,
            what=f"{verb} the {former.kind} {_name(key)} and makes it again{but}",
            effects=reason.effects if answer is BREAKS else (),
        )

    def _lose(
        self, key: Key, what: str, *effects: Effect, renamed: bool = False, missing_ok: bool = False
    ) -> None:
        """Take something out of the catalogue: it breaks a release unless pending migrations have made it."""
        entry = self.catalogue.entries.pop(key, None)
        if entry is None and missing_ok and self.catalogue.complete:
            return
        if entry is not None and entry.origin:
            if _X in effects and entry.origin != self._script:
                self._say(SAFE, f"{what}, which {entry.origin} makes", *effects)
            return
        self._gone[key] = _Gone(entry, len(self.reasons), renamed)
        self._say(BREAKS, what, *effects)

    # Tables

    def _new_table(self, relation: Node) -> Key:
        """Return the key of a table to be made; a temporary one has a schema of its own."""
        if relation.get("relpersistence") != "t":
            return self._key(relation)
        self.catalogue.path = tuple(dict.fromkeys(("pg_temp", *self.catalogue.path)))
        return RELATION, f"pg_temp.{relation['relname']}"

    @_rule("CreateStmt")
    def _create_table(self, node: Node) -> None:
        key = self._new_table(node["relation"])
        if node.get("if_not_exists") and key in self.catalogue.entries:
            return
        elements = node.get("tableElts", [])
        columns = {each["colname"]: self._column(each) for each in find(elements, "ColumnDef")}
        parents = [each["RangeVar"] for each in node.get("inhRelations", ())]
        for parent in (*parents, *(each["relation"] for each in find(elements, "TableLikeClause"))):
            known = self.catalogue.get(self._key(parent))
            if known is None or known.columns is None:
                self._make(key, Entry("table"))
                return
            columns = {
                name: replace(each, origin=self._script) for name, each in known.columns.items()
            } | columns
        self._make(key, Entry("table", columns=columns))

    @_rule("CreateTableAsStmt")
    def _create_table_as(self, node: Node) -> None:
        kind = "materialized view" if node.get("objtype") == "OBJECT_MATVIEW" else "table"
        key = self._new_table(node["into"]["rel"])
        if not (node.get("if_not_exists") and key in self.catalogue.entries):
            self._make(key, self._reading(kind, node["query"], node["into"].get("colNames")))

    @_rule("ViewStmt")
    def _create_view(self, node: Node) -> None:
        key = self._key(node["view"])
        entry = self._reading("view", node["query"], node.get("aliases"))
        known = self.catalogue.get(key)
        if node.get("replace") and known is not None:
            lost = [name for name in known.columns or () if name not in (entry.columns or {name})]
            if lost:
                self._say(BREAKS, f"replaces the view {_name(key)} without {', '.join(lost)}", _F)
            entry.origin = known.origin
            self.catalogue.entries[key] = entry
        else:
            self._make(key, entry)

    def _reading(self, kind: str, query: Node, aliases: Any) -> Entry:
        """Return the entry of a view, with its columns where its query shows them."""
        names = {self._key(each)[1] for each in find(query, "RangeVar")}
        reads = {name for each in find(query, "ColumnRef") for name in strings(each["fields"])[-1:]}
        columns = self._columns(query)
        if columns is not None and aliases:
            named = strings(aliases)
            columns = named + columns[len(named) :]
        known = None if columns is None else {name: Column() for name in columns}
        return Entry(kind, columns=known, uses=frozenset(names), reads=frozenset(reads))

    def _columns(self, query: Node) -> list[str] | None:
        """Return the names of a query's columns; None if it does not show them."""
        select = query.get("SelectStmt", query)
        while "larg" in select:
            select = select["larg"]
        if "targetList" not in select:
            values = select.get("valuesLists")
            return [f"column{n + 1}" for n in range(len(values[0]["List"]["items"]))] if values else None
        found: list[str] = []
        for each in select["targetList"]:
            target = each["ResTarget"]
            name = target.get("name") or _column_name(target.get("val", {}))
            if name == "*":
                relations = select.get("fromClause", ())
                entry = (
                    self.catalogue.get(self._key(relations[0]["RangeVar"]))
                    if len(relations) == 1 and "RangeVar" in relations[0]
                    else None
                )
                if entry is None or entry.columns is None:
                    return None
                found += entry.columns
            elif name:
                found.append(name)
            else:
                return None
        return found

    def _column(self, node: Node) -> Column:
        kinds = {each["Constraint"]["contype"] for each in node.get("constraints", ())}
        kind = type_of(node.get("typeName", {}))
        serial = kind[0] in _SERIAL
        return Column(
            kind,
            serial or bool(kinds & {"CONSTR_NOTNULL", "CONSTR_PRIMARY", "CONSTR_IDENTITY"}),
            serial or bool(kinds & {"CONSTR_IDENTITY", "CONSTR_GENERATED"}) or _default(node) is not None,
            self._script,
        )

    @_rule("AlterTableStmt")
    def _alter_table(self, node: Node) -> None:
        key = self._key(node["relation"])
        entry = self.catalogue.get(key)
        if entry is None and node.get("missing_ok") and self.catalogue.complete:
            return
        if node.get("objtype") == "OBJECT_TYPE":
            self._say(UNKNOWN, f"changes the attributes of the type {_name(key)}")
            return
        made = entry is not None and bool(entry.origin)
        before = len(self.reasons)
        for each in node["cmds"]:
            self._command(key, entry or Entry("table"), each["AlterTableCmd"])
        if made:
            # No release uses it yet; what it loses is still worth a line.
            kept = [
                replace(reason, answer=SAFE, what=f"{reason.what}, which {entry.origin} makes")
                for reason in self.reasons[before:]
                if _X in reason.effects and entry is not None and entry.origin != self._script
            ]
            self.reasons[before:] = kept

    def _command(self, key: Key, entry: Entry, command: Node) -> None:
        kind, name, table = command["subtype"], command.get("name", ""), _name(key)
        if kind in _COMMANDS:
            answer, what, effects = _COMMANDS[kind]
            if kind == "AT_DropNotNull" and entry.columns and name in entry.columns:
                entry.columns[name].required = False
            if what:
                self._say(answer, what.format(table, name), *effects)
            return
        rule = _COMMAND_RULES.get(kind)
        if rule is None:
            self._say(UNKNOWN, f"changes {table}: {_shortened(self._text)}")
        else:
            rule(self, key, entry, command)

    @_command_rule("AT_AddColumn")
    def _add_column(self, key: Key, entry: Entry, command: Node) -> None:
        node = command["def"]["ColumnDef"]
        column, name = self._column(node), f"{_name(key)}.{node['colname']}"
        if entry.columns is not None:
            if command.get("missing_ok") and node["colname"] in entry.columns:
                return
            entry.columns[node["colname"]] = column
        if column.required and not column.default:
            self._say(BREAKS, f"adds the column {name}, which is required and has no default", _F)

    @_command_rule("AT_DropColumn")
    def _drop_column(self, key: Key, entry: Entry, command: Node) -> None:
        name = command["name"]
        column = entry.columns.pop(name, None) if entry.columns is not None else None
        if (
            column is None
            and entry.columns is not None
            and command.get("missing_ok")
            and self.catalogue.complete
        ):
            return
        what = f"drops the column {_name(key)}.{name}"
        if column is not None and column.origin and not entry.origin:
            if column.origin != self._script:
                self._say(SAFE, f"{what}, which {column.origin} adds", _X)
            return
        readers = self._readers(key, name) if command.get("behavior") != "DROP_CASCADE" else []
        if readers:
            self._say(BREAKS, f"{what}, which {', '.join(readers)} reads", _X, _F)
        else:
            self._say(BREAKS, what, _X)

    @_command_rule("AT_AlterColumnType")
    def _change_type(self, key: Key, entry: Entry, command: Node) -> None:
        node = command["def"]["ColumnDef"]
        new = type_of(node["typeName"])
        column = (entry.columns or {}).get(command["name"])
        answer = _retyped(column.type if column else (), new, using="raw_default" in node)
        if column is not None:
            column.type = new
            if column.origin:
                return
        what = f"changes the type of {_name(key)}.{command['name']} to {_written(new)}"
        readers = self._readers(key, command["name"])
        if readers:
            self._say(answer, f"{what}, which {', '.join(readers)} reads", _F)
        elif answer is not SAFE:
            self._say(answer, what)

    def _readers(self, key: Key, column: str) -> list[str]:
        """Return the names of the views that read a relation's column."""
        return [
            f"the view {_name(view)}"
            for view in self.catalogue.readers(key[1])
            if column in self.catalogue.entries[view].reads
        ]

    @_command_rule("AT_SetNotNull")
    def _require(self, key: Key, entry: Entry, command: Node) -> None:
        name = f"{_name(key)}.{command['name']}"
        column = (entry.columns or {}).get(command["name"])
        if column is not None and column.required:
            return
        what = f"makes the column {name} required"
        if column is not None:
            column.required = True
        if column is not None and column.origin:
            if not column.default:
                fails = () if key[1] in self._filled else (_F,)
                self._say(BREAKS, f"{what}, which is new and has no default", *fails)
        elif key[1] in self._filled:
            self._say(BREAKS, f"{what} after filling it: the running release may add rows without it")
        else:
            self._say(UNKNOWN, what)

    @_command_rule("AT_ColumnDefault")
    def _change_default(self, key: Key, entry: Entry, command: Node) -> None:
        column = (entry.columns or {}).get(command["name"])
        if command.get("def"):
            if column is not None:
                column.default = True
            return
        if column is not None:
            had, column.default = column.default, False
            if not had or column.origin:
                return
        required = column is not None and column.required
        what = f"drops the default of {_name(key)}.{command['name']}"
        self._say(BREAKS if required else UNKNOWN, f"{what}, which is required" if required else what)

    @_command_rule("AT_AddIdentity", "AT_SetIdentity")
    def _identity(self, key: Key, entry: Entry, command: Node) -> None:
        always = command.get("def", {}).get("Constraint", {}).get("generated_when") == "a" or any(
            each.get("defname") == "generated" and each["arg"]["Integer"].get("ival") == ord("a")
            for each in find(command, "DefElem")
        )
        column = (entry.columns or {}).get(command["name"])
        if always and not (column and column.origin):
            self._say(
                BREAKS, f"lets {_name(key)}.{command['name']} be generated always: no value may be given"
            )

    @_command_rule("AT_AddConstraint")
    def _add_constraint(self, key: Key, entry: Entry, command: Node) -> None:
        constraint = command["def"]["Constraint"]
        kind = constraint["contype"].removeprefix("CONSTR_").lower()
        words = {"foreign": "foreign key", "primary": "primary key"}.get(kind, kind)
        unique = kind in {"unique", "primary", "exclusion"}
        if constraint.get("conname"):
            made = Entry(words, self._script if entry.origin else "", unique=unique)
            self.catalogue.entries[CONSTRAINT, f"{key[1]}.{constraint['conname']}"] = made
        self._say(UNKNOWN, f"adds a constraint ({words}) to {_name(key)}")

    @_command_rule("AT_DropConstraint")
    def _drop_constraint(self, key: Key, _entry: Entry, command: Node) -> None:
        name = command["name"]
        known = self.catalogue.entries.pop((CONSTRAINT, f"{key[1]}.{name}"), None)
        if known is None and self.catalogue.complete and command.get("missing_ok"):
            return
        if known is not None and not known.unique:
            return
        words = f" ({known.kind})" if known else ""
        self._say(UNKNOWN, f"drops the constraint {name}{words} of {_name(key)}")

    # Things of any kind

    @_rule("DropStmt")
    def _drop_all(self, node: Node) -> None:
        remove, missing_ok = node["removeType"], bool(node.get("missing_ok"))
        if remove in _DROPPED_UNKNOWN:
            for each in node["objects"]:
                names = strings(each.get("List", {}).get("items"))
                table = self.catalogue.get(self.catalogue.key(RELATION, names[:-1])) if names[:-1] else None
                if not (table and table.origin) and not (
                    table is None and missing_ok and self.catalogue.complete
                ):
                    self._say(UNKNOWN, f"drops the {_DROPPED_UNKNOWN[remove]} {'.'.join(names[-1:])}")
            return
        if remove not in _KINDS:
            if remove != "OBJECT_STATISTIC_EXT":
                self._say(UNKNOWN, f"drops something: {_shortened(self._text)}")
            return
        kind, words = _KINDS[remove]
        cascade = node.get("behavior") == "DROP_CASCADE"
        for each in node["objects"]:
            for key in self._named(kind, each):
                self._drop(key, words, cascade=cascade, missing_ok=missing_ok)

    def _named(self, kind: str, node: Node) -> list[Key]:
        if kind == FUNCTION:
            function = node["ObjectWithArgs"]
            names = strings(function["objname"])
            known = self.catalogue.functions(names)
            wanted = ""
            if not function.get("args_unspecified"):
                wanted = _arguments(type_of(each["TypeName"]) for each in function.get("objargs", ()))
                known = [key for key in known if key[1].endswith(wanted)]
            return known or [(FUNCTION, self.catalogue.key(FUNCTION, names)[1] + wanted)]
        names = (
            strings(node["List"]["items"])
            if "List" in node
            else strings(node["TypeName"]["names"])
            if "TypeName" in node
            else [node["String"]["sval"]]
        )
        return [self.catalogue.key(kind, names)]

    def _drop(self, key: Key, words: str, *, cascade: bool, missing_ok: bool) -> None:
        entry = self.catalogue.get(key)
        if words == "index":
            self.catalogue.entries.pop(key, None)
            if entry is not None and entry.unique and not entry.origin:
                self._say(UNKNOWN, f"drops the unique index {_name(key)}")
            return
        readers = self.catalogue.readers(key[1]) if key[0] == RELATION else []
        what = f"drops the {words} {_name(key)}"
        lossy = (_X,) if words in {"table", "schema"} else ()
        self._lose(key, what, *lossy, missing_ok=missing_ok)
        if not cascade:
            return
        if not self.catalogue.complete and key in self._gone:
            self._gone.pop(key)  # what else it took away is not known
        for reader in readers:
            if reader in self.catalogue.entries:
                self._drop(reader, self.catalogue.entries[reader].kind, cascade=True, missing_ok=False)

    @_rule("RenameStmt")
    def _rename(self, node: Node) -> None:
        kind = node["renameType"]
        relation = node.get("relation")
        if kind in _HARMLESS_RENAMES or (relation is not None and self._made(relation) and "subname" in node):
            return
        new = node.get("newname", "")
        if relation is not None and "subname" in node:
            key = self._key(relation)
            entry = self.catalogue.get(key)
            column = entry.columns.pop(node["subname"], None) if entry and entry.columns is not None else None
            if entry is not None and entry.columns is not None:
                entry.columns[new] = column or Column()
            if not (column and column.origin):
                self._say(BREAKS, f"renames the column {_name(key)}.{node['subname']} to {new}")
            return
        category, words = _KINDS.get(kind, ("", kind.removeprefix("OBJECT_").lower().replace("_", " ")))
        if relation is not None:
            key = self._key(relation)
        elif category:
            key = self._named(category, node["object"])[0]
        else:
            self._say(BREAKS, f"renames a {words} to {new}")
            return
        entry = self.catalogue.get(key)
        if entry is not None and entry.kind == "index":
            return
        made = entry.origin if entry else ""
        self._lose(key, f"renames the {words} {_name(key)} to {new}", renamed=True)
        schema, _, _ = key[1].rpartition(".")
        renamed = (key[0], f"{schema}.{new}" if schema else new)
        if entry is not None:
            self._make(renamed, replace(entry), origin=made)

    @_rule("AlterObjectSchemaStmt")
    def _move(self, node: Node) -> None:
        _, words = _KINDS.get(node["objectType"], ("", "object"))
        relation = node.get("relation")
        if relation is not None:
            self._lose(self._key(relation), f"moves the {words} {relation['relname']} to {node['newschema']}")
        else:
            self._say(BREAKS, f"moves a {words} to the schema {node['newschema']}")

    @_rule("IndexStmt")
    def _create_index(self, node: Node) -> None:
        relation = node["relation"]
        names = [*filter(None, [relation.get("schemaname")]), node.get("idxname", "")]
        unique = bool(node.get("unique"))
        key = self.catalogue.key(RELATION, names)
        if node.get("if_not_exists") and key in self.catalogue.entries:
            return
        if unique and not self._made(relation):
            self._say(UNKNOWN, f"makes a unique index on {relation['relname']}")
        if node.get("idxname"):
            self.catalogue.entries[key] = Entry("index", self._script, unique=unique)

    @_rule("CreateSeqStmt")
    def _create_sequence(self, node: Node) -> None:
        self._new(self._key(node["sequence"]), "sequence")

    @_rule("CreateEnumStmt", "CompositeTypeStmt", "CreateDomainStmt")
    def _create_type(self, node: Node) -> None:
        names = strings(node.get("domainname") or node.get("typeName"))
        if "typevar" in node:
            names = relation_names(node["typevar"])
        self._new(self.catalogue.key(TYPE, names), "domain" if "domainname" in node else "type")

    def _new(self, key: Key, kind: str) -> None:
        if key not in self.catalogue.entries:
            self._make(key, Entry(kind))

    @_rule("CreateExtensionStmt")
    def _create_extension(self, node: Node) -> None:
        self._new((EXTENSION, node["extname"]), "extension")

    @_rule("CreateSchemaStmt")
    def _create_schema(self, node: Node) -> None:
        if node.get("schemaname"):
            self._new((SCHEMA, node["schemaname"]), "schema")
        path = self.catalogue.path
        self.catalogue.path = (*filter(None, [node.get("schemaname")]), *path)
        for each in node.get("schemaElts", ()):
            self._judge(*next(iter(each.items())))
        self.catalogue.path = path

    @_rule("CreateFunctionStmt")
    def _create_function(self, node: Node) -> None:
        names = strings(node["funcname"])
        base = self.catalogue.key(FUNCTION, names)
        key = (FUNCTION, base[1] + _signature(node)[0])
        if base in self._gone:
            self._gone[key] = self._gone.pop(base)
        entry = Entry("procedure" if node.get("is_procedure") else "function", definition=node)
        known = self.catalogue.get(key)
        if known is not None:
            entry.origin = known.origin
            self.catalogue.entries[key] = entry
        else:
            self._make(key, entry)

    @_rule("AlterEnumStmt")
    def _alter_enum(self, node: Node) -> None:
        name = ".".join(strings(node["typeName"]))
        entry = self.catalogue.get(self.catalogue.key(TYPE, strings(node["typeName"])))
        if node.get("oldVal") and not (entry and entry.origin):
            self._say(BREAKS, f"renames the value {node['oldVal']} of the type {name}")

    @_rule("AlterDomainStmt")
    def _alter_domain(self, node: Node) -> None:
        name = ".".join(strings(node["typeName"]))
        entry = self.catalogue.get(self.catalogue.key(TYPE, strings(node["typeName"])))
        harmless = node["subtype"] in {"X", "V", "N"} or (node["subtype"] == "T" and node.get("def"))
        if not harmless and not (entry and entry.origin):
            self._say(UNKNOWN, f"changes the domain {name}")

    @_rule("AlterSeqStmt")
    def _alter_sequence(self, node: Node) -> None:
        options = {each["DefElem"]["defname"] for each in node.get("options", ())}
        relation = node["sequence"]
        if self._made(relation) or options <= {"owned_by", "cache", "as"}:
            return
        answer = BREAKS if "increment" in options else UNKNOWN
        self._say(answer, f"changes the sequence {relation['relname']}: {', '.join(sorted(options))}")

    @_rule("GrantStmt", "GrantRoleStmt")
    def _grant(self, node: Node) -> None:
        if node.get("is_grant"):
            return
        kind, _ = _KINDS.get(node.get("objtype", ""), ("", ""))
        keys = [
            key
            for each in (node.get("objects", ()) if kind else ())
            for key in ([self._key(each["RangeVar"])] if "RangeVar" in each else self._named(kind, each))
        ]
        entries = [self.catalogue.get(key) for key in keys]
        if not (entries and all(entry and entry.origin for entry in entries)):
            self._say(BREAKS, "revokes privileges")

    # Rows

    @_rule("TruncateStmt")
    def _truncate(self, node: Node) -> None:
        for each in node["relations"]:
            key = self._key(each["RangeVar"])
            entry = self.catalogue.get(key)
            if entry is None or not entry.origin:
                self._say(BREAKS, f"empties the table {_name(key)}", _X)
            elif entry.origin != self._script:
                self._say(SAFE, f"empties the table {_name(key)}, which {entry.origin} makes", _X)

    @_rule("DeleteStmt")
    def _delete(self, node: Node) -> None:
        self._inner(node)
        if "whereClause" not in node and not self._made(node["relation"]):
            self._say(UNKNOWN, f"deletes all rows of {node['relation']['relname']}", _X)

    @_rule("UpdateStmt")
    def _update(self, node: Node) -> None:
        self._inner(node)
        self._filled.add(self._key(node["relation"])[1])
        if "whereClause" not in node and not self._made(node["relation"]):
            self._say(UNKNOWN, f"updates all rows of {node['relation']['relname']}")

    @_rule("InsertStmt", "SelectStmt")
    def _query(self, node: Node) -> None:
        """Judge a query by the functions that it calls and the changes in its WITH."""
        self._inner(node)
        for call in find(node, "FuncCall"):
            names = strings(call["funcname"])
            if names[-1] == "setval":
                self._say(UNKNOWN, "sets a sequence's value")
            else:
                self._call(self.catalogue.functions(names))

    def _inner(self, node: Node) -> None:
        for each in node.get("withClause", {}).get("ctes", ()):
            (kind, inner), *_ = each["CommonTableExpr"]["ctequery"].items()
            if kind != "SelectStmt":
                self._judge(kind, inner)

    @_rule("CallStmt")
    def _call_procedure(self, node: Node) -> None:
        names = strings(node["funccall"]["funcname"])
        known = self.catalogue.functions(names)
        if known:
            self._call(known)
        else:
            self._say(UNKNOWN, f"calls {'.'.join(names)}, whose content is not known")

    def _call(self, keys: Sequence[Key]) -> None:
        for key in keys:
            self._code(self.catalogue.entries[key].definition, f"calls {_name(key)}")

    @_rule("DoStmt")
    def _do(self, node: Node) -> None:
        self._code({**node, "options": node["args"]}, "runs a DO block")

    def _code(self, definition: Node, what: str) -> None:
        """Judge the statements inside a DO block or a function."""
        options = {
            each["DefElem"]["defname"]: each["DefElem"].get("arg", {})
            for each in definition.get("options", ())
        }
        language = options.get("language", {}).get("String", {}).get("sval", "plpgsql").lower()
        body = options.get("as", {})
        items = [body["String"]["sval"]] if "String" in body else strings(body.get("List", {}).get("items"))
        found: list[str] | None = None
        if self._depth < _DEEPEST and items:
            if language == "sql":
                found = [items[0]]
            elif language == "plpgsql":
                tag = "$judge$"
                found = embedded(f"DO {tag}{items[0]}{tag}")
        if found is None:
            self._say(UNKNOWN, f"{what}, whose statements are put together at run time or cannot be read")
            return
        self._depth += 1
        for text in found:
            self._text_of(text, what)
        self._depth -= 1

    def _text_of(self, text: str, what: str) -> None:
        import pgparse

        try:
            trees = pgparse.parse(text)
        except pgparse.PGQueryError:
            self._say(UNKNOWN, f"{what} with a statement that cannot be parsed: {_shortened(text)}")
            return
        for each in trees:
            self._judge(*next(iter(each["stmt"].items())))

    # The rest

    @_rule("VariableSetStmt")
    def _set_variable(self, node: Node) -> None:
        values = [each.get("A_Const", {}) for each in node.get("args", ())]
        if node.get("name") == "search_path" and values:
            named = [each.get("sval", {}).get("sval", "") for each in values]
            self.catalogue.path = tuple(part.strip() for part in ",".join(named).split(",") if part.strip())


def _again(key: Key, gone: _Gone, entry: Entry) -> tuple[Compatibility, str]:
    """Return the answer for something that was dropped or renamed and made again, and what is different."""
    former = gone.entry
    if gone.renamed or (former is not None and former.kind != entry.kind):
        return UNKNOWN, f", as a {entry.kind}"
    if entry.kind == "table":
        return BREAKS, ", empty"
    if former is None:
        return UNKNOWN, ""
    if key[0] == FUNCTION:
        same = _signature(entry.definition) == _signature(former.definition)
        return (SAFE, "") if same else (UNKNOWN, ", with another result")
    if entry.kind not in {"view", "materialized view"}:
        return UNKNOWN, ""
    if former.columns is None or entry.columns is None:
        return UNKNOWN, ", with columns that are not known"
    lost = [name for name in former.columns if name not in entry.columns]
    return (UNKNOWN, f", without {', '.join(lost)}") if lost else (SAFE, "")


def _retyped(old: tuple[str, ...], new: tuple[str, ...], *, using: bool) -> Compatibility:
    """Return the answer for a column's other type; an empty `old` is not known."""
    if using or old == new:
        return BREAKS if using else SAFE
    (former, *before), (name, *after) = old or ("",), new
    if not former:
        return UNKNOWN if name in {"text", "varchar", "numeric", "int4", "int8", *_TIMES} else BREAKS
    if "[]" in old + new:
        return BREAKS
    if (former, name) in _WIDER or {former, name} == _TIMES:
        return UNKNOWN
    if former in {"varchar", "text"} and new in {("text",), ("varchar",)}:
        return SAFE
    if former == name == "varchar" and before:
        return SAFE if int(before[0]) <= int(after[0]) else BREAKS
    if former == name == "numeric" and before:
        longer = not after or (int(before[0]) <= int(after[0]) and before[1:] == after[1:])
        return SAFE if longer else BREAKS
    return BREAKS


def _signature(definition: Node) -> tuple[str, Any]:
    """Return a function's arguments and its result, each in a form that can be compared."""
    arguments, results = [], []
    for each in definition.get("parameters", ()):
        parameter = each["FunctionParameter"]
        kind = type_of(parameter["argType"])
        if parameter["mode"] not in {"FUNC_PARAM_OUT", "FUNC_PARAM_TABLE"}:
            arguments.append(kind)
        if parameter["mode"] in {"FUNC_PARAM_OUT", "FUNC_PARAM_TABLE", "FUNC_PARAM_INOUT"}:
            results.append((parameter.get("name"), kind))
    result = definition.get("returnType")
    returned = None if result is None or results else (type_of(result), result.get("setof", False))
    return _arguments(arguments), (results, returned)


def _arguments(types: Iterable[tuple[str, ...]]) -> str:
    return f"({','.join(each[0] + ('[]' if '[]' in each else '') for each in types)})"


def _default(node: Node) -> Node | None:
    """Return a column's default expression; None if there is none, or it is NULL."""
    for each in node.get("constraints", ()):
        constraint = each["Constraint"]
        if constraint["contype"] == "CONSTR_DEFAULT":
            expression: Node = constraint["raw_expr"]
            return None if expression.get("A_Const", {}).get("isnull") else expression
    return None


def _column_name(value: Node) -> str:
    """Return the name that PostgreSQL gives a column without one; `*` for all columns, empty if not known."""
    if not value:
        return ""
    kind, node = next(iter(value.items()))
    if kind == "ColumnRef":
        last = node["fields"][-1]
        return "*" if "A_Star" in last else str(last["String"]["sval"])
    if kind == "FuncCall":
        return strings(node["funcname"])[-1]
    if kind == "TypeCast":
        return _column_name(node["arg"]) or strings(node["typeName"]["names"])[-1]
    names = {"CoalesceExpr": "coalesce", "CaseExpr": "case", "A_Const": "?column?", "A_Expr": "?column?"}
    return names.get(kind, "")


def _name(key: Key) -> str:
    """Return a name for people: without the schema public."""
    return key[1].removeprefix("public.")


def _written(kind: tuple[str, ...]) -> str:
    numbers = [each for each in kind[1:] if each != "[]"]
    return kind[0] + (f"({','.join(numbers)})" if numbers else "") + ("[]" if "[]" in kind else "")


def _shortened(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _SHOWN else f"{words[: _SHOWN - 1]}…"
