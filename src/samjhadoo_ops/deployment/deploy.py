"""A deploy, from the lock to the record of its end."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment import preflight
from samjhadoo_ops.deployment.finish import recorded, without_deployment
from samjhadoo_ops.deployment.gates.gate import Image, Overrides, Stage
from samjhadoo_ops.deployment.plan import plan_of
from samjhadoo_ops.deployment.rollout import roll_out
from samjhadoo_ops.deployment.run import STEPS, Run
from samjhadoo_ops.deployment.unfinished import settle_unfinished
from samjhadoo_ops.errors import Refused
from samjhadoo_ops.release.image import PushedImage

if TYPE_CHECKING:
    from samjhadoo_ops.database import Inspection, Schema
    from samjhadoo_ops.deployment.finish import Deployed
    from samjhadoo_ops.deployment.gates.gate import Facts
    from samjhadoo_ops.deployment.journal import JournalEntry
    from samjhadoo_ops.deployment.plan import DeployPlan
    from samjhadoo_ops.deployment.run import ServiceContext
    from samjhadoo_ops.release.image import BuiltImage

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Prepared:
    """What is known before anything is changed in AWS."""

    plan: DeployPlan
    schema: Schema | None
    inspection: Inspection


@dataclass(frozen=True)
class Deploy:
    """One deploy of one service.

    Args:
        until: A word of `finish.UNTIL`: how far the deployment is watched.
        lock_wait: Seconds on the clock to wait for the lock.
        overrides: Gates that are overridden, and an emergency, with the reasons.
        image: An image that exists (`release.existing`), deployed instead of a build of the project's folder.
    """

    context: ServiceContext
    _: KW_ONLY
    until: str = "done"
    lock_wait: float = 0.0
    overrides: Overrides = field(default_factory=Overrides)
    image: str = ""

    def run(self) -> Deployed:
        """Deploy.

        Raises:
            Refused: The lock is held, an unfinished deployment is still running, or a gate refuses; nothing
                was changed.
            DeploymentFailed: The migration failed, or the release was rolled back.
            PersonNeeded: The rollback failed, or the state is unknown.
        """
        run = Run(self.context)
        with run.timed("account"):
            run.aws.account_guard()
        with run.locked("deploy", lock_wait=self.lock_wait):
            settle_unfinished(run, run.journal.past())
            prepared = self._prepare(run)
            promoted = {"promoted": self.image} if self.image else {}
            run.begin("deploy", **self.overrides.record, **promoted)
            run.report("deploy", f"deploy {run.recorder.deploy}", deploy=run.recorder.deploy)
            return self._carry_out(run, prepared)

    def resume(self, run: Run, entry: JournalEntry) -> Deployed:
        """Go on with a deploy whose process died, under a lock and a journal that are there already.

        Steps that the journal has are not taken again.

        Raises:
            Refused: The checkout is another release. Else see `run`.
        """
        prepared = self._prepare(run)
        release, here = str(entry.data.get("release", "")), prepared.plan.image.tag
        if release and here != release:
            raise Refused(
                f"deploy {entry.deploy} deploys release {release}, but the project's folder has {here}",
                hint=f"check out {release} and resume it, or start a new deploy: invoke deploy",
            )
        return self._carry_out(run, prepared, entry)

    def _prepare(self, run: Run) -> Prepared:
        """Do what changes nothing in AWS: evaluate the gates, build, run Flyway's checks, and plan."""
        with ThreadPoolExecutor(1, thread_name_prefix="schema") as pool:
            inspecting = pool.submit(_inspect, run)
            with run.timed("preflight"):
                own = run.lock.owner if run.lock else None
                facts = preflight.gather_facts(run, self.overrides, own=own, image=self.image)
                self._ask(run, facts, Stage.SERVICE)
            with run.timed("build"):
                built = self._built(run)
            schema, inspection = inspecting.result()
        facts = replace(facts, inspection=inspection)
        with run.timed("preflight"):
            self._ask(run, facts, Stage.SCHEMA)
            plan = plan_of(run, facts, built, inspection)
        return Prepared(plan, schema, inspection)

    def _built(self, run: Run) -> BuiltImage:
        """Return the image to deploy: the named one, or that of the project's folder."""
        from samjhadoo_ops.release import build, existing

        if not self.image:
            return build(run.env, run.aws, run.console)
        found = existing(run.env, run.aws, self.image)
        run.report(
            "build",
            f"release {found.version}: using the existing image {self.image}",
            version=found.version,
            digest=found.digest,
            reused=True,
        )
        return found

    def _ask(self, run: Run, facts: Facts, stage: Stage) -> None:
        """Evaluate the gates of a stage, report what they find, and continue only when none refuses."""
        findings = preflight.inspect(facts, stage=stage)
        preflight.report_findings(run.console, findings, stage)
        preflight.require_passed(findings)

    def _carry_out(self, run: Run, prepared: Prepared, entry: JournalEntry | None = None) -> Deployed:
        """Take the plan's steps, without those that the journal of a resumed deploy has."""
        plan = prepared.plan
        with recorded(run):
            for title, differences in (("task definition", plan.task_definition), ("service", plan.service)):
                for difference in () if plan.first else differences:
                    run.report("difference", f"{title}: {difference}")
            if "start" not in plan.steps:
                self._ask_image(run, plan, plan.image.digest)
                _migrate(run, prepared)
                return without_deployment(run, plan.image, _update(run, plan))
            image = _pushed_before(entry, plan) or _push(run, plan.image)
            self._ask_image(run, plan, image.digest)
            _migrate(run, prepared)
            return roll_out(
                run,
                _registered_before(entry) or _register(run, image),
                plan.facts.load_balancing,
                release=image.tag,
                digest=image.digest,
                settings=plan.settings,
                until=self.until,
            )

    def _ask_image(self, run: Run, plan: DeployPlan, digest: str) -> None:
        """Evaluate the gates that check the image in the registry."""
        with run.timed("preflight"):
            image = Image(plan.image.tag, digest, fresh=not plan.image.reused)
            self._ask(run, replace(plan.facts, image=image), Stage.IMAGE)


