"""The decorator of every task: common options, errors, signals and exit codes."""

from __future__ import annotations

import functools
import inspect
import os
import re
import signal
import sys
import threading
import traceback
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NoReturn

from invoke.exceptions import Exit
from invoke.tasks import Task

from samjhadoo_ops.console import Console
from samjhadoo_ops.errors import ExitCode, OpsError
from samjhadoo_ops.redaction import clean
from samjhadoo_ops.streams import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

COMMON: Mapping[str, tuple[Any, str]] = {
    "env": ("local", "Environment: the name of a file in environments/."),
    "json": (False, "Print one JSON object per line; the last one is the result."),
    "verbose": (False, "Show every check in full, also those that passed."),
    "debug": (False, "Show a traceback for errors."),
}


def ops_task(
    *,
    example: str,
    help: Mapping[str, str] | None = None,  # noqa: A002 - Invoke's name for it
    name: str | None = None,
    default: bool = False,
    optional: Iterable[str] = (),
) -> Callable[[Callable[..., Any]], Task[Any]]:
    """Turn a function `def task(c, *, option=…)` into a task with help for every option.

    An option whose default is `()` may be given several times. `--env`, `--json`, `--verbose` and `--debug`
    are added to every task; the function receives those that are among its parameters. The running task's
    console is `samjhadoo_ops.console.current_console()`; Invoke's dry run is `c.config.run.dry`.

    Args:
        example: A command line that people can copy; `--help` shows it, and the default of every option.
        help: A sentence for each of the function's own options.
        name: The task's name, if it differs from the function's.
        default: Whether it is the default task of its collection.
        optional: Options whose value may be omitted; they are True then.

    Raises:
        TypeError: The docstring, the example, an option's help or an option's default is missing.
    """

    def decorate(body: Callable[..., Any]) -> Task[Any]:
        signature = inspect.signature(body)
        texts = {**{key: text for key, (_, text) in COMMON.items()}, **(help or {})}
        _refuse_undocumented(body, signature, texts, example)
        repeated = [option.name for option in signature.parameters.values() if option.default == ()]

        @functools.wraps(body)
        def run_task(*arguments: Any, **options: Any) -> Any:
            common = {key: options.get(key, default) for key, (default, _) in COMMON.items()}
            own = {
                key: tuple(value) if key in repeated else value
                for key, value in options.items()
                if key in signature.parameters
            }
            console = Console.decide(as_json=common["json"], verbose=common["verbose"])
            task = name or body.__name__
            with (
                console.active(),
                views(console, task),
                outcome(console, debug=common["debug"], options=options),
                _terminable(),
            ):
                return body(*arguments, **own)

        run_task.__signature__ = taken = _with_common(signature)  # type: ignore[attr-defined]
        run_task.__doc__ = f"{inspect.getdoc(body)}\n\nExample:\n{example}"
        return Task(
            run_task,
            name=name,
            default=default,
            help={key: _with_default(text, taken.parameters[key].default) for key, text in texts.items()},
            optional=optional,
            iterable=repeated,
            auto_shortflags=False,
        )

    return decorate


