"""The least IAM policy of the role that releases, derived from the calls that the tool makes."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.environment.value_types import ImageReference
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.infrastructure.arns import ServiceArns, distinct
from samjhadoo_ops.infrastructure.permissions import PERMISSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.infrastructure.permissions import Permission

Document = dict[str, Any]

LARGEST = 6144
"""Characters of a managed policy, without white space (IAM user guide, "IAM and AWS STS quotas")."""
VERSION = "2012-10-17"
_OUTPUT = re.compile(r"stack:[A-Za-z][A-Za-z0-9-]*#[A-Za-z0-9]")
_REGISTRY = re.compile(r"(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com")


def policies(
    env: Environment,
    *,
    role: str = "",
    sources: Sequence[str] = (),
    resolve: Callable[[Environment], Environment] = lambda env: env,
) -> list[Document]:
    """Return the documents of the role that releases all services of an environment.

    There is one, unless it would be larger than IAM allows. Then there are several, which all have to be
    attached; each has whole statements.

    Args:
        role: The role's ARN, which it asks IAM about; by default `aws.role_arn`.
        sources: ECR repositories, as HOST/REPOSITORY, from which images are copied.
        resolve: Puts what the stacks made in place of `stack:NAME#Output`; see `names_outputs`.

    Raises:
        ConfigurationError: A source is not in ECR, a task definition cannot be rendered, or a statement alone
            is too large.
    """
    arns = tuple(map(repository_arn, sources))
    services = [
        ServiceArns(resolve(each), each, role or env.aws.role_arn, arns)
        for each in env.services.values() or [env]
    ]
    return packed(statements(services))


def names_outputs(documents: Sequence[Document]) -> bool:
    """Return whether documents name outputs of stacks, as the settings did, so that these must be read."""
    return _OUTPUT.search(json.dumps(documents)) is not None


def statements(services: Sequence[ServiceArns]) -> list[Document]:
    """Return the statements for what the settings of services make necessary; each has an id of its own."""
    found: list[Document] = []
    for permission in PERMISSIONS:
        statement = _statement(permission, services)
        same = [each for each in found if statement and _without_action(each) == _without_action(statement)]
        if same:
            same[0]["Action"] += [each for each in statement["Action"] if each not in same[0]["Action"]]
        elif statement:
            found.append(statement)
    return [_with_single_values(statement) for statement in _with_own_ids(found)]


def packed(parts: Iterable[Document]) -> list[Document]:
    """Return as few documents as hold the statements in their order, none larger than IAM allows.

    Raises:
        ConfigurationError: A statement alone is too large.
    """
    documents: list[Document] = []
    for statement in parts:
        last = documents[-1]["Statement"] if documents else []
        if not documents or size(_document([*last, statement])) > LARGEST:
            documents.append(_document([]))
        documents[-1]["Statement"].append(statement)
        if size(documents[-1]) > LARGEST:
            raise ConfigurationError(
                f"the statement {statement['Sid']} alone is larger than the {LARGEST} characters of a policy",
                hint="give some of the services a role of their own: --service NAME",
            )
    return documents


def size(document: Document) -> int:
    """Return the characters that IAM counts."""
    return len(json.dumps(document, separators=(",", ":")))


def repository_arn(name: str) -> str:
    """Return the ARN of a repository, HOST/REPOSITORY; raise `ConfigurationError` if it is not in ECR."""
    parsed = ImageReference.parse(name)
    registry = _REGISTRY.fullmatch(parsed.host)
    if registry is None or not parsed.repository:
        raise ConfigurationError(
            f"--pull-from {name}: expected ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY",
            hint="leave it out for other registries: AWS does not check them",
        )
    return f"arn:aws:ecr:{registry['region']}:{registry['account']}:repository/{parsed.repository}"


def _document(parts: list[Document]) -> Document:
    return {"Version": VERSION, "Statement": parts}


def _statement(permission: Permission, services: Sequence[ServiceArns]) -> Document:
    """Return the statement of a permission for those services that need it; empty if none does."""
    needing = [arns for arns in services if permission.needed(arns.env)]
    resources = distinct(resource for arns in needing for resource in permission.resources(arns))
    if not resources:
        return {}
    conditions: dict[str, dict[str, list[str]]] = {}
    for arns in needing:
        for operator, keys in permission.conditions(arns).items():
            for key, values in keys.items():
                known = conditions.setdefault(operator, {}).setdefault(key, [])
                known += [value for value in values if value not in known]
    return {
        "Sid": permission.sid,
        "Effect": "Allow",
        "Action": list(permission.actions),
        "Resource": list(resources),
        **({"Condition": conditions} if conditions else {}),
    }


def _without_action(statement: Document) -> Document:
    return {key: value for key, value in statement.items() if key != "Action"}


def _with_own_ids(parts: Sequence[Document]) -> Iterator[Document]:
    """Yield statements with a number after each id that another one has already."""
    seen: Counter[str] = Counter()
    for statement in parts:
        sid = statement["Sid"]
        seen[sid] += 1
        yield {**statement, "Sid": sid if seen[sid] == 1 else f"{sid}{seen[sid]}"}


def _with_single_values(value: Any) -> Any:
    """Return a statement with single values outside of lists, as IAM allows: it counts the characters."""
    if isinstance(value, dict):
        return {key: _with_single_values(each) for key, each in value.items()}
    return value[0] if isinstance(value, list) and len(value) == 1 else value
