"""The result of a migrations task: why it stopped, and Flyway's output from its log. Nothing here does I/O.

The texts are AWS's ("Stopped task error messages" and "CannotPullContainer task errors" in the ECS guide).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.database.ecs_task.definition import BEGIN, END, PROJECT
from samjhadoo_ops.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_KILLED = 137


@dataclass(frozen=True)
class EndedTask:
    """How a task ended: whether its container ran, why, and its exit code, if there is one."""

    began: bool
    why: str
    exit_code: int | None


def ended(task: Mapping[str, Any]) -> EndedTask:
    """Read a stopped task from DescribeTasks."""
    container: Mapping[str, Any] = next(iter(task.get("containers") or ()), {})
    reasons = [str(task.get("stoppedReason") or ""), str(container.get("reason") or "")]
    code = container.get("exitCode")
    return EndedTask(
        began=code is not None,
        why="; ".join(dict.fromkeys(reason for reason in reasons if reason)) or "no reason given",
        exit_code=code,
    )


def not_begun(why: str, *, log_group: str = "") -> Refused:
    """Return the error for a task that stopped before Flyway started; the schema is unchanged."""
    for sign, (message, hint) in _CAUSES.items():
        if sign in why:
            return Refused(f"{message.format(log_group=log_group)}: {why}", hint=hint)
    return Refused(f"the migrations task did not start: {why}", hint="invoke migrate.info starts another one")


_CAUSES = {
    "log group does not exist": (
        "the log group {log_group} of the migrations task does not exist",
        "create it, or correct database.task.log_group",
    ),
    "failed to validate logger args": (
        "the migrations task cannot write its log",
        "its execution role needs logs:CreateLogStream and logs:PutLogEvents for database.task.log_group",
    ),
    "did not contain json key": (
        "the database's secret lacks a key",
        'database.secret must be JSON: {"host", "port", "dbname", "username", "password"}',
    ),
    "unable to pull secrets or registry auth": (
        "the migrations task cannot read the database's secret, or ECR",
        "its execution role needs secretsmanager:GetSecretValue and ECR; its subnets NAT or VPC endpoints",
    ),
    "CannotPullContainerError": (
        "the image of the migrations task cannot be pulled",
        "its role needs ECR, its subnets NAT or VPC endpoints; build.platform must be the task's",
    ),
    "CannotStartContainerError": (
        "the image of the migrations task cannot be run",
        "database.flyway_image must contain sh and flyway, and be built for the task definition's platform",
    ),
    "apacity": (
        "the cluster has no capacity for the migrations task",
        "try again later: nothing was changed",
    ),
    "RESOURCE:": (
        "the cluster has no capacity for the migrations task",
        "try again later: nothing was changed",
    ),
}


def incomplete(
    found: EndedTask, transcript: Transcript, *, log_group: str, log_stream: str
) -> tuple[str, str]:
    """Return message and hint for a task that ran, but whose output is incomplete."""
    where = f"log group {log_group}, stream {log_stream}"
    if "OutOfMemory" in found.why:
        return f"the migrations task ran out of memory: {found.why}", "raise database.task.memory"
    if transcript.exit_code is None and found.exit_code not in (0, None):
        how = "was killed" if found.exit_code == _KILLED else f"ended with exit code {found.exit_code}"
        return f"the migrations task {how} before Flyway ended: {found.why}", f"see {where}"
    return (
        f"the log of the migrations task does not have its whole output ({found.why})",
        f"see {where}; reading it needs logs:GetLogEvents",
    )


_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_END = re.compile(rf"{re.escape(END)} (?P<code>\d+) (?P<size>\d+)\s*")
# In the process runtime of the local stack, the image's folders are below another folder.
_PROJECT = re.compile(rf"(?:/[^/\s\"'(),:;]+)*?{re.escape(str(PROJECT))}(?![\w.-])")


@dataclass(frozen=True)
class Transcript:
    """The output of a task.

    Attributes:
        complete: Whether Flyway's output is complete.
        exit_code: Flyway's exit code; None until it has ended.
        answer: Flyway's output; empty unless it is complete.
        log: Everything that was printed before it.
    """

    complete: bool
    exit_code: int | None
    answer: str
    log: str


def assemble(messages: Iterable[str]) -> Transcript:
    """Assemble the events of a log stream.

    Flyway's output is JSON, in which line ends mean nothing. So the pieces are joined without them, wherever
    the log split the lines (an event holds up to 256 KiB). The size shows whether the output is complete.
    """
    log: list[str] = []
    answer: list[str] = []
    begun, end = False, None
    for message in messages:
        found = _END.fullmatch(message.strip())
        if found and begun:
            end = found
            break
        if not begun and message.strip() == BEGIN:
            begun = True
        elif begun:
            answer.append(message.strip("\r\n"))
        else:
            log.append(message.rstrip("\r\n"))
    text = "".join(piece.replace("\r", "").replace("\n", "") for piece in answer)
    whole = end is not None and len(text.encode()) == int(end["size"])
    return Transcript(
        complete=whole,
        exit_code=int(end["code"]) if end else None,
        answer=text if whole else "",
        log=_ANSI.sub("", "\n".join(log)),
    )


def with_project_paths(text: str, root: Path, *, in_json: bool = False) -> str:
    """Return a text in which the scripts' paths in the image are replaced by those in the project."""
    own = json.dumps(str(root), ensure_ascii=False)[1:-1] if in_json else str(root)
    return _PROJECT.sub(lambda _: own, text)
