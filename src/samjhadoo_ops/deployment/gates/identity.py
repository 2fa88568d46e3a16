"""The wrong account is the most expensive mistake; nothing overrides this gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused
from samjhadoo_ops.deployment.gates.gate import Gate
from samjhadoo_ops.errors import Refused

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.gates.ground import Ground


def check(ground: Ground) -> Finding:
    """Refuse credentials of another account than the environment's."""
    try:
        return ok(f"account {ground.aws.account_guard()}")
    except Refused as error:
        return refused(error.message, remedy=error.hint)


GATE = Gate("identity", "the account is the environment's", check, overridable=False, mandatory=True)
