"""The way of a deploy, from the lock to the record; everything it does is told and written down."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment import preflight
from samjhadoo_ops.deployment.attendance import Attendance
from samjhadoo_ops.deployment.consent import Consent
from samjhadoo_ops.deployment.deployed import Deployed
from samjhadoo_ops.deployment.differences import task_definition_differences
from samjhadoo_ops.deployment.ending import Course
from samjhadoo_ops.deployment.gates.gate import Image, Stage
from samjhadoo_ops.deployment.interrupts import held_back
from samjhadoo_ops.deployment.journal import FINISHED
from samjhadoo_ops.deployment.recording import recorded
from samjhadoo_ops.deployment.rollout import start
from samjhadoo_ops.deployment.site import Narrator
from samjhadoo_ops.deployment.survey import survey
from samjhadoo_ops.deployment.unfinished import settle
from samjhadoo_ops.errors import DeploymentFailed, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_ops.database import Inspection, Schema
    from samjhadoo_ops.deployment.gates.gate import Facts
    from samjhadoo_ops.deployment.journal import Recorder
    from samjhadoo_ops.deployment.lock import Lock
    from samjhadoo_ops.deployment.rollout import Started
    from samjhadoo_ops.deployment.site import Site
    from samjhadoo_ops.release.image import BuiltImage, PushedImage

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Prepared:
    """What is known before anything is changed at AWS."""

    facts: Facts
    built: BuiltImage
    schema: Schema | None
    inspection: Inspection


class Deploy:
    """One deploy of one service.

    Args:
        until: A word of `deployed.UNTIL`: how far the deployment is attended.
        lock_wait: Seconds on the clock to wait for the lock.
        consent: Gates that are overridden, and an emergency, with the reasons.
        image: An image that exists (`release.existing`), deployed instead of what stands here.

    """

    def __init__(
        self,
        site: Site,
        *,
        until: str = "done",
        lock_wait: float = 0.0,
        consent: Consent | None = None,
        image: str = "",
    ) -> None:
        self.site = site
        self.consent = consent or Consent()
        self.until = until
        self.lock_wait = lock_wait
        self.image = image
        self.changes: list[str] = []
        self.seconds: dict[str, float] = {}

    def run(self) -> Deployed:
        """Deploy.

        Raises:
            Refused: The lock is held, an unfinished deployment goes on, or a gate is closed; nothing was
                changed.
            DeploymentFailed: The migration failed, or the release was rolled back.
            PersonNeeded: The rollback failed, or the state is unknown.

        """
        with self._timed("account"):
            self.site.aws.account_guard()
        with self.site.lock("deploy", patience=self.lock_wait) as lock:
            self.site = self.site.guarded(lock)
            settle(self.site, token=lock.token)
            prepared = self._prepare(lock)
            lock.ensure()
            promoted = {"promoted": self.image} if self.image else {}
            recorder = self.site.journal.recorder(
                "deploy", self.site.clock, token=lock.token, **self.consent.record, **promoted
            )
            lock.note(deploy=recorder.deploy)
            self.site.console.event("deploy", f"deploy {recorder.deploy}", deploy=recorder.deploy)
            return self._carry_out(prepared, lock, recorder)

    def go_on(self, lock: Lock, recorder: Recorder, *, release: str) -> Deployed:
        """Deploy under a lock and a journal that are there already: those of a run that died.

        Args:
            release: The version that was to be deployed; empty when the run died before that was known.

        Raises:
            Refused: The checkout is another release. Else see `run`.

        """
        prepared = self._prepare(lock)
        if release and prepared.built.tag != release:
            raise Refused(
                f"deploy {recorder.deploy} is of release {release}, but what stands here is "
                f"{prepared.built.tag}",
                hint=f"check {release} out and resume it, or start anew: invoke deploy",
            )
        return self._carry_out(prepared, lock, recorder)

    def _prepare(self, lock: Lock) -> Prepared:
        """Do what changes nothing at AWS: ask the gates, build, and let Flyway look meanwhile."""
        site = self.site
        with ThreadPoolExecutor(1, thread_name_prefix="schema") as pool:
            looking = pool.submit(self._look)
            with self._timed("preflight"):
                facts = survey(site, self.consent, own=lock.holder)
                self._pass(facts, Stage.SERVICE)
            with self._timed("build"):
                built = self._built()
            schema, inspection = looking.result()
        facts = replace(facts, inspection=inspection)
        with self._timed("preflight"):
            self._pass(facts, Stage.SCHEMA)
        return Prepared(facts, built, schema, inspection)

    def _built(self) -> BuiltImage:
        """Return the image to deploy: the named one, or that of what stands here."""
        from samjhadoo_ops.release import build, existing

        site = self.site
        if not self.image:
            return build(site.env, site.aws, site.console)
        found = existing(site.env, site.aws, self.image)
        site.console.event(
            "build",
            f"release {found.version} is deployed as it is: {self.image}",
            version=found.version,
            digest=found.digest,
            reused=True,
        )
        return found

    def _pass(self, facts: Facts, stage: Stage) -> None:
        """Ask the gates of a stage, tell what they find, and go on only when none is closed."""
        findings = preflight.inspect(facts, stage=stage)
        preflight.tell(self.site.console, findings)
        preflight.refuse_closed(findings)

    def _carry_out(self, prepared: Prepared, lock: Lock, recorder: Recorder) -> Deployed:
        with recorded(recorder, self.site.console, self.changes):
            return self._release(prepared, lock, recorder)

    def _release(self, prepared: Prepared, lock: Lock, recorder: Recorder) -> Deployed:
        from samjhadoo_ops.release import render_task_definition

        image = self._push(prepared.built, lock, recorder)
        with self._timed("preflight"):
            pushed = Image(image.tag, image.digest, fresh=not prepared.built.reused)
            self._pass(replace(prepared.facts, image=pushed), Stage.IMAGE)
        document = render_task_definition(self.site.env, image.reference, image.tag)
        if self._unchanged(self._current(prepared.facts), document, prepared.inspection):
            recorder.write(FINISHED, outcome="unchanged", exit_code=0)
            return Deployed(
                "unchanged", image.tag, image.digest, deploy=recorder.deploy, seconds=self.seconds
            )
        self._migrate(prepared, lock, recorder)
        arn = self._register(document, image, recorder)
        teller = Narrator(self.site.console, recorder)
        # An update that is sent but not watched yet could not be taken back: interrupts wait for the watch.
        with held_back() as deliver:
            recorder.unended = True
            started = self._start(arn, prepared, lock, teller)
            course = Course(started, arn, image.tag, image.digest, recorder, self.changes)
            attendance = Attendance(self.site, course, lock, teller, until=self.until)
            attendance.seconds = self.seconds
            return attendance.run(deliver)

    def _start(self, arn: str, prepared: Prepared, lock: Lock, teller: Narrator) -> Started:
        self.changes.append(f"the update of {self.site.ecs.name} requested")
        with self._timed("start"):
            try:
                started = start(
                    self.site.ecs,
                    self.site.env,
                    task_definition=arn,
                    listening=prepared.facts.listening,
                    clock=self.site.clock,
                    policy=self.site.policy,
                    teller=teller,
                )
            except DeploymentFailed:
                self.changes.pop()
                raise
            self.changes[-1] = f"deployment {started.arn.rpartition('/')[2]} started"
            lock.note(deployment=started.arn)
        return started

    def _look(self) -> tuple[Schema | None, Inspection]:
        from samjhadoo_ops.database import inspect

        with self._timed("schema"):
            return inspect(self.site.env, self.site.aws, self.site.console, self.site.clock)

    def _push(self, built: BuiltImage, lock: Lock, recorder: Recorder) -> PushedImage:
        from samjhadoo_ops.release import push

        lock.ensure()
        recorder.write("pushing", release=built.tag, reused=built.reused)
        with self._timed("push"):
            image = push(self.site.env, self.site.aws, self.site.console, built)
        recorder.write("pushed", release=image.tag, digest=image.digest, image=image.reference)
        if not built.reused:
            self.changes.append(f"image {image.reference} pushed")
        return image

    def _current(self, facts: Facts) -> Any:
        """Return the task definition that serves and was deployed with success, or None."""
        if facts.service is None or facts.first:
            return None
        arns = [revision["arn"] for revision in facts.service.get("currentServiceRevisions", ())]
        revisions = self.site.ecs.revisions(arns)
        serving = {revision["taskDefinition"] for revision in revisions.values()}
        return self.site.ecs.task_definition(serving.pop()) if len(serving) == 1 else None

    def _unchanged(self, current: Any, document: dict[str, Any], inspection: Inspection) -> bool:
        if current is None or inspection.pending:
            return False
        found = task_definition_differences(current.document, document)
        for difference in found:
            self.site.console.event("difference", f"task definition: {difference}")
        return not found

    def _migrate(self, prepared: Prepared, lock: Lock, recorder: Recorder) -> None:
        from samjhadoo_ops.database.judge import judge_migrations

        inspection = prepared.inspection
        with self._timed("migrate"):
            if prepared.schema is None or not inspection.pending:
                recorder.write("schema", schema=inspection.version)
                return
            lock.ensure()
            recorder.write(
                "migrating",
                pending=[migration.script for migration in inspection.pending],
                **judge_migrations(inspection.pending, self.site.env).record,
            )
            state = prepared.schema.migrate(inspection)
            recorder.write("migrated", schema=state.version)
            self.changes.append(f"the schema is at V{state.version}")

    def _register(self, document: dict[str, Any], image: PushedImage, recorder: Recorder) -> str:
        with self._timed("register"):
            recorder.write("registering", family=document.get("family"))
            arn = self.site.ecs.register(document, release_tags(image))
            recorder.write("registered", task_definition=arn)
        self.changes.append(f"task definition {arn.rpartition('/')[2]} registered")
        return arn

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        console, began = self.site.console, self.site.clock.read()
        console.state("step", step=part, state="began")
        try:
            yield
        finally:
            self.seconds[part] = round(self.seconds.get(part, 0.0) + self.site.clock.read() - began, 3)
            console.state("step", step=part, state="ended", seconds=self.seconds[part])


def release_tags(image: PushedImage) -> dict[str, str]:
    """Return the tags that tell a task definition's release without a journal."""
    tags = {"release": image.tag, "digest": image.digest}
    commit = _COMMIT.match(image.tag)
    return {**tags, "git-sha": commit[0]} if commit else tags
