"""Render the task definition from its JSON template, and validate it against AWS's own model."""

from __future__ import annotations

import json
import re
import string
from functools import cache
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.environment.schema import TASK_SIZES
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samjhadoo_ops.environment import Environment

# DescribeTaskDefinition returns these, but RegisterTaskDefinition refuses them.
READ_ONLY = frozenset(
    {
        *("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities"),
        *("registeredAt", "registeredBy", "deregisteredAt", "deleteRequestedAt"),
    }
)


class _Template(string.Template):
    """Text with `${name}` placeholders; `$${name}` is a literal `${name}`, any other `$` is literal."""

    pattern = r"""
        \$(?:
          (?P<escaped>\$(?=\{)) |
          \{(?P<braced>[A-Za-z_][A-Za-z0-9_.-]*)\} |
          (?P<named>(?!)) |
          (?P<invalid>(?!))
        )
    """  # type: ignore[assignment]
    flags = re.VERBOSE


def render_task_definition(env: Environment, image_reference: str, version: str) -> dict[str, Any]:
    """Return the arguments of RegisterTaskDefinition for a release.

    Placeholders `${name}` are filled from `service.variables` (without `cpu` and `memory`: from the instance
    type) and `region`, `account`, `environment`, `name` (of the service), `image` and `version`.

    Raises:
        ConfigurationError: The file is missing or malformed, has an unknown placeholder or member, lacks
            the service's container, or a value has the wrong type; all problems of one kind are reported.
    """
    where = env.service.task_definition
    template = _load(env, where)
    variables = {
        **env.service.variables,
        **_size(env),
        "region": env.aws.region,
        "account": env.aws.account,
        "environment": env.name,
        "name": env.service.name,
        "image": image_reference,
        "version": version,
    }
    problems: list[str] = []
    definition = _filled(template, _shape(), variables, "", problems)
    _refuse(where, problems)
    definition = {key: value for key, value in definition.items() if key not in READ_ONLY}
    _set_image(definition, env.service.container, image_reference, where)
    _refuse(where, list(_violations(definition)))
    _check_port(definition, env, where)
    return definition


def _size(env: Environment) -> dict[str, str]:
    """Return `cpu` and `memory` of the instance type, as far as `service.variables` leaves them empty."""
    size = TASK_SIZES.get(env.infrastructure.instance_type, {})
    return {name: value for name, value in size.items() if not env.service.variables.get(name)}


def _load(env: Environment, where: str) -> dict[str, Any]:
    try:
        document = json.loads((env.root / where).read_text(encoding="utf-8"))
    except OSError as error:
        message = f"the task definition {where} cannot be read: {error.strerror}"
        raise ConfigurationError(message, hint="correct service.task_definition") from error
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{where}:{error.lineno}:{error.colno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{where}: is not UTF-8 text: {error}") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{where}: expected an object")
    return document


def _filled(value: Any, shape: Any, variables: Mapping[str, str], path: str, problems: list[str]) -> Any:
    """Return a value with its placeholders filled, and converted to the type that AWS expects there."""
    if isinstance(value, dict):
        return {
            key: _filled(each, _member(shape, key), variables, f"{path}.{key}" if path else key, problems)
            for key, each in value.items()
            if each is not None
        }
    if isinstance(value, list):
        inner = getattr(shape, "member", None)
        return [_filled(each, inner, variables, f"{path}[{i}]", problems) for i, each in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    try:
        return _typed(_Template(value).substitute(variables), shape)
    except KeyError as error:
        name = error.args[0]
        problems.append(f"{path}: unknown placeholder ${{{name}}}; known are {', '.join(sorted(variables))}")
    except ValueError:
        problems.append(f"{path}: {value!r} is not a valid {shape.type_name}")
    return value


def _typed(text: str, shape: Any) -> Any:
    kind = getattr(shape, "type_name", "string")
    if kind in ("integer", "long"):
        return int(text)
    if kind == "boolean":
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"
    return text


def _member(shape: Any, key: str) -> Any:
    members = getattr(shape, "members", None)
    return getattr(shape, "value", None) if members is None else members.get(key)


def _set_image(definition: dict[str, Any], container: str, image: str, where: str) -> None:
    containers = definition.get("containerDefinitions")
    found = [each for each in containers or [] if isinstance(each, dict) and each.get("name") == container]
    if not isinstance(containers, list) or not found:
        names = [str(each.get("name")) for each in containers or [] if isinstance(each, dict)]
        raise ConfigurationError(
            f"{where}: containerDefinitions has no container {container!r} (service.container), "
            f"only {', '.join(names) or 'none'}"
        )
    found[0]["image"] = image


def _check_port(definition: dict[str, Any], env: Environment, where: str) -> None:
    """Refuse a definition whose container does not map the port that the load balancer uses."""
    name, port = env.service.container, env.service.container_port
    (found,) = (each for each in definition["containerDefinitions"] if each["name"] == name)
    ports = [mapping.get("containerPort") for mapping in found.get("portMappings", ())]
    if port not in ports:
        raise ConfigurationError(
            f"{where}: the container {name} maps no port {port} (service.container_port), "
            f"only {', '.join(map(str, ports)) or 'none'}"
        )


@cache
def _shape() -> Any:
    # A session would read the user's AWS profile, which may not exist.
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    model = ServiceModel(Loader().load_service_model("ecs", "service-2"), "ecs")
    return model.operation_model("RegisterTaskDefinition").input_shape


def _violations(definition: dict[str, Any]) -> Iterator[str]:
    """Yield the violations of AWS's model, each with its path."""
    from botocore.validate import ParamValidator

    report = ParamValidator().validate(definition, _shape()).generate_report()
    yield from (line for line in report.splitlines() if line)


def _refuse(where: str, problems: list[str]) -> None:
    if len(problems) == 1:
        raise ConfigurationError(f"{where}: {problems[0]}")
    if problems:
        raise ConfigurationError(f"{where}: {len(problems)} problems", details=tuple(problems))
