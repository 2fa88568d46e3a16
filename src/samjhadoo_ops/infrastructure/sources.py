"""Where the parameters of a template come from: `Metadata.Settings` in the template itself.

```yaml
Metadata:
  Settings:
    DatabaseClass: database.instance            # a setting of environments/*.toml, by its path
    CpuAlarmMinutes: {setting: alarms.cpu.time, unit: minutes}
    Environment: {value: environment}           # what the tool knows
    BlueWeight: {live: blue_weight}             # what is read from AWS before
    RepositoryArn: {output: service.RepositoryArn}  # an output of another stack, in any region
    Edge: {stack: edge}                         # the name of another stack; empty if the environment has none
    RoleName: {task_definition: task_role}      # what the service's task definition names
    MakesRole: {first: {task_definition: task_role}}  # whether no earlier service has the same value
    DeployerPolicy1: {deployer_policy: "1"}     # a policy of aws.role_arn, as `infra.policy` prints them
```
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from samjhadoo_ops.environment import Duration, SecretRef, Window
from samjhadoo_ops.environment.schema import Settings
from samjhadoo_ops.environment.stack_output import StackOutput
from samjhadoo_ops.infrastructure.policy import MOST_PARTS
from samjhadoo_ops.infrastructure.task_definition import MEMBERS
from samjhadoo_ops.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.infrastructure.templates import InfrastructureTemplate

UNITS = {"milliseconds": 0.001, "seconds": 1.0, "minutes": 60.0, "hours": 3_600.0, "days": 86_400.0}
UTC_WINDOW = "utc_window"
"""The unit of weekly windows: in UTC, as RDS and ElastiCache take them."""
KNOWN = ("environment", "prefix", "account", "region", "service", "stack")
"""What `value` may name."""
WEIGHTS = ("blue_weight", "green_weight", "blue_test_weight", "green_test_weight")
LIVE = (*WEIGHTS, "service_exists")
"""What `live` may name."""


@dataclass(frozen=True)
class SettingSource:
    """A setting; durations have a unit."""

    path: str
    unit: str = ""


@dataclass(frozen=True)
class KnownSource:
    """A value of `KNOWN`."""

    name: str


@dataclass(frozen=True)
class LiveSource:
    """A value of `LIVE`, which is read from AWS."""

    name: str


@dataclass(frozen=True)
class OutputSource:
    """An output of another stack; `stack` as in `stack:NAME#Output`."""

    stack: str
    output: str


@dataclass(frozen=True)
class StackNameSource:
    """The name of another stack of the environment; empty if it has none."""

    stack: str


@dataclass(frozen=True)
class TaskDefinitionSource:
    """What the service's task definition names: one of `task_definition.MEMBERS`."""

    member: str


@dataclass(frozen=True)
class FirstSource:
    """Whether a service is the first one with a value, so that its stack makes what others share with it."""

    of: SettingSource | TaskDefinitionSource


@dataclass(frozen=True)
class PolicySource:
    """One of the policies of the role that releases, from "1"; empty if it has fewer."""

    number: str


Source = (
    SettingSource
    | KnownSource
    | LiveSource
    | OutputSource
    | StackNameSource
    | TaskDefinitionSource
    | FirstSource
    | PolicySource
)


_CHOICES: dict[str, tuple[Callable[[str], Source], tuple[str, ...]]] = {
    "value": (KnownSource, KNOWN),
    "live": (LiveSource, LIVE),
    "task_definition": (TaskDefinitionSource, MEMBERS),
    "deployer_policy": (PolicySource, tuple(str(number + 1) for number in range(MOST_PARTS))),
}


def parameter_sources(template: InfrastructureTemplate) -> dict[str, Source]:
    """Return the source of each parameter that has one.

    Raises:
        ConfigurationError: An entry of `Metadata.Settings` is malformed or names no parameter, or a parameter
            has neither a source nor a default; the error names file and key.
    """
    found: dict[str, Source] = {}
    for name, entry in template.settings.items():
        if name not in template.parameters:
            near = nearest(name, template.parameters)
            meant = f"; did you mean {near}?" if near else ""
            raise template.wrong(f"Metadata.Settings.{name}", f"the template has no such parameter{meant}")
        found[name] = _source(template, name, entry)
    for name, declared in template.parameters.items():
        if name not in found and "Default" not in declared:
            raise template.wrong(
                f"Parameters.{name}", "has neither a Default nor a source in Metadata.Settings"
            )
    return found


