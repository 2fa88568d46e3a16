"""IAM: moto knows none of AWS's own managed policies unless it reads all 1,500 at its start.

That would take two seconds and 33 MB. Here a policy is read when something first names it.
Nor can the clients of an OpenID Connect provider change.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_OF_AWS = ":iam::aws:policy/"
_NAMING_ONE = (
    "attach_group_policy",
    "attach_role_policy",
    "attach_user_policy",
    "get_policy",
    "get_policy_version",
    "list_policy_versions",
)
"""Methods whose first argument is the ARN of a policy."""


def amend() -> None:
    """Let IAM read AWS's policies when they are named, or all when they are listed, and change clients."""
    from moto.iam.models import IAMBackend
    from moto.iam.responses import IamResponse

    for name in _NAMING_ONE:
        setattr(IAMBackend, name, _reading_one(getattr(IAMBackend, name)))
    IAMBackend.list_policies = _reading_all(IAMBackend.list_policies)
    IamResponse.add_client_id_to_open_id_connect_provider = _add_client
    IamResponse.remove_client_id_from_open_id_connect_provider = _remove_client


def _reading_one(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def read_and_call(backend: Any, policy_arn: str, *values: Any, **named: Any) -> Any:
        if _OF_AWS in policy_arn and policy_arn not in backend.managed_policies:
            name = policy_arn.rpartition("/")[2]
            document = _document(name)
            if document is not None:
                _add(backend, name, document, policy_arn)
        return method(backend, policy_arn, *values, **named)

    return read_and_call


def _reading_all(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def read_and_call(backend: Any, *values: Any, **named: Any) -> Any:
        scope = named.get("scope", values[-1] if values else None)
        if scope != "Local" and not named.get("only_attached"):
            for name, document in json.loads(_text()).items():
                _add(backend, name, document)
        return method(backend, *values, **named)

    return read_and_call


def _add(backend: Any, name: str, document: dict[str, Any], policy_arn: str = "") -> None:
    """Add a policy to those that an account sees, if its ARN is the one that was asked for."""
    from moto.iam.models import AWSManagedPolicy

    policy = AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, document)
    if policy.arn not in backend.managed_policies and policy_arn in ("", policy.arn):
        backend.managed_policies[policy.arn] = policy
        backend.aws_managed_policies.append(policy)


def _document(name: str) -> dict[str, Any] | None:
    """Return what moto's text says of one policy; None if AWS has none of this name."""
    text = _text()
    begin = f"\n {json.dumps(name)}:"
    found = text.find(begin)
    if found < 0:
        return None
    document: dict[str, Any] = json.JSONDecoder().raw_decode(text, found + len(begin))[0]
    return document


def _text() -> str:
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    return str(aws_managed_policies_data)


def _add_client(response: Any) -> Any:
    clients, client = _clients(response), response._get_param("ClientID")  # noqa: SLF001
    if client not in clients:
        clients.append(client)
    return _nothing()


def _remove_client(response: Any) -> Any:
    clients, client = _clients(response), response._get_param("ClientID")  # noqa: SLF001
    if client in clients:
        clients.remove(client)
    return _nothing()


def _clients(response: Any) -> list[str]:
    """Return the clients of the provider that a request is about."""
    arn = response._get_param("OpenIDConnectProviderArn")  # noqa: SLF001
    clients: list[str] = response.backend.get_open_id_connect_provider(arn).client_id_list
    return clients


def _nothing() -> Any:
    from moto.core.responses import EmptyResult

    return EmptyResult()
