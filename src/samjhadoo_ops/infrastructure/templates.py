"""The project's CloudFormation templates, as far as the tool has to understand them.

CloudFormation evaluates a template. The tool only reads where its parameters come from and for what it makes
a stack (`Metadata`), and which exports it imports, which orders the stacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FOLDER = "infrastructure"
LARGEST = 51_200
"""Bytes of a template that CloudFormation takes in a request."""

DATA_STORES = frozenset(
    {
        "AWS::DynamoDB::GlobalTable",
        "AWS::DynamoDB::Table",
        "AWS::EFS::FileSystem",
        "AWS::ElastiCache::CacheCluster",
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::ElastiCache::ServerlessCache",
        "AWS::KMS::Key",
        "AWS::OpenSearchService::Domain",
        "AWS::RDS::DBCluster",
        "AWS::RDS::DBInstance",
        "AWS::S3::Bucket",
    }
)
"""Types whose replacement or deletion loses data. A key counts, because what it encrypted is lost with it."""

_NAMED = {"Ref": "Ref", "Condition": "Condition"}


@dataclass(frozen=True)
class InfrastructureTemplate:
    """A template of the project.

    Attributes:
        name: The name of its file, without `.yaml`.
        file: Its path in the project, for messages.
        body: Its text.
        document: Its content; functions in their long form, such as `{"Ref": "Vpc"}`.
    """

    name: str
    file: str
    body: str
    document: Mapping[str, Any]

    @cached_property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """Return its parameters as declared."""
        return self._table("Parameters")

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Return where its parameters come from: `Metadata.Settings`."""
        return self._table("Metadata", "Settings")

    @cached_property
    def stacks(self) -> dict[str, Any]:
        """Return for what it makes stacks: `Metadata.Stacks`, empty for one stack of the environment."""
        return self._table("Metadata", "Stacks")

    @cached_property
    def conditions(self) -> dict[str, Any]:
        """Return its conditions as declared."""
        return self._table("Conditions")

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Return its resources as declared."""
        return self._table("Resources")

    @cached_property
    def outputs(self) -> dict[str, dict[str, Any]]:
        """Return its outputs as declared."""
        return self._table("Outputs")

    @property
    def holds_data(self) -> bool:
        """Return whether a stack of it holds data that a deletion would lose."""
        return any(resource.get("Type") in DATA_STORES for resource in self.resources.values())

    def imports(self, values: Mapping[str, str]) -> set[str]:
        """Return the names of the exports that it imports, as far as they are known.

        Args:
            values: Parameters and pseudo parameters.
        """
        found = (text_of(name, values) for name in _called(self.document, "Fn::ImportValue"))
        return {name for name in found if name}

    def exports(self, values: Mapping[str, str]) -> set[str]:
        """Return the names under which it exports outputs; see `imports`."""
        found = (text_of(each.get("Export", {}).get("Name"), values) for each in self.outputs.values())
        return {name for name in found if name}

    def wrong(self, key: str, message: str, *, hint: str = "") -> ConfigurationError:
        """Return the error of a key of this template."""
        return ConfigurationError(f"{self.file}: {key}: {message}", hint=hint or f"edit {self.file}")

    def _table(self, *path: str) -> dict[str, Any]:
        node: Any = self.document
        for number, key in enumerate(path, 1):
            node = node.get(key, {})
            if not isinstance(node, dict):
                raise self.wrong(".".join(path[:number]), "expected a table")
        return dict(node)


def read_template(root: Path, name: str) -> InfrastructureTemplate:
    """Read a template of the project.

    Raises:
        ConfigurationError: There is none with this name, it is no YAML, or it is too long.
    """
    file = f"{FOLDER}/{name}.yaml"
    try:
        body = (root / file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _unknown(root, name) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read: {error}") from None
    if len(body.encode()) > LARGEST:
        raise ConfigurationError(
            f"{file}: has {len(body.encode()):,} bytes; CloudFormation takes {LARGEST:,} bytes",
            hint="divide the template: further files are further stacks",
        )
    return InfrastructureTemplate(name, file, body, parse_template(body, file))


def parse_template(body: str, file: str) -> dict[str, Any]:
    """Return a template's content; raise `ConfigurationError` with the line if it is not valid YAML."""
    import yaml

    try:
        document = yaml.load(body, Loader=_loader())  # noqa: S506 - a safe loader with CloudFormation's tags
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        raise ConfigurationError(f"{where}: is not valid YAML: {getattr(error, 'problem', error)}") from None
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        raise ConfigurationError(f"{file}: is no CloudFormation template: it has no Resources")
    return document


def text_of(value: Any, values: Mapping[str, str]) -> str | None:
    """Return the text that a name in a template evaluates to; None if it depends on more than `values`."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((function, argument),) = value.items()
    if function == "Ref":
        return values.get(argument) if isinstance(argument, str) else None
    if function == "Fn::Sub":
        return _substituted(argument, values)
    if function == "Fn::Join" and isinstance(argument, list) and isinstance(argument[1], list):
        parts = [text_of(part, values) for part in argument[1]]
        return None if None in parts else str(argument[0]).join(part for part in parts if part is not None)
    return None


def _substituted(argument: Any, values: Mapping[str, str]) -> str | None:
    """Return the result of Fn::Sub on a text, or on a text and a table of its own values."""
    import re

    text, own = argument if isinstance(argument, list) else (argument, {})
    known: dict[str, str | None] = {**values, **{key: text_of(value, values) for key, value in own.items()}}
    names = re.findall(r"\$\{([^!}][^}]*)\}", text)
    if any(known.get(name) is None for name in names):
        return None
    return re.sub(r"\$\{(!?)([^}]+)\}", lambda m: f"${{{m[2]}}}" if m[1] else str(known[m[2]]), text)


def _called(node: Any, function: str) -> Iterator[Any]:
    """Yield the arguments of every call of a function."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == function:
                yield value
            yield from _called(value, function)
    elif isinstance(node, list):
        for value in node:
            yield from _called(value, function)


def _loader() -> Any:
    """Return a safe YAML loader that turns the short forms of functions into the long ones."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class TemplateLoader(base):  # type: ignore[misc]
        """PyYAML's safe loader with CloudFormation's tags."""

    TemplateLoader.add_multi_constructor("!", _construct)
    return TemplateLoader


def _construct(loader: Any, tag: str, node: Any) -> dict[str, Any]:
    import yaml

    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {_NAMED.get(tag, f"Fn::{tag}"): value}


def _unknown(root: Path, name: str) -> ConfigurationError:
    known = sorted(path.stem for path in (root / FOLDER).glob("*.yaml"))
    near = nearest(name, known)
    hint = f"did you mean {near}?" if near else f"known are {', '.join(known) or 'none'}"
    return ConfigurationError(f"infrastructure.stacks: there is no template {FOLDER}/{name}.yaml", hint=hint)
