"""What stacks cost: an environment's stacks applied to a warm emulator, nothing to apply, and 400 resources.

The environments are this project's own, applied by the tool as `infra.apply` does.
"""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from harness.figures import row
from harness.running import MINUTE, Running, emulator, until

from samjhadoo_ops.aws import Aws
from samjhadoo_ops.clock import Clock
from samjhadoo_ops.console import Console
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.infrastructure.apply import apply
from samjhadoo_ops.infrastructure.proposals import InfrastructureContext

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment

ROOT = Path(__file__).resolve().parents[1]
ACCOUNT = "000000000000"
MANY = 400
WARM = {
    "acm": "list_certificates",
    "ec2": "describe_vpcs",
    "elasticache": "describe_cache_clusters",
    "iam": "list_roles",
    "kms": "list_keys",
    "logs": "describe_log_groups",
    "rds": "describe_db_instances",
    "s3": "list_buckets",
    "secretsmanager": "list_secrets",
    "sns": "list_topics",
}
"""A question to each service, which loads it."""


def environment(name: str) -> Environment:
    """Return an environment's settings with the emulator's account."""
    env = load_environment(name, root=ROOT, variables={})
    return msgspec.structs.replace(env, aws=msgspec.structs.replace(env.aws, account=ACCOUNT, role_arn=""))


def applied(running: Running, name: str) -> tuple[float, float]:
    """Apply an environment's stacks; return the seconds, and the emulator's CPU seconds."""
    env = environment(name)
    console = Console("lines", out=io.StringIO(), err=io.StringIO())
    clock = Clock(minute=MINUTE, origin=time.time())
    context = InfrastructureContext(env, Aws(env, running.url), clock, console)
    began, cpu = time.monotonic(), running.cpu()
    apply(context, confirm=lambda show: show())
    return time.monotonic() - began, running.cpu() - cpu


def environments() -> None:
    """Apply each environment to an emulator that has loaded its services."""
    for name, target in (("staging", "2"), ("production", "2")):
        with emulator("--runtime", "noop") as running:
            for service, question in WARM.items():
                getattr(running.client(service), question)()
            memory = running.memory()
            seconds, cpu = applied(running, name)
            row(f"stacks of {name}", seconds, "s", target, digits=2)
            row(f"stacks of {name}, CPU of the emulator", cpu, "s", digits=2)
            seconds, _ = applied(running, name)
            row(f"stacks of {name}, nothing to apply", seconds, "s", "0.3", digits=2)
            row(f"memory more with the stacks of {name}", running.memory() - memory, "MiB")


def many_resources() -> None:
    """Create and delete a stack with many resources."""
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}
    body = json.dumps({"Resources": {f"Parameter{number}": parameter for number in range(MANY)}})
    with emulator("--runtime", "noop") as running:
        cloudformation = running.client("cloudformation")
        began = time.monotonic()
        cloudformation.create_stack(StackName="many", TemplateBody=body)
        until(lambda: _status(cloudformation) == "CREATE_COMPLETE")
        row(f"a stack of {MANY} resources created", time.monotonic() - began, "s", digits=2)
        again = time.monotonic()
        arn = cloudformation.describe_stacks(StackName="many")["Stacks"][0]["StackId"]
        cloudformation.delete_stack(StackName="many")
        until(lambda: _status(cloudformation, arn) == "DELETE_COMPLETE")
        row(f"a stack of {MANY} resources deleted", time.monotonic() - again, "s", digits=2)
        row("created and deleted", time.monotonic() - began, "s", "10", digits=2)


def _status(cloudformation: Any, name: str = "many") -> str:
    return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])


if __name__ == "__main__":
    environments()
    many_resources()
