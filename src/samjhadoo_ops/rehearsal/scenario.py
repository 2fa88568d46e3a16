"""A scenario, read from a TOML file: what is released, what goes wrong, and how it has to end."""

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
"""The folder of a project's own scenarios."""

BEFORE, STARTED, ENDED = "before", "started", "ended"
PHASES = {phase.name.lower().replace("_", "-"): phase for phase in Phase if phase is not Phase.UNKNOWN}
EVENT = "event "
"""`event pushed`: once the deploy has reported that event."""

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
    """How the candidate differs from the running release.

    Attributes:
        environment: Variables that are added to the service's container in the task definition.
        dockerfile: Lines added to the Dockerfile.
        migrations: Flyway scripts by file name, added to the first migrations folder.
    """

    environment: dict[str, str] = {}
    dockerfile: tuple[str, ...] = ()
    migrations: dict[str, str] = {}


class Load(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The requests through the production listener meanwhile.

    Attributes:
        rate: Requests per real second; 0 for none.
        path: The path of the GET requests; a status below 500 is a success.
    """

    rate: float = 40.0
    path: str = "/"


class ScenarioStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An action while the candidate is deployed.

    Attributes:
        at: When: `before` (the deploy), `started`, `ended`, a phase of the deployment in ECS, or
            `event NAME`.
        after: Emulated time to wait after that.
        do: What: `kill` (SIGKILL), `interrupt` (SIGINT) or `terminate` (SIGTERM) the deploy; `resume` it in a
            new process; `invoke` another task; `fault` of the emulator; `alarm`: a CloudWatch alarm fires;
            `quiet-alarm`: it is created, or OK again; `freeze-database`, `thaw-database`.
        arguments: For `invoke`: the task and its options.
        exit_code: For `invoke`: the exit code that it has to have.
        fault: For `fault`: the document for the emulator; `{service}` and `{cluster}` are replaced.
        alarm: For `alarm` and `quiet-alarm`: the alarm's name.
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
        exit_code: The exit code of the deploy, or of its last resumption; None: any.
        serving: Which release has all traffic: the candidate (`new`) or the one before (`old`).
        outcome: A regular expression for the outcome in the deploy's result event.
        output: A regular expression that has to be found in the deploy's output.
        failed_percent: The highest percentage of requests that may fail.
        detect: The longest emulated time from the fault until the rollback is requested.
        restore: The longest emulated time from the fault until the old release has all traffic again.
        lock: The lock at the end: `free`, or `lease` if its owner was killed.
    """

    serving: Literal["new", "old"]
    exit_code: int | None = None
    outcome: str = ""
    output: str = ""
    failed_percent: float = 0.0
    detect: Duration | None = None
    restore: Duration | None = None
    lock: Literal["free", "lease"] = "free"


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scenario.

    Attributes:
        quick: Whether it is played when no scenario is named.
        settings: Settings of the environment meanwhile, by key path: `"deployment.bake_time" = "5m"`.
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
    """Return the scenarios by name; the project's own replace built-in ones. See `read_scenario`."""
    return dict([*_folder(_built_in()), *_folder(root / FOLDER)])


def scenario_names(root: Path) -> list[str]:
    """Return the names of the scenarios without reading them."""
    folders = [folder for folder in (_built_in(), root / FOLDER) if folder.is_dir()]
    files = {each.name.rpartition(".") for folder in folders for each in folder.iterdir()}
    return sorted(name for name, dot, suffix in files if dot and suffix == "toml")


def _built_in() -> Traversable:
    return resources.files("samjhadoo_ops.rehearsal") / "scenarios"


def read_scenario(text: str, *, name: str, where: str) -> Scenario:
    """Read a scenario.

    Args:
        text: Its TOML.
        where: The file, for error messages.

    Raises:
        ConfigurationError: It is not a scenario; the message names file and key.
    """
    try:
        document = tomllib.loads(text)
        scenario = msgspec.convert({**document, "name": name}, Scenario, dec_hook=_decode)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{where}: {_key_first(str(error))}") from error
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
    """Refuse what the types allow but makes no sense."""
    for key, pattern in (("outcome", scenario.expect.outcome), ("output", scenario.expect.output)):
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigurationError(f"{where}: expect.{key}: not a regular expression: {error}") from error
    if scenario.load.rate < 0:
        raise ConfigurationError(f"{where}: load.rate: expected 0 or more")
    known = [BEFORE, STARTED, ENDED, *PHASES]
    for number, step in enumerate(scenario.steps):
        here = f"{where}: steps[{number}]"
        if step.at not in known and not step.at.startswith(EVENT):
            raise ConfigurationError(f"{here}.at: {step.at!r}; expected {', '.join(known)}, or event NAME")
        if step.at == BEFORE and number and scenario.steps[number - 1].at != BEFORE:
            raise ConfigurationError(f"{here}.at: steps before the deploy have to come first")
        for actions, member in _MEMBERS:
            if (step.do in actions) != bool(getattr(step, member)):
                raise ConfigurationError(
                    f"{here}.{member}: required with do = {' or '.join(actions)}, and not allowed otherwise"
                )


def _decode(kind: type, value: Any) -> Any:
    if kind is Duration and isinstance(value, str):
        return Duration.parse(value)
    raise ValueError('expected a duration such as "15m"')


def _key_first(text: str) -> str:
    """Return msgspec's message with the key first: `expect.serving: Invalid enum value 'both'`."""
    message, _, path = text.partition(" - at `$")
    return f"{path.rstrip('`').lstrip('.')}: {message}" if path.rstrip("`") else message
