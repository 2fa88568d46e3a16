"""The least IAM policy of the role that releases, derived from the calls that the tool makes."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

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
LONGEST_PARAMETER = 4096
"""Characters of a parameter's value (CloudFormation user guide, "Quotas")."""
MOST_PARTS = 6
"""Policies of the deployer that infrastructure/delivery.yaml has room for."""
VERSION = "2012-10-17"
_OUTPUT = re.compile(r"stack:[A-Za-z][A-Za-z0-9-]*#[A-Za-z0-9]")


def policies(
    env: Environment,
    *,
    role: str = "",
    resolve: Callable[[Environment], Environment] = lambda env: env,
) -> list[Document]:
    """Return the documents of the role that releases all services of an environment.

    There is one, unless it would be larger than IAM allows. Then there are several, which all have to be
    attached; each has whole statements.

    Args:
        role: The role's ARN, which it asks IAM about; by default `aws.role_arn`.
        resolve: Puts what the stacks made in place of `stack:NAME#Output`; see `names_outputs`.

    Raises:
        ConfigurationError: A task definition cannot be rendered, or a statement alone is too large.
    """
    return packed(_statements_of(env, role=role, resolve=resolve))


def _statements_of(
    env: Environment,
    *,
    role: str = "",
    resolve: Callable[[Environment], Environment] = lambda env: env,
) -> list[Document]:
    return statements(
        [
            ServiceArns(resolve(each), each, role or env.aws.role_arn)
            for each in env.services.values() or [env]
        ]
    )


def names_outputs(documents: Sequence[Document]) -> bool:
    """Return whether documents name outputs of stacks, as the settings did, so that these must be read."""
    return _OUTPUT.search(json.dumps(documents)) is not None


def statements(services: Sequence[ServiceArns]) -> list[Document]:
    """Return the statements for what the settings of services make necessary.

    Those with the same purpose and different resources have the same id.
    """
    found: list[Document] = []
    for permission in PERMISSIONS:
        statement = _statement(permission, services)
        same = [each for each in found if statement and _without_action(each) == _without_action(statement)]
        if same:
            same[0]["Action"] += [each for each in statement["Action"] if each not in same[0]["Action"]]
        elif statement:
            found.append(statement)
    return [_with_single_values(statement) for statement in found]


def packed(parts: Iterable[Document], *, largest: int = LARGEST) -> list[Document]:
    """Return as few documents as hold the statements in their order, none larger than a limit.

    A statement that is too large alone is divided by its resources.

    Raises:
        ConfigurationError: A statement with a single resource is too large.
    """
    documents: list[Document] = []
    for statement in (each for part in parts for each in _divided(part, largest)):
        last = documents[-1]["Statement"] if documents else []
        if not documents or size(_document([*last, statement])) > largest:
            documents.append(_document([]))
        documents[-1]["Statement"].append(statement)
    return [_document(list(_with_own_ids(each["Statement"]))) for each in documents]


def deployer_policies(env: Environment) -> list[str]:
    """Return the documents, as text, from which the stack `delivery` makes the policies of `aws.role_arn`.

    Each is the value of a parameter, which has at most 4,096 characters. There are none without a role.

    Raises:
        ConfigurationError: They are more than `MOST_PARTS`, or name what other stacks make.
    """
    if not env.aws.role_arn:
        return []
    found = packed(_statements_of(env), largest=LONGEST_PARAMETER)
    if names_outputs(found):
        raise ConfigurationError(
            "the policy of aws.role_arn needs names, but a setting has a stack's output instead",
            hint="name repository, bucket, cluster, service and roles in the settings",
        )
    if len(found) > MOST_PARTS:
        raise ConfigurationError(
            f"the services of {env.name} need {len(found)} policies; the stack delivery makes {MOST_PARTS}",
            hint="add parameters DeployerPolicy… to infrastructure/delivery.yaml",
        )
    return [_text(document) for document in found]


def size(document: Document) -> int:
    """Return the characters that IAM counts."""
    return len(_text(document))


def _text(document: Document) -> str:
    return json.dumps(document, separators=(",", ":"))


def _divided(statement: Document, largest: int) -> Iterator[Document]:
    """Yield a statement, or several with a part of its resources each, none too large alone."""
    resources = statement.get("Resource")
    # A further statement with the same id gets a longer one.
    if size(_document([{**statement, "Sid": f"{statement['Sid']}00"}])) <= largest:
        yield statement
        return
    if not isinstance(resources, list):
        raise ConfigurationError(
            f"the statement {statement['Sid']} alone is larger than the {largest} characters of a policy",
            hint="give some of the services a role of their own: --service NAME",
        )
    half = len(resources) // 2
    for some in (resources[:half], resources[half:]):
        yield from _divided(_with_single_values({**statement, "Resource": some}), largest)


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
