"""Which stacks an environment has, in which order they are made, and the parameters of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.environment.stack_output import StackOutput
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.infrastructure.policy import deployer_policies
from samjhadoo_ops.infrastructure.sources import (
    WEIGHTS,
    FirstSource,
    KnownSource,
    LiveSource,
    OutputSource,
    PolicySource,
    SettingSource,
    Source,
    StackNameSource,
    TaskDefinitionSource,
    known_values,
    parameter_sources,
    setting_value,
)
from samjhadoo_ops.infrastructure.task_definition import named_in_task_definition
from samjhadoo_ops.infrastructure.templates import read_template
from samjhadoo_ops.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.infrastructure.templates import InfrastructureTemplate

SERVICES = "services"
"""In `Metadata.Stacks.ForEach`: a stack of each service; anything else is a setting with regions."""


@dataclass(frozen=True)
class Stack:
    """One stack of an environment.

    Attributes:
        key: Its short name: its template's, with the service's name or the region where there are several.
        name: Its name at CloudFormation.
        env: The settings that it takes its parameters from: the environment's, or a service's.
        earlier: The settings of the services before it, if each service has a stack.
    """

    key: str
    name: str
    region: str
    template: InfrastructureTemplate
    env: Environment
    earlier: tuple[Environment, ...] = ()

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Return where its parameters come from; outputs that a setting names are outputs."""
        return {name: self._named(name, source) for name, source in parameter_sources(self.template).items()}

    @cached_property
    def values(self) -> dict[str, str]:
        """Return the parameters that the settings give."""
        known, found = known_values(self.env, self.name), {}
        for name, source in self.sources.items():
            if isinstance(source, SettingSource | TaskDefinitionSource):
                found[name] = self._given(name, source, self.env)
            elif isinstance(source, FirstSource):
                found[name] = "true" if self._is_first(name, source) else "false"
            elif isinstance(source, KnownSource):
                found[name] = known[source.name]
            elif isinstance(source, StackNameSource):
                found[name] = self._name_of(source.stack)
            elif isinstance(source, PolicySource):
                found[name] = "".join(self._policies[int(source.number) - 1 : int(source.number)])
        return found

    @cached_property
    def _policies(self) -> list[str]:
        return deployer_policies(self.env)

    @property
    def outputs(self) -> dict[str, OutputSource]:
        """Return the parameters that other stacks' outputs give."""
        return {name: each for name, each in self.sources.items() if isinstance(each, OutputSource)}

    @property
    def is_live(self) -> bool:
        """Return whether it takes parameters that are read from AWS, such as the traffic's weights."""
        return any(isinstance(source, LiveSource) for source in self.sources.values())

    @property
    def weights(self) -> list[str]:
        """Return the parameters that are weights of listener rules."""
        found = self.sources.items()
        return [name for name, each in found if isinstance(each, LiveSource) and each.name in WEIGHTS]

    @property
    def names(self) -> dict[str, str]:
        """Return what names in its template may refer to: parameters and pseudo parameters."""
        defaults = {
            name: str(declared["Default"])
            for name, declared in self.template.parameters.items()
            if "Default" in declared
        }
        pseudo = {
            "AWS::StackName": self.name,
            "AWS::Region": self.region,
            "AWS::AccountId": self.env.aws.account,
        }
        return {**defaults, **self.values, **pseudo}

    def parameters(
        self, *, live: Mapping[str, str], output: Callable[[Stack, OutputSource], str]
    ) -> dict[str, str]:
        """Return all parameters.

        Args:
            live: The values of `sources.LIVE`.
            output: Returns an output of another stack, or raises.
        """
        found = dict(self.values)
        for name, source in self.sources.items():
            if isinstance(source, LiveSource):
                found[name] = live[source.name]
            elif isinstance(source, OutputSource):
                found[name] = output(self, source)
        return found

    def _given(self, name: str, source: SettingSource | TaskDefinitionSource, env: Environment) -> str:
        if isinstance(source, TaskDefinitionSource):
            return named_in_task_definition(env, source.member)
        return str(setting_value(self.template, _key(name), source, env))

    def _is_first(self, name: str, source: FirstSource) -> bool:
        value = self._given(name, source.of, self.env)
        return bool(value) and all(self._given(name, source.of, env) != value for env in self.earlier)

    def _name_of(self, key: str) -> str:
        """Return the name of the environment's stack with a key, of the same service if each has one."""
        if key not in self.env.infrastructure.stacks:
            return ""
        each = read_template(self.env.root, key).stacks.get("ForEach") == SERVICES
        return stack_name(self.env, f"{key}-{self.env.key}" if each and self.env.key else key)

    def _named(self, parameter: str, source: Source) -> Source:
        if isinstance(source, SettingSource):
            value = setting_value(self.template, _key(parameter), source, self.env)
            if isinstance(value, StackOutput):
                return OutputSource(value.stack, value.output)
        return source


