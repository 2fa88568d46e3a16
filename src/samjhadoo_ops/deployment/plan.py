"""What a deploy changes, and the steps it takes: `invoke deploy` carries out what `invoke plan` shows.
Nothing here changes anything.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment import preflight
from samjhadoo_ops.deployment.configuration import (
    all_at_once_configuration,
    deployment_configuration,
    service_settings,
)
from samjhadoo_ops.deployment.differences import (
    configuration_differences,
    service_differences,
    task_definition_differences,
)
from samjhadoo_ops.deployment.gates.gate import Finding, Image, Stage, State, unknown
from samjhadoo_ops.errors import OpsError
from samjhadoo_ops.streams import short

if TYPE_CHECKING:
    from samjhadoo_ops.database import Inspection, Migration
    from samjhadoo_ops.deployment.differences import Difference
    from samjhadoo_ops.deployment.gates.gate import Facts, Overrides
    from samjhadoo_ops.deployment.run import ServiceContext
    from samjhadoo_ops.release.image import BuiltImage


@dataclass(frozen=True)
class DeployPlan:
    """What a deploy does.

    Attributes:
        facts: What was read before.
        must_build: Whether the image does not exist yet.
        inspection: What Flyway found; None when it did not run.
        configuration: What a deployment changes of the way the service is deployed.
        service: What changes of the service's other settings …
        settings: … and the members of UpdateService that change it.
        findings: What the gates found, by their names; empty in a deploy, which has passed them.
    """

    facts: Facts
    image: BuiltImage
    inspection: Inspection | None
    task_definition: tuple[Difference, ...]
    configuration: tuple[Difference, ...]
    service: tuple[Difference, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    must_build: bool = False
    findings: dict[str, Finding] = field(default_factory=dict)

    @property
    def release(self) -> str:
        """Return the release's version."""
        return self.image.version

    @property
    def first(self) -> bool:
        """Return whether no deployment has ever succeeded."""
        return self.facts.first

    @property
    def pending(self) -> tuple[Migration, ...]:
        """Return the migrations that would run."""
        return self.inspection.pending if self.inspection else ()

    @property
    def scripts(self) -> tuple[Migration, ...]:
        """Return all scripts that Flyway would run: pending migrations and callbacks."""
        return self.inspection.to_run if self.inspection else ()

    @property
    def refused(self) -> bool:
        """Return whether a gate refuses."""
        return any(finding.state is State.REFUSED for finding in self.findings.values())

    @property
    def changes(self) -> int:
        """Return how many things would change; 0 for a deploy that would do nothing."""
        return self._for_a_deployment + len(self.service)

    @property
    def _for_a_deployment(self) -> int:
        """Return how many changes need a deployment: other settings of the service are just set."""
        moved = "networkConfiguration" in self.settings
        return self.must_build + len(self.task_definition) + len(self.pending) + self.first + moved

    @property
    def steps(self) -> tuple[str, ...]:
        """Return the steps that the deploy takes, in their order.

        When nothing would change, only callbacks run: one that failed must not be passed over the next time.
        """
        deploys = self._for_a_deployment > 0
        taken = {
            "build": self.must_build,
            "push": deploys,
            "migrate": bool(self.scripts),
            "update": bool(self.settings) and not deploys,
            "register": deploys,
            "start": deploys,
        }
        return tuple(step for step, needed in taken.items() if needed)

    @property
    def summary(self) -> str:
        """Return the plan in a sentence."""
        if self.refused:
            return "a deploy would be refused"
        release = f"release {short(self.release)}"
        if "start" not in self.steps:
            only = ["callbacks would run"] if self.scripts else []
            only += ["the service's settings would change"] if self.settings else []
            what = f"only {' and '.join(only)}" if only else "nothing would change"
            unknown = "; pending migrations are not known" if self.inspection is None else ""
            return f"{release} is deployed already: {what}{unknown}"
        rolling = self.facts.env.deployment.strategy == "ROLLING"
        usual = "a rolling deployment" if rolling else "a canary deployment"
        return f"{'the first deployment' if self.first else usual} of {release}; nothing was changed"


def plan_of(
    context: ServiceContext,
    facts: Facts,
    image: BuiltImage,
    inspection: Inspection | None,
    *,
    must_build: bool = False,
    findings: dict[str, Finding] | None = None,
) -> DeployPlan:
    """Compare what is running with what is wanted, and return what a deploy does."""
    from samjhadoo_ops.release import render_task_definition

    known = f"{image.repository_uri}@{image.digest}" if image.digest else f"{image.tagged} (to be built)"
    wanted = render_task_definition(context.env, known, image.version)
    serving = context.ecs.serving(facts.service)
    registered = context.ecs.task_definition(serving) if serving else None
    configuration = (
        all_at_once_configuration(context.env) if facts.first else deployment_configuration(context.env)
    )
    service = facts.service or {}
    settings = service_settings(context.env, service, scaled=facts.scaled) if service else {}
    settings = {key: value for key, value in settings.items() if service_differences(service, {key: value})}
    return DeployPlan(
        facts,
        image,
        inspection,
        task_definition=tuple(task_definition_differences(registered.document if registered else {}, wanted)),
        configuration=tuple(
            configuration_differences(service.get("deploymentConfiguration", {}), configuration)
        ),
        service=tuple(service_differences(service, settings)),
        settings=settings,
        must_build=must_build,
        findings=findings or {},
    )