def _inspect(run: Run) -> tuple[Schema | None, Inspection]:
    from samjhadoo_ops.database import inspect

    with run.timed("schema"):
        return inspect(run.env, run.aws, run.console, run.clock)


def _push(run: Run, built: BuiltImage) -> PushedImage:
    from samjhadoo_ops.release import push

    with run.step("push", release=built.tag, reused=built.reused) as step:
        image = push(run.env, run.aws, run.console, built)
        change = "" if built.reused else f"image {image.reference} pushed"
        step.done(change, release=image.tag, digest=image.digest, image=image.reference)
    return image


def _migrate(run: Run, prepared: Prepared) -> None:
    """Apply pending migrations and run callbacks; without any, record the schema's version."""
    from samjhadoo_ops.database.judge import judge_migrations

    schema, inspection = prepared.schema, prepared.inspection
    if schema is None or not inspection.to_run:
        run.record("schema", schema=inspection.version)
        return
    data: dict[str, Any] = judge_migrations(inspection.to_run, run.env, inspection).record
    with run.step("migrate", pending=[each.script for each in inspection.to_run], **data) as step:
        state = schema.migrate(inspection)
        step.done(f"the schema is at V{state.version}", schema=state.version)


def _update(run: Run, plan: DeployPlan) -> str:
    """Set what needs no deployment, and return the outcome."""
    if not plan.settings:
        return "unchanged"
    with run.step("update", settings=plan.settings) as step:
        run.ecs.configure(**plan.settings)
        step.done("; ".join(f"service: {difference}" for difference in plan.service))
    return "updated"


def _register(run: Run, image: PushedImage) -> str:
    from samjhadoo_ops.release import render_task_definition

    document = render_task_definition(run.env, image.reference, image.tag)
    with run.step("register", family=document.get("family")) as step:
        arn = run.ecs.register(document, release_tags(image))
        step.done(f"task definition {arn.rpartition('/')[2]} registered", task_definition=arn)
    return arn


def _pushed_before(entry: JournalEntry | None, plan: DeployPlan) -> PushedImage | None:
    """Return the image that a resumed deploy has pushed already."""
    event = entry.last(STEPS["push"][1]) if entry else None
    if event is None or not event.data.get("digest"):
        return None
    return PushedImage(plan.image.repository_uri, str(event.data["release"]), str(event.data["digest"]))


def _registered_before(entry: JournalEntry | None) -> str:
    """Return the task definition that a resumed deploy has registered already; empty for none."""
    event = entry.last(STEPS["register"][1]) if entry else None
    return str(event.data.get("task_definition", "")) if event else ""


def release_tags(image: PushedImage) -> dict[str, str]:
    """Return the tags that name a task definition's release without a journal."""
    tags = {"release": image.tag, "digest": image.digest}
    commit = _COMMIT.match(image.tag)
    return {**tags, "git-sha": commit[0]} if commit else tags
