"""What is read before a deployment, once, for the gates and the plan."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.gates.ground import Ground
from samjhadoo_ops.deployment.traffic import find_listening

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.site import Site

_LATEST = 100
SKETCH = "unbuilt"
"""Stands for image and version in a task definition that is only looked at."""


def survey(site: Site) -> Ground:
    """Read the service, its deployments and its load balancer; nothing is changed.

    Raises:
        ConfigurationError: The load balancer that the settings name doesn't exist.

    """
    from samjhadoo_ops.release import render_task_definition

    with ThreadPoolExecutor(2, thread_name_prefix="survey") as pool:
        listening = pool.submit(find_listening, site.aws.client("elbv2"), site.env)
        service = site.ecs.describe()
        deployments = site.ecs.deployments(limit=_LATEST) if service else []
        return Ground(
            env=site.env,
            aws=site.aws,
            ecs=site.ecs,
            service=service,
            deployments=deployments,
            listening=listening.result(),
            render=lambda: render_task_definition(site.env, SKETCH, SKETCH),
        )
