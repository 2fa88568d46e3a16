"""Builds the judge of a deployment: probes of its health and the verdict on its counts, as one."""

from __future__ import annotations

import threading
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from samjhadoo_ops.deployment.judge import HttpProbe, Judges, NoJudge, Prober, ProbingJudge
from samjhadoo_ops.deployment.verdict.assessment import thresholds_of
from samjhadoo_ops.deployment.verdict.canary_judge import CanaryJudge, CanaryRules
from samjhadoo_ops.deployment.verdict.counts import MINUTE, OwnTraffic, summed
from samjhadoo_ops.deployment.verdict.metrics import TrafficMetrics, sources_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.deployment.journal import Recorder
    from samjhadoo_ops.deployment.judge import Judge
    from samjhadoo_ops.deployment.outcome import Observation, PinnedDeployment, Verdict
    from samjhadoo_ops.deployment.run import ServiceContext
    from samjhadoo_ops.deployment.verdict.counts import Minute
    from samjhadoo_ops.environment import Environment

_SERVER_FAULT = 500
_AT_ONCE = 4


@dataclass
class SyntheticTraffic:
    """Sends GET requests to one address in the background and notes how each ended.

    Args:
        timeout: Real seconds to wait for an answer; none within it is an error.
        slow_above: Real seconds above which an answer is slow.
        pause: Real seconds between two requests of each sender.
    """

    url: str
    own: OwnTraffic
    _: KW_ONLY
    clock: Clock
    count: int
    timeout: float
    slow_above: float
    pause: float

    def __post_init__(self) -> None:
        self._done = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin; starting twice is starting once."""
        if self._threads:
            return
        shares = [self.count // _AT_ONCE + (number < self.count % _AT_ONCE) for number in range(_AT_ONCE)]
        self._threads = [
            threading.Thread(target=self._send, args=(share,), name="synthetic traffic", daemon=True)
            for share in shares
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; a request under way is not waited for."""
        self._done.set()

    def _send(self, count: int) -> None:
        import urllib3

        pool = urllib3.PoolManager(retries=False, timeout=self.timeout)
        for _ in range(count):
            if self._done.is_set():
                return
            began = self.clock.read()
            try:
                failed = pool.request("GET", self.url).status >= _SERVER_FAULT
            except urllib3.exceptions.HTTPError:
                failed = True
            slow = self.clock.read() - began > self.slow_above
            self.own.note(self.clock.timestamp(), error=failed, slow=slow, synthetic=True)
            self._done.wait(self.pause)


MINUTES = "minutes"
"""The journal's event that holds what was counted."""
_LEAST_MARGIN = 2 * MINUTE
_MARGIN = 0.05
_PACE = 0.05
"""Real seconds between two synthetic requests of one sender: a small service has its users to serve, too."""


def build_judge(
    context: ServiceContext, started: PinnedDeployment, recorder: Recorder | None = None
) -> Judge:
    """Return the judge of a deployment.

    Probes of `/health` go through both listeners: the test listener reaches the new revision alone, the
    production listener what users reach. The canary is judged by what the load balancer counts.

    Args:
        recorder: Records what was counted; None: it is not recorded.
    """
    if started.all_at_once:
        return NoJudge()
    own = OwnTraffic()
    return Judges([_probing(context, own), _counting(context, started, own, recorder)])


def rules_of(env: Environment, *, poll: float) -> CanaryRules:
    """Return what an environment's canaries are judged by and what happens when one is inconclusive."""
    canary, gate = env.canary, float(env.deployment.hook_timeouts.production)
    return CanaryRules(
        thresholds=thresholds_of(env),
        canary_time=float(env.deployment.canary_time),
        policies=tuple(canary.inconclusive),
        extend=float(canary.extend),
        to_send=canary.synthetic_requests,
        margin=max(_LEAST_MARGIN, 3 * poll, _MARGIN * gate),
    )


def _probing(context: ServiceContext, own: OwnTraffic) -> Judge:
    probe = HttpProbe(context.env.smoke.timeout)
    pause = context.clock.real(context.policy.poll)

    def note(why: str, *, shared: bool) -> None:
        own.note(context.clock.timestamp(), error=why.startswith("HTTP 5"), shared=shared)

    probers = {
        name: Prober(_health(context, url), probe=probe, pause=pause, note=partial(note, shared=shared))
        for name, url, shared in (("test", context.test, False), ("production", context.production, True))
        if url
    }
    threshold = context.policy.failed_probes

    def show(failures: Mapping[str, int]) -> None:
        context.console.state("probes", threshold=threshold, failures=dict(failures))

    return ProbingJudge(probers, threshold=threshold, show=show)


def _counting(
    context: ServiceContext, started: PinnedDeployment, own: OwnTraffic, recorder: Recorder | None
) -> Judge:
    env, clock = context.env, context.clock
    rules = rules_of(env, poll=context.policy.poll)

    def source(observed: Observation) -> TrafficMetrics | None:
        sources = sources_of(context.ecs, observed)
        if sources is None:
            return None
        slow_above = rules.thresholds.slow_above
        client = context.aws.client("cloudwatch")
        return TrafficMetrics(client, sources, slow_above=slow_above, payments=env.canary.payments)

    def report(event: str, text: str, data: dict[str, Any]) -> None:
        context.console.event(event, text, **data)

    def record(minutes: Sequence[Minute], verdict: Verdict) -> None:
        if recorder is None:
            return
        try:
            document = msgspec.to_builtins(minutes)
            recorder.write(MINUTES, minutes=document, verdict=verdict.reason, **verdict.numbers())
        except Exception as error:  # noqa: BLE001  # how the deployment ended matters more than its counts
            context.console.event("unrecorded", f"the counts could not be written to the journal: {error}")

    def show(minutes: Sequence[Minute], verdict: Verdict) -> None:
        shared = [minute for minute in minutes if minute.shared]
        baked = [minute.canary for minute in minutes if not minute.shared]
        sums = {
            "canary": summed(minute.canary for minute in shared),
            "baseline": summed(minute.baseline for minute in shared),
            **({"bake": summed(baked)} if baked else {}),
        }
        judged = {**verdict.numbers(), "reason": verdict.reason}
        context.console.state("counts", minutes=len(minutes), **sums, verdict=judged)

    sender = None
    if context.test and "synthetic" in rules.policies:
        sender = SyntheticTraffic(
            _health(context, context.test),
            own,
            clock=clock,
            count=rules.to_send,
            timeout=float(env.smoke.timeout),
            slow_above=rules.thresholds.slow_above,
            pause=_PACE,
        )
    since = started.before.canary_since if started.before else None
    return CanaryJudge(
        source,
        clock=clock,
        rules=rules,
        own=own,
        sender=sender,
        since=since,
        report=report,
        record=record,
        show=show,
    )


def _health(context: ServiceContext, url: str) -> str:
    return f"{url.rstrip('/')}{context.env.smoke.health_path}"
