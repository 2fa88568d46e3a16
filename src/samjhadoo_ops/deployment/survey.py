"""What is read before a deployment, once, for the gates and the plan."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.consent import Consent
from samjhadoo_ops.deployment.gates.gate import Facts
from samjhadoo_ops.deployment.lock import read_lock
from samjhadoo_ops.deployment.traffic import find_listening

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.lock import Holder
    from samjhadoo_ops.deployment.site import Site
    from samjhadoo_ops.deployment.traffic import Listening

_LATEST = 100
SKETCH = "unbuilt"
"""Stands for image and version in a task definition that is only looked at."""


def survey(site: Site, consent: Consent | None = None, *, own: Holder | None = None) -> Facts:
    """Read the service, its deployments and its load balancer; nothing is changed.

    Args:
        consent: What somebody has taken upon themselves for this deploy.
        own: This deploy's hold of the lock; None when it doesn't take it.

    Raises:
        ConfigurationError: The load balancer that the settings name doesn't exist.

    """
    from samjhadoo_ops.release import render_task_definition

    with ThreadPoolExecutor(2, thread_name_prefix="survey") as pool:
        traffic = pool.submit(_traffic, site)
        service = site.ecs.describe()
        deployments = site.ecs.deployments(limit=_LATEST) if service else []
        current = [revision["arn"] for revision in (service or {}).get("currentServiceRevisions", ())]
        revisions = site.ecs.revisions(current) if current else {}
        listening, rules = traffic.result()
    return Facts(
        env=site.env,
        aws=site.aws,
        ecs=site.ecs,
        service=service,
        deployments=deployments,
        listening=listening,
        render=lambda: render_task_definition(site.env, SKETCH, SKETCH),
        revisions=revisions,
        rules=rules,
        entries=site.journal.entries,
        holder=lambda: _other(site, own),
        clock=site.clock,
        consent=consent or Consent(),
    )


def _traffic(site: Site) -> tuple[Listening, dict[str, dict[str, Any]]]:
    elbv2 = site.aws.client("elbv2")
    listening = find_listening(elbv2, site.env)
    found = elbv2.describe_rules(RuleArns=[listening.production_rule, listening.test_rule])["Rules"]
    return listening, {rule["RuleArn"]: rule for rule in found}


def _other(site: Site, own: Holder | None) -> Holder | None:
    """Return who holds the lock, when it is neither free nor expired nor this deploy's own."""
    found = read_lock(site.journal.store, site.journal.lock_key)
    if found is None:
        return None
    holder, stored = found
    mine = own is not None and (holder.token, holder.nonce) == (own.token, own.nonce)
    return None if mine or holder.free(stored.age) else holder