@contextmanager
def outcome(
    console: Console, *, debug: bool = False, options: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Map every way a task can end to an exit code and, in JSON mode, to a final result.

    Args:
        options: The task's own; the commands of a hint get those that select the environment.

    Raises:
        Exit: Invoke's exception, with the exit code, for every error.
        SystemExit: 143, after SIGTERM.
    """
    try:
        yield
    except OpsError as error:
        error.hint = addressed(error.hint, options or {})
        _fail(console, error, debug=debug)
    except KeyboardInterrupt:
        _fail(console, Interrupted("interrupted"), debug=debug)
    except SystemExit as end:
        if end.code == ExitCode.TERMINATED:
            console.failure(Terminated("terminated"))
        raise
    except Exit:
        raise
    except BrokenPipeError:
        _silence()
        raise Exit(code=ExitCode.UNEXPECTED) from None
    except Exception as error:  # noqa: BLE001 - every error gets an exit code
        _fail(console, _explained(error), debug=debug)
    else:
        if console.mode == "json" and not console.finished:
            console.result("succeeded", ExitCode.SUCCEEDED)


def addressed(hint: str, options: Mapping[str, Any]) -> str:
    """Return a hint whose commands work on the environment, and the service, of the task that failed."""
    env, service = options.get("env") or "local", options.get("service")
    chosen = f"{'' if env == 'local' else f' --env {env}'}{f' --service {service}' if service else ''}"
    return _COMMAND.sub(lambda command: f"{command[0]}{chosen}", hint)


_COMMAND = re.compile(
    r"\binvoke (?:deploy|watch|rollback|status|history|plan|push|build|unlock|migrate(?:\.\w+)?)\b"
    r"(?![^;,]*--(?:env|service) )"
)


class Interrupted(OpsError):
    """The user interrupted."""

    exit_code = ExitCode.INTERRUPTED


class Terminated(OpsError):
    """The process received SIGTERM."""

    exit_code = ExitCode.TERMINATED


def views(console: Console, task: str) -> AbstractContextManager[None]:
    """Attach the views that the environment variables select; most runs need only plain lines."""
    wanted = {"SAMJHADOO_EVENTS", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"}
    if console.mode != "live" and not os.environ.keys() & wanted:
        return nullcontext()
    from samjhadoo_ops.report.views import attached_views

    return attached_views(console, task)


def _fail(console: Console, error: OpsError, *, debug: bool) -> NoReturn:
    if debug:
        console.close()
        write(console.err, clean(traceback.format_exc(), lines=True))
    console.failure(error)
    raise Exit(code=int(error.exit_code)) from None


def _explained(error: Exception) -> OpsError:
    """Return the explained error of an AWS client, or any other error as one line."""
    if "botocore" in sys.modules:  # without it, the error cannot be an AWS client's
        from samjhadoo_ops.aws_errors import translate

        translated = translate(error)
        if translated is not None:
            return translated
    if isinstance(error, OSError) and error.errno:
        from samjhadoo_ops import system_errors

        return system_errors.explain(error)
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return OpsError(text, hint="run it again with --debug to see the traceback")


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the task like an exception, so that everything is cleaned up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_signum: int, _frame: object) -> NoReturn:
        raise SystemExit(int(ExitCode.TERMINATED))

    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # Ignored signals stay ignored: `nohup` relies on it.
    before = {
        signum: signal.signal(signum, end) for signum in signals if signal.getsignal(signum) != signal.SIG_IGN
    }
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _silence() -> None:
    """Keep the interpreter from printing an error about the closed standard output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _with_common(signature: inspect.Signature) -> inspect.Signature:
    added = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default)
        for key, (default, _) in COMMON.items()
        if key not in signature.parameters
    ]
    # Invoke takes an option's type from its default; repeatable options need None.
    own = [
        option.replace(default=None) if option.default == () else option
        for option in signature.parameters.values()
    ]
    return signature.replace(parameters=[*own, *added])


def _with_default(text: str, default: Any) -> str:
    """Return an option's help with its default, if it has one and does not describe it."""
    if not default or isinstance(default, bool) or "default" in text.lower():
        return text
    return f"{text.removesuffix('.')} (default: {default})."


def _refuse_undocumented(
    body: Callable[..., Any], signature: inspect.Signature, texts: Mapping[str, str], example: str
) -> None:
    where = f"{body.__module__}.{body.__qualname__}"
    if "invoke " not in example:
        raise TypeError(f"{where}: the task needs an example")
    first = (body.__doc__ or "").strip().splitlines()[:1]
    if not first or not first[0].endswith("."):
        raise TypeError(f"{where}: the task needs a docstring that is a sentence")
    options = list(signature.parameters.values())[1:]
    for option in options:
        if not texts.get(option.name):
            raise TypeError(f"{where}: the option {option.name} has no help")
        natural = option.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        if option.default is inspect.Parameter.empty and not natural:
            raise TypeError(f"{where}: the option {option.name} has no default")
    unknown = set(texts) - {option.name for option in options} - set(COMMON)
    if unknown:
        raise TypeError(f"{where}: help for options that do not exist: {', '.join(sorted(unknown))}")
