"""The way of a deploy, from the lock to the record; everything it does is told and written down."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment import preflight
from samjhadoo_ops.deployment.differences import task_definition_differences
from samjhadoo_ops.deployment.ending import Course, judge_of, settle_ending
from samjhadoo_ops.deployment.interrupts import held_back
from samjhadoo_ops.deployment.journal import FINISHED
from samjhadoo_ops.deployment.outcome import Phase
from samjhadoo_ops.deployment.rollout import start
from samjhadoo_ops.deployment.site import Narrator
from samjhadoo_ops.deployment.survey import survey
from samjhadoo_ops.deployment.watch import Watch
from samjhadoo_ops.errors import DeploymentFailed, OpsError, PersonNeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samjhadoo_ops.database import Inspection, Schema
    from samjhadoo_ops.deployment.gates.ground import Ground
    from samjhadoo_ops.deployment.journal import Recorder
    from samjhadoo_ops.deployment.lock import Lock
    from samjhadoo_ops.deployment.rollout import Started
    from samjhadoo_ops.deployment.site import Site
    from samjhadoo_ops.release.image import BuiltImage, PushedImage

_COMMIT = re.compile(r"[0-9a-f]{40}")
SETTLING = 10.0
"""Real seconds to wait for a rollback after an interrupt; CI gives little more before it kills."""


@dataclass(frozen=True)
class Deployed:
    """A deploy that ended well.

    Attributes:
        outcome: `succeeded`, `unchanged`, or `baking` when it was left to ECS.
        seconds: Real seconds spent in each part.

    """

    outcome: str
    release: str
    digest: str
    deployment: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    def told(self, url: str) -> str:
        """Return the ending in a sentence."""
        if self.outcome == "unchanged":
            return f"release {self.release} is deployed already: nothing was changed; it serves {url}"
        if self.outcome == Phase.BAKING.value:
            return f"release {self.release} serves {url}; ECS keeps the old one for the bake and then ends"
        return f"release {self.release} is deployed and serves {url}"


@dataclass(frozen=True)
class Prepared:
    """What is known before anything is changed at AWS."""

    ground: Ground
    built: BuiltImage
    schema: Schema
    inspection: Inspection


class Deploy:
    """One deploy of one service."""

    def __init__(self, site: Site, *, until: Phase | None = None) -> None:
        self.site = site
        self.until = until
        self.changes: list[str] = []
        self.seconds: dict[str, float] = {}

    def run(self) -> Deployed:
        """Deploy.

        Raises:
            Refused: The lock is held or a gate is closed; nothing was changed.
            DeploymentFailed: The migration failed, or the release was rolled back.
            PersonNeeded: The rollback failed, or the state is unknown.

        """
        with self._timed("account"):
            self.site.aws.account_guard()
        with self.site.lock("deploy") as lock:
            prepared = self._prepare()
            recorder = self.site.journal.recorder("deploy", self.site.clock)
            self.site.console.event("deploy", f"deploy {recorder.deploy}", deploy=recorder.deploy)
            with self._recorded(recorder):
                return self._carry_out(prepared, lock, recorder)

    def _prepare(self) -> Prepared:
        """Do what changes nothing at AWS: ask the gates, build, and let Flyway look meanwhile."""
        from samjhadoo_ops.release import build

        site = self.site
        with ThreadPoolExecutor(1, thread_name_prefix="schema") as pool:
            looking = pool.submit(self._look)
            with self._timed("preflight"):
                ground = survey(site)
                findings = preflight.inspect(ground)
                for line in preflight.lines(findings):
                    site.console.event("gate", line)
                preflight.refuse_closed(findings)
            with self._timed("build"):
                built = build(site.env, site.aws, site.console)
            schema, inspection = looking.result()
        return Prepared(ground, built, schema, inspection)

    def _carry_out(self, prepared: Prepared, lock: Lock, recorder: Recorder) -> Deployed:
        from samjhadoo_ops.release import render_task_definition

        image = self._push(prepared.built, recorder)
        document = render_task_definition(self.site.env, image.reference, image.tag)
        if self._unchanged(self._current(prepared.ground), document, prepared.inspection):
            recorder.write(FINISHED, outcome="unchanged")
            return Deployed("unchanged", image.tag, image.digest, seconds=self.seconds)
        self._migrate(prepared.schema, prepared.inspection, recorder)
        arn = self._register(document, image, recorder)
        teller = Narrator(self.site.console, recorder)
        # An update that is sent but not watched yet could not be taken back: interrupts wait for the watch.
        with held_back() as deliver:
            started = self._start(arn, prepared, lock, teller)
            return self._watch(Course(started, arn, recorder, self.changes), image, lock, teller, deliver)

    def _start(self, arn: str, prepared: Prepared, lock: Lock, teller: Narrator) -> Started:
        self.changes.append(f"the update of {self.site.ecs.name} requested")
        with self._timed("start"):
            try:
                started = start(
                    self.site.ecs,
                    self.site.env,
                    task_definition=arn,
                    listening=prepared.ground.listening,
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

    def _look(self) -> tuple[Schema, Inspection]:
        from samjhadoo_ops.database import Schema

        with self._timed("schema"):
            schema = Schema.of(self.site.env, self.site.aws, self.site.console)
            return schema, schema.validate()

    def _push(self, built: BuiltImage, recorder: Recorder) -> PushedImage:
        from samjhadoo_ops.release import push

        recorder.write("pushing", release=built.tag, reused=built.reused)
        with self._timed("push"):
            image = push(self.site.env, self.site.aws, self.site.console, built)
        recorder.write("pushed", release=image.tag, digest=image.digest, image=image.reference)
        if not built.reused:
            self.changes.append(f"image {image.reference} pushed")
        return image

    def _current(self, ground: Ground) -> Any:
        """Return the task definition that serves and was deployed with success, or None."""
        if ground.service is None or ground.first:
            return None
        arns = [revision["arn"] for revision in ground.service.get("currentServiceRevisions", ())]
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

    def _migrate(self, schema: Schema, inspection: Inspection, recorder: Recorder) -> None:
        with self._timed("migrate"):
            if not inspection.pending:
                return
            pending = [migration.script for migration in inspection.pending]
            recorder.write("migrating", pending=pending)
            state = schema.migrate(inspection)
            recorder.write("migrated", schema=state.version)
            self.changes.append(f"the schema is at V{state.version}")

    def _register(self, document: dict[str, Any], image: PushedImage, recorder: Recorder) -> str:
        with self._timed("register"):
            recorder.write("registering", family=document.get("family"))
            arn = self.site.ecs.register(document, release_tags(image))
            recorder.write("registered", task_definition=arn)
        self.changes.append(f"task definition {arn.rpartition('/')[2]} registered")
        return arn

    def _watch(
        self, course: Course, image: PushedImage, lock: Lock, teller: Narrator, deliver: Callable[[], None]
    ) -> Deployed:
        from samjhadoo_ops.checks import smoke

        site, started, recorder = self.site, course.started, course.recorder
        watch = Watch(
            site.ecs,
            started.arn,
            clock=site.clock,
            policy=site.policy,
            judge=judge_of(site, started),
            test=partial(smoke, site.env, site.test, version=image.tag),
            teller=teller,
            lost=lambda: lock.lost,
        )
        with self._interruptible(watch, started, recorder):
            deliver()
            ending = watch.run(until=self.until)
        self.seconds |= ending.seconds
        settle_ending(site, course, ending)
        if ending.phase is Phase.SUCCEEDED:
            self._check_production(image)
        recorder.write(FINISHED, outcome=ending.phase.value, seconds=self.seconds)
        return Deployed(ending.phase.value, image.tag, image.digest, started.arn, self.seconds)

    def _check_production(self, image: PushedImage) -> None:
        """Test what users reach; a release that passed everything before and fails here is a riddle.

        Raises:
            PersonNeeded: It fails.

        """
        from samjhadoo_ops.checks import smoke

        try:
            with self._timed("smoke"):
                smoke(self.site.env, self.site.production, version=image.tag)
        except OpsError as error:
            raise PersonNeeded(
                f"the deployment succeeded, but the smoke test of production failed: {error.message}",
                changed="; ".join(self.changes),
                hint="invoke rollback returns to the release before",
                details=error.details,
            ) from error

    @contextmanager
    def _interruptible(self, watch: Watch, started: Started, recorder: Recorder) -> Iterator[None]:
        """On Ctrl-C or SIGTERM roll back or leave it to ECS, as the settings say, and say which."""
        site = self.site
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            if site.policy.on_interrupt == "rollback" and not started.first:
                watch.stop("the deploy was interrupted")
                phase = watch.settle(SETTLING)
                said = f"interrupted: the deployment is {phase.value}"
            else:
                phase = watch.phase
                said = f"interrupted: the deployment goes on ({phase.value}); {_left_to_ecs(phase)}"
            site.console.event("interrupted", said, phase=phase.name, deployment=started.arn)
            recorder.write(FINISHED, outcome=f"interrupted, {phase.value}")
            raise

    @contextmanager
    def _recorded(self, recorder: Recorder) -> Iterator[None]:
        """Record how it ended also when it failed, and tell what had been changed by then."""
        from samjhadoo_ops.aws_errors import translate

        try:
            yield
        except OpsError as error:
            error.changed = error.changed or "; ".join(self.changes)
            if not recorder.finished:
                self._note(recorder, outcome="failed", error=error.message)
            raise
        except (KeyboardInterrupt, SystemExit):
            if not recorder.finished:
                self.site.console.event(
                    "interrupted", f"interrupted; changed: {'; '.join(self.changes) or 'nothing'}"
                )
                self._note(recorder, outcome="interrupted")
            raise
        except Exception as error:
            self._note(recorder, outcome="failed", error=f"{type(error).__name__}: {error}")
            translated = translate(error, changed="; ".join(self.changes))
            if translated is None:
                raise
            raise translated from error

    def _note(self, recorder: Recorder, **data: str) -> None:
        """Record the end; when even that fails, the error that led here matters more."""
        try:
            recorder.write(FINISHED, **data)
        except Exception as error:  # noqa: BLE001  # the store may be what is out of reach
            self.site.console.event("unrecorded", f"the journal could not be written: {error}")

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = self.site.clock.read()
        try:
            yield
        finally:
            self.seconds[part] = round(self.seconds.get(part, 0.0) + self.site.clock.read() - began, 3)


def release_tags(image: PushedImage) -> dict[str, str]:
    """Return the tags that tell a task definition's release without a journal."""
    tags = {"release": image.tag, "digest": image.digest}
    commit = _COMMIT.match(image.tag)
    return {**tags, "git-sha": commit[0]} if commit else tags


def _left_to_ecs(phase: Phase) -> str:
    if phase in {Phase.BAKING, Phase.CLEANING_UP}:
        return "ECS completes it by itself; invoke rollback takes it back"
    return "nobody answers its pauses, so ECS rolls it back when they time out"