@dataclass(frozen=True)
class Stacks:
    """The stacks of an environment, in the order in which they are made."""

    items: tuple[Stack, ...]

    def find(self, key: str) -> Stack:
        """Return a stack by its key, or raise `ConfigurationError`."""
        for stack in self.items:
            if stack.key == key:
                return stack
        known = [stack.key for stack in self.items]
        near = nearest(key, known)
        hint = f"did you mean {near}?" if near else f"known are {', '.join(known)}"
        raise ConfigurationError(f"the environment has no stack {key!r}", hint=hint)

    def source(self, stack: Stack, wanted: OutputSource) -> Stack:
        """Return the stack that an output belongs to: the one of the same service, if each service has one.

        Raises:
            ConfigurationError: The environment has no such stack.
        """
        keys = {each.key: each for each in self.items}
        key = next((key for key in (f"{wanted.stack}-{stack.env.key}", wanted.stack) if key in keys), "")
        if key:
            return keys[key]
        raise stack.template.wrong(
            "Metadata.Settings",
            f"{wanted.stack}.{wanted.output}: the environment {stack.env.name} has no stack {wanted.stack}; "
            f"its stacks are {', '.join(keys)}",
            hint="correct it, or add the stack to infrastructure.stacks",
        )

    def needed_by(self, stack: Stack) -> list[Stack]:
        """Return the stacks that must exist before a stack: those whose exports or outputs it takes."""
        wanted = stack.template.imports(stack.names)
        taken = {self.source(stack, each).key for each in stack.outputs.values()}
        return [
            each
            for each in self.items
            if each is not stack
            and (
                each.key in taken
                or (each.region == stack.region and wanted & each.template.exports(each.names))
            )
        ]


def environment_stacks(env: Environment) -> Stacks:
    """Return the stacks of an environment, ordered by what they take from each other.

    Raises:
        ConfigurationError: A template is missing or wrong, the stacks need each other in a circle, or the
            environment has no stacks.
    """
    names = env.infrastructure.stacks
    if not names:
        raise ConfigurationError(
            f"the environment {env.name} has no stacks: infrastructure.stacks is empty",
            hint="its infrastructure is made by other means; to make it here, name templates there",
        )
    declared = [stack for name in names for stack in _stacks_of(env, read_template(env.root, name))]
    return Stacks(tuple(ordered(Stacks(tuple(declared)))))


def stack_name(env: Environment, key: str) -> str:
    """Return the name at CloudFormation of an environment's stack."""
    return f"{env.infrastructure.prefix}-{env.name}-{key}"


def ordered(stacks: Stacks) -> list[Stack]:
    """Return the stacks so that each follows those that it needs, and otherwise as declared."""
    left = {stack.key: stack for stack in stacks.items}
    needs = {stack.key: {each.key for each in stacks.needed_by(stack)} for stack in stacks.items}
    found: list[Stack] = []
    while left:
        ready = next((key for key in left if not needs[key] & left.keys()), None)
        if ready is None:
            raise ConfigurationError(
                f"the stacks {', '.join(left)} need each other's outputs in a circle",
                hint="move what they share into a stack of its own",
            )
        found.append(left.pop(ready))
    return found


def _key(parameter: str) -> str:
    return f"Metadata.Settings.{parameter}"


def _stacks_of(env: Environment, template: InfrastructureTemplate) -> Iterator[Stack]:
    earlier: tuple[Environment, ...] = ()
    for suffix, region, own in _instances(env, template):
        key = f"{template.name}-{suffix}" if suffix else template.name
        yield Stack(key, stack_name(env, key), region, template, own, earlier)
        earlier = (*earlier, own)


def _instances(env: Environment, template: InfrastructureTemplate) -> Sequence[tuple[str, str, Environment]]:
    """Return suffix, region and settings of each stack of a template."""
    unknown = set(template.stacks) - {"ForEach", "Region"}
    if unknown:
        raise template.wrong("Metadata.Stacks", f"unknown {min(unknown)}; known are ForEach and Region")
    region, each = template.stacks.get("Region", env.aws.region), template.stacks.get("ForEach")
    if each is None:
        return [("", region, env)]
    if each == SERVICES:
        return [(key, region, own) for key, own in env.services.items()] or [(env.key, region, env)]
    return [(name, name, env) for name in _regions(env, template, each)]


def _regions(env: Environment, template: InfrastructureTemplate, path: Any) -> list[str]:
    value = setting_value(template, "Metadata.Stacks.ForEach", SettingSource(str(path)), env)
    return [name for name in str(value).split(",") if name]
