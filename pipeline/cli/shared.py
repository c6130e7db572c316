"""What all commands have in common: the shared options, and errors turned into one line and an exit code."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from pipeline.cli import context
from pipeline.cli.context import FAILED, INTERRUPTED, NOTHING, USAGE, NotFound, complain
from pipeline.errors import ConfigError, RasdError

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data folder (else RASD_DATA, else data.dir)."),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings file (else RASD_CONFIG, else ./rasd.toml)."),
]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, show_default=False, help="Say more; -vv adds tracebacks.")
]
Quiet = Annotated[int, typer.Option("--quiet", "-q", count=True, show_default=False, help="Say less; -qq errors only.")]
SHARED: dict[str, Any] = {"data": Data, "config": ConfigFile, "verbose": Verbose, "quiet": Quiet}


def absorb(ctx: typer.Context, *, data: Path | None, config: Path | None, verbose: int, quiet: int) -> None:
    """Adds shared options to what was given before (`rasd -v tail` and `rasd tail -v` are the same)."""
    from pipeline.telemetry import setup

    shared = context.of(ctx)
    shared.data = data or shared.data
    shared.config = config or shared.config
    shared.verbosity += verbose - quiet
    setup(shared.verbosity)


def command(function: Callable[..., None], *, lasting: bool = False) -> Callable[..., None]:
    """The command with the shared options added to its signature and its errors made into exit codes.

    A parameter of the same name as a shared option stays the command's own. lasting: it runs until it is told to stop,
    and SIGTERM is how it is told.
    """
    signature = inspect.signature(function, eval_str=True)
    own = list(signature.parameters.values())
    takes_context = next((p.name for p in own if p.annotation is typer.Context), None)
    added = {name: hint for name, hint in SHARED.items() if name not in signature.parameters}

    @functools.wraps(function)
    def wrapper(**given: Any) -> None:
        ctx: typer.Context = given[takes_context] if takes_context else given.pop("_ctx")
        shared = {name: given.pop(name) for name in added}
        absorb(ctx, **({"data": None, "config": None, "verbose": 0, "quiet": 0} | shared))
        with _told_early() if lasting else contextlib.nullcontext():
            run(ctx, functools.partial(function, **given))

    parameters = [] if takes_context else [_parameter("_ctx", typer.Context)]
    parameters += [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    parameters += [
        _parameter(name, hint, default=0 if name in ("verbose", "quiet") else None) for name, hint in added.items()
    ]
    del wrapper.__wrapped__  # typer would read the signature behind it
    wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper


def _parameter(name: str, hint: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=default)


def open_missing_streams() -> None:
    """Standard streams that the caller has closed (`>&-`) lead nowhere, and their numbers go to no other file."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 open to the end


def run(ctx: typer.Context, body: Callable[[], None]) -> None:
    """Runs a command's body. Raises: typer.Exit with the code that stands for what went wrong."""
    try:
        body()
        sys.stdout.flush()
    except BrokenPipeError:
        _let_stdout_go()
        raise typer.Exit(0) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except NotFound as e:
        raise _told(ctx, str(e), NOTHING) from e
    except ConfigError as e:
        raise _told(ctx, str(e), USAGE) from e
    except OSError as e:
        raise _told(ctx, _words(e), FAILED) from e
    except (RasdError, sqlite3.Error) as e:
        raise _told(ctx, str(e), FAILED) from e
    except RecursionError as e:
        raise _told(ctx, "the input is nested too deep", FAILED) from e


@contextlib.contextmanager
def _told_early() -> Iterator[None]:
    """Until the command has handlers of its own there is nothing to finish: SIGTERM and Ctrl-C end it with 0."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(signum: int, frame: FrameType | None) -> None:
        os._exit(0)  # what is raised within an import may come out as another error

    before = {s: signal.signal(s, end) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)


def _words(e: OSError) -> str:
    """`file: what went wrong`, without Python's number of it."""
    name = os.fsdecode(e.filename) if isinstance(e.filename, str | bytes) else None
    return (f"{name}: " if name else "") + (e.strerror or str(e))


def _told(ctx: typer.Context, text: str, code: int) -> typer.Exit:
    """One line on stderr, with the traceback behind it at -vv."""
    from pipeline.telemetry import logger

    if context.of(ctx).verbosity >= 2:
        logger("cli").exception("%s", text)
    else:
        complain(text)
    return typer.Exit(code)


def _let_stdout_go() -> None:
    """The reader is gone (`| head`): what is still buffered goes nowhere, so that the exit stays quiet."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return
