"""What a deploy would change: task definition, deployment configuration, migrations; and whether it may.
Nothing here changes anything.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment import preflight
from samjhadoo_ops.deployment.configuration import deployment_configuration, swift_configuration
from samjhadoo_ops.deployment.differences import configuration_differences, task_definition_differences
from samjhadoo_ops.deployment.gates.gate import Finding, Image, Stage, State, unknown
from samjhadoo_ops.deployment.survey import survey
from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from samjhadoo_ops.database import Inspection
    from samjhadoo_ops.deployment.consent import Consent
    from samjhadoo_ops.deployment.differences import Difference
    from samjhadoo_ops.deployment.gates.gate import Facts
    from samjhadoo_ops.deployment.site import Site
    from samjhadoo_ops.release.image import BuiltImage


@dataclass(frozen=True)
class Plan:
    """What a deploy would do.

    Attributes:
        build: Whether the image must be built first.
        pending: Scripts that a migration would run.

    """

    release: str
    build: bool
    first: bool
    task_definition: tuple[Difference, ...]
    configuration: tuple[Difference, ...]
    pending: tuple[str, ...]
    findings: dict[str, Finding]

    @property
    def refused(self) -> bool:
        """Tell whether a gate is closed."""
        return any(finding.state is State.REFUSED for finding in self.findings.values())

    @property
    def schema_unseen(self) -> bool:
        """Tell whether nobody has looked at what is pending."""
        return self.findings["migrations"].state is State.UNKNOWN

    @property
    def changes(self) -> int:
        """Return how many things would change; 0 for a deploy that would do nothing."""
        return self.build + len(self.task_definition) + len(self.pending) + self.first

    @property
    def summary(self) -> str:
        """Return the plan in a sentence."""
        if self.refused:
            return "a deploy would be refused"
        if not self.changes and self.schema_unseen:
            return f"release {self.release} is deployed already: only migrations could change something"
        if not self.changes:
            return f"release {self.release} is deployed already: nothing would change"
        kind = "the first deployment" if self.first else "a canary deployment"
        return f"{kind} of release {self.release}; nothing was changed"


def make_plan(site: Site, consent: Consent | None = None, *, image: str = "") -> Plan:
    """Read what is and what is wanted, side by side, and compare.

    Args:
        consent: What somebody would take upon themselves for the deploy.
        image: An image that exists, deployed instead of what stands here.

    Raises:
        OpsError: Something can't be read.

    """
    from samjhadoo_ops.release import existing, wanted

    site.aws.account_guard()
    preflight.check_policy(site.env)
    with ThreadPoolExecutor(2, thread_name_prefix="plan") as pool:
        schema = pool.submit(_schema, site)
        facts = survey(site, consent)
        findings = pool.submit(preflight.inspect, facts)
        release = existing(site.env, site.aws, image) if image else wanted(site.env, site.aws)
        inspection, schema_finding = schema.result()
        here = "" if release.source else release.digest
        known = replace(facts, inspection=inspection, image=Image(release.version, here))
        return Plan(
            release=release.version,
            build=not release.digest,
            first=facts.first,
            task_definition=_task_definition(site, facts, release),
            configuration=_configuration(site, facts),
            pending=tuple(migration.script for migration in (inspection.pending if inspection else ())),
            findings={
                **findings.result(),
                **schema_finding,
                **preflight.inspect(known, stage=Stage.SCHEMA),
                **preflight.inspect(known, stage=Stage.IMAGE),
            },
        )


def lines(plan: Plan) -> list[str]:
    """Return the plan for people."""
    told = [f"release {plan.release}{' (to be built)' if plan.build else ''}"]
    for title, items in (
        ("task definition", [str(item) for item in plan.task_definition]),
        ("deployment configuration", [str(item) for item in plan.configuration]),
        ("migrations", ["not known"] if plan.schema_unseen else [f"+ {script}" for script in plan.pending]),
        ("gates", list(preflight.lines(plan.findings))),
    ):
        told += [f"{title}:", *(f"  {item}" for item in items or ["no change"])]
    return told


def _schema(site: Site) -> tuple[Inspection | None, dict[str, Finding]]:
    from samjhadoo_ops.database import peek

    try:
        inspection = peek(site.env, site.aws, site.console, site.clock)
    except OpsError as error:
        return None, {"migrations": Finding(State.REFUSED, error.message, error.hint, details=error.details)}
    if inspection is None:
        reason = "only a task in the cluster reaches the database, and a plan starts none"
        return None, {"migrations": unknown(reason, remedy="invoke migrate.info shows what is pending")}
    return inspection, {"migrations": Finding(State.OK, f"they fit; {len(inspection.pending)} pending")}


def _task_definition(site: Site, facts: Facts, image: BuiltImage) -> tuple[Difference, ...]:
    from samjhadoo_ops.release import render_task_definition

    reference = f"{image.repository_uri}@{image.digest}" if image.digest else f"{image.tagged} (to be built)"
    document = render_task_definition(site.env, reference, image.version)
    service = facts.service
    registered = site.ecs.task_definition(service["taskDefinition"]) if service else None
    return tuple(task_definition_differences(registered.document if registered else {}, document))


def _configuration(site: Site, facts: Facts) -> tuple[Difference, ...]:
    wanted = swift_configuration(site.env) if facts.first else deployment_configuration(site.env)
    current = (facts.service or {}).get("deploymentConfiguration", {})
    return tuple(configuration_differences(current, wanted))
