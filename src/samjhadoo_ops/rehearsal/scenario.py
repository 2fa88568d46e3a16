"""A scenario: what is released, what goes wrong, and how it has to end. A TOML file of its own."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from samjhadoo_ops.deployment.outcome import Phase
from samjhadoo_ops.environment.duration import Duration
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path

FOLDER = "rehearsals"
"""Where a project keeps scenarios of its own."""

BEFORE, STARTED, ENDED = "before", "started", "ended"
PHASES = {phase.name.lower().replace("_", "-"): phase for phase in Phase if phase is not Phase.UNKNOWN}
EVENT = "event "
"""`event pushed`: when the deploy has told of that event."""

_MEMBERS = ((("invoke",), "arguments"), (("fault",), "fault"), (("alarm", "quiet-alarm"), "alarm"))

Action = Literal[
    "alarm",
    "fault",
    "freeze-database",
    "interrupt",
    "invoke",
    "kill",
    "quiet-alarm",
    "resume",
    "terminate",
    "thaw-database",
]


class CandidateChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the candidate differs from the release that serves.

    Attributes:
        environment: Variables of the serving container, added to the task definition.
        dockerfile: Lines added to the Dockerfile.
        migrations: Flyway scripts by file name, added to the first folder of migrations.

    """

    environment: dict[str, str] = {}
    dockerfile: tuple[str, ...] = ()
    migrations: dict[str, str] = {}


class Load(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Requests through the production listener while it plays.

    Attributes:
        rate: Requests in a real second; 0 for none.
        path: What is asked for by GET; an answer below 500 is a success.

    """

    rate: float = 40.0
    path: str = "/"


class ScenarioStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that is done while the candidate is deployed.

    Attributes:
        at: `before` (the deploy), `started`, `ended`, a phase of the deployment as ECS shows it, or
            `event NAME`.
        after: Emulated time to wait then.
        do: `kill` (SIGKILL), `interrupt` (SIGINT), `terminate` (SIGTERM): the deploy; `resume`: go on with
            it in a new process; `invoke`: run a task beside it; `fault`: a fault of the emulator; `alarm`:
            have a CloudWatch alarm fire; `quiet-alarm`: create it, or put it back to OK;
            `freeze-database`, `thaw-database`.
        arguments: Of `invoke`: the task and its options.
        exit_code: What `invoke` has to exit with.
        fault: Of `fault`: the document for the emulator; `{service}` and `{cluster}` are filled in.
        alarm: Of `alarm` and `quiet-alarm`: the alarm's name.

    """

    at: str
    do: Action
    after: Duration = Duration(0)
    arguments: tuple[str, ...] = ()
    exit_code: int = 0
    fault: dict[str, Any] = {}
    alarm: str = ""


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it has to end.

    Attributes:
        exit_code: Of the deploy; of its last resumption, if it was resumed; None when nobody waits for it.
        serving: Which release has all traffic: the candidate (`new`) or the one before (`old`).
        outcome: The deploy's outcome as its result event tells it, as a regular expression.
        told: A regular expression that what the deploy told has to match.
        failed_percent: Most requests that may fail, in percent of all.
        detect: Emulated time from the fault until the rollback was asked for, at most.
        restore: Emulated time from the fault until the old release had all traffic again, at most.
        lock: Whether the lock must be free at the end: `free`, or `lease` when its holder was killed.

    """

    serving: Literal["new", "old"]
    exit_code: int | None = None
    outcome: str = ""
    told: str = ""
    failed_percent: float = 0.0
    detect: Duration | None = None
    restore: Duration | None = None
    lock: Literal["free", "lease"] = "free"


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scenario.

    Attributes:
        title: What happens, in a sentence.
        quick: Whether it is played when no scenario is asked for.
        settings: Settings of the environment during it, by key path: `"deployment.bake_time" = "5m"`.
        arguments: Further options of the deploy.
        migrations: Scripts that the release before brings along.

    """

    title: str
    expect: Expected
    quick: bool = False
    settings: dict[str, Any] = {}
    arguments: tuple[str, ...] = ()
    release: CandidateChanges = CandidateChanges()
    load: Load = Load()
    steps: tuple[ScenarioStep, ...] = ()
    name: str = ""


def scenarios(root: Path) -> dict[str, Scenario]:
    """Return every scenario by its name: the project's own replace those built in.

    Raises:
        ConfigurationError: A file is not a scenario; the text names file and key.

    """
    built_in = resources.files("samjhadoo_ops.rehearsal") / "scenarios"
    return dict([*_folder(built_in), *_folder(root / FOLDER)])


def read_scenario(text: str, *, name: str, where: str) -> Scenario:
    """Read a scenario.

    Args:
        text: TOML.
        name: What it is called.
        where: The file, for errors.

    Raises:
        ConfigurationError: It is not one; the text names file and key.

    """
    try:
        document = tomllib.loads(text)
        scenario = msgspec.convert({**document, "name": name}, Scenario, dec_hook=_decode)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{where}: {_placed(str(error))}") from error
    _check(scenario, where)
    return scenario


def _folder(source: Traversable | Path) -> Iterator[tuple[str, Scenario]]:
    if not source.is_dir():
        return
    for file in sorted(source.iterdir(), key=lambda each: each.name):
        name, dot, suffix = file.name.rpartition(".")
        if dot and suffix == "toml":
            where = f"{FOLDER}/{file.name}"
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigurationError(f"{where}: {error}") from error
            yield name, read_scenario(text, name=name, where=where)


def _check(scenario: Scenario, where: str) -> None:
    """Refuse what the types allow and nobody can mean."""
    for key, pattern in (("outcome", scenario.expect.outcome), ("told", scenario.expect.told)):
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigurationError(f"{where}: expect.{key}: not a regular expression: {error}") from error
    if scenario.load.rate < 0:
        raise ConfigurationError(f"{where}: load.rate: expected a number from 0")
    known = [BEFORE, STARTED, ENDED, *PHASES]
    for number, step in enumerate(scenario.steps):
        here = f"{where}: steps[{number}]"
        if step.at not in known and not step.at.startswith(EVENT):
            raise ConfigurationError(f"{here}.at: {step.at!r}; expected {', '.join(known)}, or event NAME")
        if step.at == BEFORE and number and scenario.steps[number - 1].at != BEFORE:
            raise ConfigurationError(f"{here}.at: what is done before the deploy comes first")
        for actions, member in _MEMBERS:
            if (step.do in actions) != bool(getattr(step, member)):
                raise ConfigurationError(
                    f"{here}.{member}: goes with do = {' or '.join(actions)}, and only with it"
                )


def _decode(kind: type, value: Any) -> Any:
    if kind is Duration and isinstance(value, str):
        return Duration.parse(value)
    raise ValueError('expected a duration such as "15m"')


def _placed(text: str) -> str:
    """Return msgspec's message with the key first: `expect.serving: Invalid enum value 'both'`."""
    message, _, path = text.partition(" - at `$")
    return f"{path.rstrip('`').lstrip('.')}: {message}" if path.rstrip("`") else message
