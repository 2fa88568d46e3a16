"""Lambda hooks: ECS invokes a function at a stage and does what it answers (AWS: Lambda hooks)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from typing import TYPE_CHECKING, Any, Protocol

from samjhadoo_emulator.ecs.deployments import machine
from samjhadoo_emulator.ecs.deployments.machine import Hook, HookStatus
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from samjhadoo_emulator.clock import Clock
    from samjhadoo_emulator.ecs.model import Deployment, Service
    from samjhadoo_emulator.service import AwsApi

log = logging.getLogger(__name__)
CALL_BACK_DELAY = 30.0
"""Emulated seconds after which a function that answered IN_PROGRESS is invoked again."""
ANSWERS = ("SUCCEEDED", "FAILED", "IN_PROGRESS")


class Spawn(Protocol):
    """Runs work in the background."""

    def __call__(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Start it."""


class HookCaller:
    """Invokes the functions of one service's Lambda hooks.

    Args:
        spawn: Runs work in the background.
        wake: Has the scheduler check the deployment again.
    """

    def __init__(self, aws: AwsApi, clock: Clock, spawn: Spawn, wake: Callable[[], None]) -> None:
        self._aws = aws
        self._clock = clock
        self._spawn = spawn
        self._wake = wake
        self._called: set[str] = set()
        self._jumped = asyncio.Event()

    def clock_jumped(self) -> None:
        """Compute again when functions are to be invoked again."""
        self._jumped.set()
        self._jumped = asyncio.Event()

    def call(self, service: Service, deployment: Deployment) -> None:
        """Invoke what the deployment's step calls and has not been invoked for it."""
        for hook in deployment.state.hooks:
            if hook.status is HookStatus.IN_PROGRESS and hook.id not in self._called:
                self._called.add(hook.id)
                self._spawn(self._converse(service, deployment, hook), name=f"hook {hook.id}")

    async def _converse(self, service: Service, deployment: Deployment, hook: Hook) -> None:
        """Invoke a function until it has decided, or the hook is no longer open."""
        details = hook.details
        try:
            while self._waiting(deployment, hook):
                payload = _payload(service, deployment, hook, details)
                status, answer = await self._invoke(hook, payload)
                if status != "IN_PROGRESS":
                    failure = "" if status == "SUCCEEDED" else status
                    now = self._clock.timestamp()
                    deployment.state = machine.report_hook(
                        deployment.state, hook.id, failure=failure, now=now
                    )
                    self._wake()
                    return
                details = answer.get("hookDetails", details)
                await self._pause(_delay(answer))
        finally:
            self._called.discard(hook.id)

    async def _pause(self, seconds: float) -> None:
        """Wait for seconds of the emulated clock, which may jump."""
        until = self._clock.timestamp() + seconds
        while (left := until - self._clock.timestamp()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._clock.real(left)):
                    await self._jumped.wait()

    @staticmethod
    def _waiting(deployment: Deployment, hook: Hook) -> bool:
        return any(each.id == hook.id and each.open for each in deployment.state.hooks)

    async def _invoke(self, hook: Hook, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return SUCCEEDED, IN_PROGRESS, or why the hook failed; and what the function answered."""
        arn = hook.target_arn
        try:
            response = await self._aws.call(
                "lambda", "Invoke", FunctionName=arn, Payload=json.dumps(payload).encode()
            )
            body = response["Payload"]
            content = await asyncio.to_thread(body.read) if hasattr(body, "read") else body
        except AwsError as error:
            return f"ECS was unable to invoke lifecycle hook target {arn} due to {error.message}", {}
        if response.get("FunctionError"):
            return f"Lifecycle hook target {arn} failed with {response['FunctionError']} error.", {}
        try:
            answer = json.loads(content)
        except ValueError as error:
            return _unparsed(arn, str(error)), {}
        if not isinstance(answer, dict) or answer.get("hookStatus") is None:
            return _unparsed(arn, "HookStatus must not be null"), {}
        status = answer["hookStatus"]
        if status == "FAILED":
            return f"Lifecycle hook target {arn} returned FAILED status.", answer
        if status not in ANSWERS:
            return _unparsed(arn, f"HookStatus {status} is not one of {', '.join(ANSWERS)}"), answer
        return str(status), answer


def _unparsed(arn: str, why: str) -> str:
    return f"ECS was unable to parse the response from {arn} due to {why}"


def _delay(answer: dict[str, Any]) -> float:
    try:
        return max(0.0, float(answer.get("callBackDelay", CALL_BACK_DELAY)))
    except (TypeError, ValueError):
        return CALL_BACK_DELAY


def _payload(service: Service, deployment: Deployment, hook: Hook, details: Any) -> dict[str, Any]:
    """Return what AWS passes to the function; weights map revisions to percentages."""
    step, target = deployment.state.step, deployment.target.arn
    source = deployment.sources[0].arn if deployment.sources else None

    def weights(percent: float) -> dict[str, float]:
        shares = {target: percent}
        return shares | ({source: round(100 - percent, 1)} if source else {})

    payload: dict[str, Any] = {
        "executionId": str(uuid.uuid5(uuid.NAMESPACE_OID, hook.id)),
        "lifecycleStage": hook.stage.value,
        "resourceArn": deployment.arn,
        "executionDetails": {
            "serviceArn": service.arn,
            "targetServiceRevisionArn": target,
            "testTrafficWeights": weights(step.test),
            "productionTrafficWeights": weights(step.production),
        },
    }
    return payload if details is None else payload | {"hookDetails": details}