def known_values(env: Environment, stack: str) -> dict[str, str]:
    """Return the values of `KNOWN` for an environment or one of its services.

    Args:
        stack: The stack's own name.
    """
    return {
        "environment": env.name,
        "prefix": env.infrastructure.prefix,
        "account": env.aws.account,
        "region": env.aws.region,
        "service": env.service.name,
        "stack": stack,
    }


def setting_value(
    template: InfrastructureTemplate, key: str, source: SettingSource, env: Environment
) -> str | StackOutput:
    """Return a setting's text, or the output that the setting names.

    Args:
        key: The template's key that names the setting.

    Raises:
        ConfigurationError: There is no such setting, or its unit is missing or wrong; names file and key.
    """
    value: Any = env
    for number, part in enumerate(source.path.split(".")):
        value = _below(template, key, value, part, source.path.split(".")[:number])
    if isinstance(value, Duration):
        if source.unit not in UNITS:
            raise template.wrong(key, f"{source.path} is a duration: add unit: {', '.join(UNITS)}")
        return plain_number(Decimal(repr(float(value))) / Decimal(str(UNITS[source.unit])))
    if isinstance(value, Window):
        if source.unit != UTC_WINDOW:
            raise template.wrong(key, f"{source.path} is a weekly window: add unit: {UTC_WINDOW}")
        return value.in_utc()
    if source.unit:
        raise template.wrong(key, f"{source.path} is no duration, so it takes no unit")
    if isinstance(value, msgspec.Struct | dict):
        raise template.wrong(key, f"{source.path} is a table; name one of its settings")
    text = as_text(value)
    return StackOutput.parse(text) or text


def as_text(value: Any) -> str:
    """Return a setting as the text of a parameter: lists are joined with commas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return plain_number(Decimal(repr(value)))
    if isinstance(value, SecretRef):
        return value.name
    if isinstance(value, list):
        return ",".join(as_text(item) for item in value)
    return str(value)


def plain_number(number: Decimal) -> str:
    """Return a number without an exponent and without trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _source(template: InfrastructureTemplate, parameter: str, entry: Any) -> Source:
    key = f"Metadata.Settings.{parameter}"
    if isinstance(entry, str):
        return SettingSource(entry)
    if isinstance(entry, dict):
        match entry:
            case {"setting": str(path), **rest} if set(rest) <= {"unit"}:
                unit = _one_of(template, key, rest.get("unit", ""), ("", *UNITS, UTC_WINDOW))
                return SettingSource(path, unit)
            case {"first": of, **rest} if not rest:
                inner = _source(template, parameter, of)
                if isinstance(inner, SettingSource | TaskDefinitionSource):
                    return FirstSource(inner)
            case {"stack": str(name), **rest} if not rest:
                return StackNameSource(name)
            case {"output": str(name), **rest} if not rest and name.count(".") == 1:
                return OutputSource(*name.split("."))
        for word, (kind, names) in _CHOICES.items():
            if set(entry) == {word} and isinstance(entry[word], str):
                return kind(_one_of(template, key, entry[word], names))
    raise template.wrong(
        key,
        "expected a setting's path, {setting: PATH, unit: UNIT}, {value: NAME}, {live: NAME}, "
        "{output: STACK.OUTPUT}, {stack: NAME}, {task_definition: NAME}, {deployer_policy: NUMBER} or "
        "{first: …}",
    )


def _one_of(template: InfrastructureTemplate, key: str, name: Any, known: tuple[str, ...]) -> str:
    if name in known:
        return str(name)
    raise template.wrong(key, f"unknown {name!r}; known are {', '.join(each for each in known if each)}")


def _below(template: InfrastructureTemplate, key: str, value: Any, part: str, above: list[str]) -> Any:
    """Return a member of a table, or an item of a list by its number from 0."""
    members: Mapping[str, Any]
    if isinstance(value, msgspec.Struct):
        table = Settings if isinstance(value, Settings) else type(value)
        members = {name: getattr(value, name) for name in table.__struct_fields__}
    elif isinstance(value, dict):
        members = value
    elif isinstance(value, list):
        members = {str(number): item for number, item in enumerate(value)}
    else:
        members = {}
    if part in members:
        return members[part]
    path = ".".join([*above, part])
    near = nearest(part, members)
    meant = f"; did you mean {'.'.join([*above, near])}?" if near else ""
    raise template.wrong(key, f"there is no setting {path}{meant}")
