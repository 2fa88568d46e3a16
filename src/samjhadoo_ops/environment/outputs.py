"""Puts what the stacks made in place of `stack:NAME#Output` in the settings; each stack is read once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from samjhadoo_ops.environment.schema import Settings
from samjhadoo_ops.environment.stack_output import SCHEME, StackOutput
from samjhadoo_ops.environment.value_types import expectation
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.suggestions import nearest

if TYPE_CHECKING:
    from samjhadoo_ops.environment.layers import KeyPath
    from samjhadoo_ops.environment.loading import Environment
    from samjhadoo_ops.environment.secret import Clients

_MISSING = "ValidationError"
"""CloudFormation's code for a stack that does not exist."""


def resolve_outputs(env: Environment, clients: Clients) -> Environment:
    """Return the environment with every `stack:NAME#Output` replaced; without one, AWS is not asked.

    An item of a list is replaced by all values of the output, which are separated by commas.

    Raises:
        ConfigurationError: There is no such stack or output, or the setting does not take its value; the
            error names file, key, stack and output.
        AwsCallFailed: AWS refused the call or could not be reached.
    """
    resolver = _Resolver(env, clients)
    fields = {entry.name: entry.type for entry in msgspec.structs.fields(Settings)}
    replaced = {name: resolver.value(getattr(env, name), kind, (name,)) for name, kind in fields.items()}
    changed = {name: value for name, value in replaced.items() if value is not getattr(env, name)}
    return msgspec.structs.replace(env, **changed) if changed else env


@dataclass
class _Resolver:
    """Resolves the references of one environment, each stack read once."""

    env: Environment
    clients: Clients
    stacks: dict[str, dict[str, str]] = field(default_factory=dict)

    def value(self, value: Any, kind: Any, path: KeyPath) -> Any:
        """Return a setting with its references replaced; the same object if it has none."""
        if isinstance(value, msgspec.Struct):
            return self._table(value, path)
        if isinstance(value, str) and value.startswith(SCHEME):
            return self._checked(self._text(value, path), kind, path)
        if isinstance(value, list) and any(str(item).startswith(SCHEME) for item in value):
            return self._checked([part for item in value for part in self._items(item, path)], kind, path)
        if isinstance(value, dict) and any(str(item).startswith(SCHEME) for item in value.values()):
            inner = get_args(kind)[1]
            return {key: self.value(item, inner, (*path, key)) for key, item in value.items()}
        return value

    def _table(self, table: msgspec.Struct, path: KeyPath) -> msgspec.Struct:
        fields = msgspec.structs.fields(type(table))
        found = {
            entry.name: self.value(getattr(table, entry.name), entry.type, (*path, entry.name))
            for entry in fields
        }
        changed = {name: value for name, value in found.items() if value is not getattr(table, name)}
        return msgspec.structs.replace(table, **changed) if changed else table

    def _items(self, item: str, path: KeyPath) -> list[str]:
        if not item.startswith(SCHEME):
            return [item]
        return [part.strip() for part in self._text(item, path).split(",") if part.strip()]

    def _text(self, text: str, path: KeyPath) -> str:
        reference = StackOutput.parse(text)
        if reference is None:
            raise AssertionError(f"{text} was validated when the settings were loaded")
        name, outputs = self._outputs(reference, path)
        if reference.output in outputs:
            return outputs[reference.output]
        near = nearest(reference.output, outputs)
        known = f"did you mean {near}?" if near else f"its outputs are {', '.join(sorted(outputs)) or 'none'}"
        raise self._wrong(path, f"{text}: the stack {name} has no output {reference.output}", hint=known)

    def _outputs(self, reference: StackOutput, path: KeyPath) -> tuple[str, dict[str, str]]:
        """Return the name and the outputs of the stack: of the service's own, or of the environment's."""
        shared = f"{self.env.infrastructure.prefix}-{self.env.name}-{reference.stack}"
        for name in ([f"{shared}-{self.env.key}"] if self.env.key else []) + [shared]:
            if name not in self.stacks:
                self.stacks[name] = self._described(name, reference, path)
            if self.stacks[name]:
                return name, self.stacks[name]
        raise self._wrong(
            path,
            f"{reference}: the stack {shared} does not exist in {self.env.aws.region}, or has no outputs",
            hint=f"make it: invoke infra.apply --env {self.env.name}",
        )

    def _described(self, name: str, reference: StackOutput, path: KeyPath) -> dict[str, str]:
        from samjhadoo_ops.aws_errors import translate

        try:
            answer = self.clients.client("cloudformation").describe_stacks(StackName=name)
        except Exception as error:
            explained = translate(error)
            if explained is None:
                raise
            if getattr(explained, "code", "") == _MISSING:
                return {}
            where = self._where(path)
            raise type(explained)(
                f"{where}: {reference}: {explained.message}", hint=explained.hint, details=explained.details
            ) from error
        return {each["OutputKey"]: each["OutputValue"] for each in answer["Stacks"][0].get("Outputs", ())}

    def _checked(self, value: Any, kind: Any, path: KeyPath) -> Any:
        """Return the value; raise `ConfigurationError` if the setting would not take it in a file either."""
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError:
            raise self._wrong(
                path, f"the stack's output {value!r} is not {expectation(kind)}", hint=""
            ) from None

    def _wrong(self, path: KeyPath, message: str, *, hint: str) -> ConfigurationError:
        return ConfigurationError(f"{self._where(path)}: {message}", hint=hint)

    def _where(self, path: KeyPath) -> str:
        for length in range(len(path), 0, -1):
            if path[:length] in self.env.sources:
                return f"{self.env.sources[path[:length]]}: {'.'.join(path)}"
        return ".".join(path)