def make_plan(context: ServiceContext, overrides: Overrides | None = None, *, image: str = "") -> DeployPlan:
    """Compare what is running with what is wanted, evaluate every gate, and return what a deploy would do.

    Args:
        overrides: The gates that the deploy would override.
        image: An image that exists, deployed instead of a build.

    Raises:
        OpsError: Something can't be read.
    """
    from samjhadoo_ops.release import existing, wanted

    context.aws.account_guard()
    preflight.check_policy(context.env)
    with ThreadPoolExecutor(2, thread_name_prefix="plan") as pool:
        schema = pool.submit(_schema, context)
        facts = preflight.gather_facts(context, overrides, image=image)
        findings = pool.submit(preflight.inspect, facts)
        found = existing(context.env, context.aws, image) if image else wanted(context.env, context.aws)
        inspection, schema_finding = schema.result()
        here = "" if found.source else found.digest
        known = replace(facts, inspection=inspection, image=Image(found.version, here))
        all_findings = {
            **findings.result(),
            **schema_finding,
            **preflight.inspect(known, stage=Stage.SCHEMA),
            **preflight.inspect(known, stage=Stage.IMAGE),
        }
    return plan_of(context, known, found, inspection, must_build=not found.digest, findings=all_findings)


def lines(plan: DeployPlan) -> list[str]:
    """Return the plan line by line, everything in full."""
    text = [_headline(plan)]
    for title, items in (*_sections(plan), ("gates", list(preflight.lines(plan.findings)))):
        text += [f"{title}:", *(f"  {item}" for item in items or ["no change"])]
    return text


def for_people(plan: DeployPlan, *, verbose: bool = False) -> list[str]:
    """Return the plan for people: what would not change on one line, the gates counted."""
    text = [_headline(plan)]
    for title, items in _sections(plan):
        if title == "steps" or not items:
            text.append(f"{title}: {', '.join(items) or 'no change'}")
        else:
            text += [f"{title}:", *(f"  {item}" for item in items)]
    return [short(line) for line in (*text, *preflight.for_people(plan.findings, verbose=verbose))]


def _headline(plan: DeployPlan) -> str:
    return f"release {plan.release}{' (to be built)' if plan.must_build else ''}"


def _sections(plan: DeployPlan) -> tuple[tuple[str, list[str]], ...]:
    return (
        ("steps", [", ".join(plan.steps) or "none"]),
        ("task definition", [str(item) for item in plan.task_definition]),
        ("service", [*map(str, plan.service), *_left_alone(plan)]),
        ("deployment configuration", _configuration(plan)),
        ("migrations", _migrations(plan)),
    )


def _left_alone(plan: DeployPlan) -> list[str]:
    facts = plan.facts
    wanted, now = facts.env.service.desired_count, (facts.service or {}).get("desiredCount")
    if not facts.scaled or now == wanted:
        return []
    return [f"desiredCount: stays {now}, as auto scaling decides it (service.desired_count is {wanted})"]


def _configuration(plan: DeployPlan) -> list[str]:
    if plan.configuration and "start" not in plan.steps:
        count = len(plan.configuration)
        differ = "1 value differs" if count == 1 else f"{count} values differ"
        return [f"{differ} from the settings; a deployment sets that, and none would start"]
    return [str(item) for item in plan.configuration]


def _migrations(plan: DeployPlan) -> list[str]:
    if plan.inspection is None:
        found = plan.findings.get("migrations")
        return [f"not known: {found.reason}" if found else "not known"]
    if not plan.facts.env.database.migrations:
        return ["none here: another service owns the schema (database.migrations is empty)"]
    return [f"+ {each.script}" for each in plan.scripts]


def _schema(context: ServiceContext) -> tuple[Inspection | None, dict[str, Finding]]:
    from samjhadoo_ops.database import peek

    try:
        inspection = peek(context.env, context.aws, context.console, context.clock)
    except OpsError as error:
        return None, {"migrations": Finding(State.REFUSED, error.message, error.hint, details=error.details)}
    if inspection is None:
        reason = "only a task in the cluster reaches the database, and a plan starts none"
        return None, {"migrations": unknown(reason, remedy="invoke migrate.info shows what is pending")}
    found = f"they fit; {len(inspection.pending)} pending"
    if not inspection.with_plans:
        return inspection, {"migrations": Finding(State.OK, found)}
    ran = f"{', '.join(inspection.with_plans)} ran with this plan: Flyway runs such callbacks with info, too"
    return inspection, {"migrations": Finding(State.WARNED, f"{found}; {ran}")}
