from __future__ import annotations

import json
from typing import TYPE_CHECKING

from invoke.collection import Collection

from samjhadoo_ops.console import current_console
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.tasks.services import ALL
from samjhadoo_ops.tasks.session import not_negative
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context


@ops_task(
    help={
        **ALL,
        "role": "ARN of the role that releases (default: aws.role_arn).",
        "pull_from": "ECR repository whose images are deployed, as HOST/REPOSITORY; may be repeated.",
        "part": "Print only this one of several policies.",
    },
    example="invoke infra.policy --env production > policy.json",
)
def policy(
    _c: Context,
    *,
    env: str = "local",
    service: str = "",
    role: str = "",
    pull_from: tuple[str, ...] = (),
    part: int = 0,
) -> None:
    """Print the least IAM policy of the role that releases."""
    from samjhadoo_ops.environment import load_environment
    from samjhadoo_ops.infrastructure.policy import LARGEST, policies, size

    not_negative("--part", part)
    console = current_console()
    found = policies(load_environment(env, service=service), role=role, sources=pull_from)
    if part > len(found):
        raise ConfigurationError(f"--part {part}: expected a number up to {len(found)}")
    if len(found) > 1 and not part:
        console.line(
            f"{len(found)} policies, because one has at most {LARGEST} characters; attach all of them to the "
            "role. --part 1 prints the first"
        )
    for document in found[part - 1 : part] if part else found:
        console.state("policy", document=document, characters=size(document))
        for line in json.dumps(document, indent=2).splitlines():
            console.command(line)


collection = Collection("infra", policy)
collection.__doc__ = "Make and describe what the environment needs at AWS."
