"""Security policies: the protocols and ciphers that an HTTPS listener negotiates.

The table is moto's ("Security policies for your Application Load Balancer"), read without importing moto's
service, which would take two seconds.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from samjhadoo_emulator.errors import AwsError

DEFAULT = "ELBSecurityPolicy-2016-08"
"""Of listeners that are made by API and name none."""


@cache
def policies() -> dict[str, dict[str, Any]]:
    """Return the policies by name, with `ssl_protocols` and `ciphers` in their order."""
    package = find_spec("moto")
    folders = package.submodule_search_locations if package else None
    if not folders:
        raise RuntimeError("moto is not installed, though the emulator depends on it")
    spec = spec_from_file_location("moto_ssl_policies", Path(folders[0], "elbv2", "ssl_policies.py"))
    if spec is None or spec.loader is None:
        raise RuntimeError("moto has no security policies")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, dict[str, Any]] = module.SSL_POLICIES
    return found


def described(name: str) -> dict[str, Any]:
    """Return a policy as DescribeSSLPolicies shows it; raise AWS's error if there is none."""
    check(name)
    policy = policies()[name]
    return {
        "Name": name,
        "SslProtocols": list(policy["ssl_protocols"]),
        "Ciphers": [
            {"Name": cipher, "Priority": number} for number, cipher in enumerate(policy["ciphers"], 1)
        ],
        "SupportedLoadBalancerTypes": ["application", "network"],
    }


def check(name: str) -> None:
    """Refuse a policy that does not exist, as AWS does."""
    if name not in policies():
        raise AwsError("SSLPolicyNotFound", f"SSL policy '{name}' not found")
