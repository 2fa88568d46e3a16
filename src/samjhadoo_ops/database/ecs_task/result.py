"""What the end of a migrations task means; nothing here does I/O.

The texts are AWS's ("Stopped task error messages" and "CannotPullContainer task errors" in its ECS guide).
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
    """How a task ended.

    Attributes:
        began: Whether its container ran.
        why: What ECS says of the end.
        exit_code: The container's; None when it has none.

    """

    began: bool
    why: str
    exit_code: int | None


def ended(task: Mapping[str, Any]) -> EndedTask:
    """Read a stopped task of DescribeTasks."""
    container: Mapping[str, Any] = next(iter(task.get("containers") or ()), {})
    reasons = [str(task.get("stoppedReason") or ""), str(container.get("reason") or "")]
    code = container.get("exitCode")
    return EndedTask(
        began=code is not None,
        why="; ".join(dict.fromkeys(reason for reason in reasons if reason)) or "no reason is given",
        exit_code=code,
    )


def not_begun(why: str, *, log_group: str = "") -> Refused:
    """Return the refusal for a task that ended before Flyway began; the schema is as it was."""
    for sign, (message, hint) in _CAUSES.items():
        if sign in why:
            return Refused(f"{message.format(log_group=log_group)}: {why}", hint=hint)
    return Refused(f"the migrations task did not start: {why}", hint="invoke migrate.info runs one again")


_CAUSES = {
    "log group does not exist": (
        "the log group {log_group} of the migrations task is not there",
        "create it, or correct database.task.log_group",
    ),
    "failed to validate logger args": (
        "the migrations task cannot write its log",
        "its execution role needs logs:CreateLogStream and logs:PutLogEvents for database.task.log_group",
    ),
    "did not contain json key": (
        "the database's secret lacks a member",
        'database.secret must be JSON: {"host", "port", "dbname", "username", "password"}',
    ),
    "unable to pull secrets or registry auth": (
        "the migrations task cannot read the database's secret, or ECR",
        "its execution role needs secretsmanager:GetSecretValue and ECR, its subnets NAT or VPC endpoints",
    ),
    "CannotPullContainerError": (
        "the image of the migrations task cannot be pulled",
        "its execution role needs ECR, its subnets NAT or VPC endpoints; build.platform must be its platform",
    ),
    "CannotStartContainerError": (
        "the image of the migrations task cannot be run",
        "database.flyway_image must bring sh and flyway, for the platform of the task definition",
    ),
    "apacity": (
        "the cluster has no room for the migrations task",
        "run it again in a while: nothing was changed",
    ),
    "RESOURCE:": (
        "the cluster has no room for the migrations task",
        "run it again in a while: nothing was changed",
    ),
}


def incomplete(
    found: EndedTask, transcript: Transcript, *, log_group: str, log_stream: str
) -> tuple[str, str]:
    """Return message and hint for a task that ran, but whose answer is not to be had."""
    where = f"log group {log_group}, stream {log_stream}"
    if "OutOfMemory" in found.why:
        return f"the migrations task ran out of memory: {found.why}", "raise database.task.memory"
    if transcript.exit_code is None and found.exit_code not in (0, None):
        how = "was killed" if found.exit_code == _KILLED else f"ended with exit code {found.exit_code}"
        return f"the migrations task {how} before Flyway had ended: {found.why}", f"see {where}"
    return (
        f"the answer of the migrations task is not in its log as a whole ({found.why})",
        f"see {where}; logs:GetLogEvents is needed",
    )


_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_END = re.compile(rf"{re.escape(END)} (?P<code>\d+) (?P<size>\d+)\s*")
# An image that is run without walls of its own sees its folders below another one.
_PROJECT = re.compile(rf"(?:/[^/\s\"'(),:;]+)*?{re.escape(str(PROJECT))}(?![\w.-])")


@dataclass(frozen=True)
class Transcript:
    """The output of a task.

    Attributes:
        complete: Whether all of Flyway's answer is there.
        exit_code: Flyway's; None until it has ended.

    """

    complete: bool
    exit_code: int | None
    answer: str
    log: str


def assemble(messages: Iterable[str]) -> Transcript:
    """Put the events of a log stream together.

    The answer is JSON, in which a line's end never stands for anything: its pieces are joined without one, so
    that it does not matter where lines were cut (an event takes 256 KiB). Its size tells whether it is whole.
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


def here(text: str, root: Path, *, in_json: bool = False) -> str:
    """Return a text with the image's paths of scripts replaced by those of the project."""
    own = json.dumps(str(root), ensure_ascii=False)[1:-1] if in_json else str(root)
    return _PROJECT.sub(lambda _: own, text)
