"""`rasd`: one command line, a file per command. Heavy imports stand inside the commands, so that help is instant."""

from __future__ import annotations

import importlib
import inspect
from typing import Annotated, Any

import typer

from pipeline.cli.shared import ConfigFile, Data, Quiet, Verbose, absorb, command, open_missing_streams

EXIT_CODES = """Exit codes: 0 all right; 1 failed; 2 wrong usage or settings; 3 nothing found; 130 interrupted."""

#: Commands in the order of help: name → where the function stands.
COMMANDS: dict[str, str] = {
    "demo": "pipeline.cli.demo:demo",
    "replay": "pipeline.cli.replay:replay",
    "run": "pipeline.cli.run:run",
    "fetch": "pipeline.cli.fetch:fetch",
    "poller": "pipeline.cli.poller:poller",
    "fetcher": "pipeline.cli.fetcher:fetcher",
    "worker": "pipeline.cli.worker:worker",
    "sink": "pipeline.cli.sink:sink",
    "tail": "pipeline.cli.tail:tail",
    "explain": "pipeline.cli.explain:explain",
    "extract": "pipeline.cli.extract:extract",
    "eval": "pipeline.cli.eval:evaluate",
    "topics": "pipeline.cli.topics:topics",
    "schema": "pipeline.cli.schema:schema",
    "doctor": "pipeline.cli.doctor:doctor",
    "health": "pipeline.cli.health:health",
    "newsroom": "pipeline.cli.newsroom:newsroom",
}
#: Those of them that run until they are told to stop, and end with 0 then.
LASTING = ("run", "poller", "fetcher", "worker", "sink", "newsroom")
#: Groups of commands: name → (what it is about, its commands). One that is a command as well has the command's help.
GROUPS: dict[str, tuple[str, dict[str, str]]] = {
    "feeds": (
        "The feeds that are polled: choose, try, see how they fare.",
        {
            "list": "pipeline.cli.feeds:list_feeds",
            "add": "pipeline.cli.feeds:add",
            "remove": "pipeline.cli.feeds:remove",
            "import": "pipeline.cli.feeds:import_opml",
            "export": "pipeline.cli.feeds:export_opml",
            "test": "pipeline.cli.feedpoll:try_feed",
            "doctor": "pipeline.cli.feeddoctor:doctor",
            "revive": "pipeline.cli.feeddoctor:revive",
        },
    ),
    "topics": ("", {"create": "pipeline.cli.topics:create"}),
    "rejects": (
        "Inputs that could not be used: count, look, try again.",
        {
            "list": "pipeline.cli.rejects:list_rejects",
            "show": "pipeline.cli.rejects:show",
            "redrive": "pipeline.cli.rejects:redrive",
        },
    ),
    "dedupe": (
        "What repeats what: verdicts, clusters, reused passages.",
        {"show": "pipeline.cli.dedupe:show", "stats": "pipeline.cli.dedupe:stats"},
    ),
    "sinks": ("The outputs.", {"reset": "pipeline.cli.sinks:reset"}),
    "offsets": (
        "How far the consumers of the log have read.",
        {"show": "pipeline.cli.offsets:show", "reset": "pipeline.cli.offsets:reset"},
    ),
    "log": ("Keep the log small.", {"trim": "pipeline.cli.log:trim"}),
    "gazetteer": (
        "More place names, from files you downloaded.",
        {
            "import": "pipeline.cli.gazetteer:import_files",
            "info": "pipeline.cli.gazetteer:info",
            "lookup": "pipeline.cli.gazetteer:lookup",
        },
    ),
    "config": (
        "The settings: check them, see where each comes from.",
        {"check": "pipeline.cli.config:check", "show": "pipeline.cli.config:show"},
    ),
}


def build() -> typer.Typer:
    """The whole application."""
    app = typer.Typer(
        name="rasd",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=EXIT_CODES,
    )
    app.callback()(root)
    for name, target in COMMANDS.items():
        if name not in GROUPS:
            _register(app, name, target)
    for group, (about, commands) in GROUPS.items():
        alone = COMMANDS.get(group)  # a group that is a command as well: `rasd topics`
        text = inspect.getdoc(_function(alone)) if alone else about
        sub = typer.Typer(name=group, help=text, no_args_is_help=alone is None, rich_markup_mode=None)
        if alone is not None:
            sub.callback(invoke_without_command=True)(command(_function(alone)))
        for name, target in commands.items():
            _register(sub, name, target)
        app.add_typer(sub)
    return app


def _register(app: typer.Typer, name: str, target: str) -> None:
    app.command(name)(command(_function(target), lasting=name in LASTING))


def _function(target: str) -> Any:
    module, function = target.split(":")
    return getattr(importlib.import_module(module), function)


def _version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        try:
            typer.echo(f"rasd {importlib.metadata.version('rasd')}")
        except importlib.metadata.PackageNotFoundError:
            typer.echo("rasd (not installed)")
        raise typer.Exit


def root(
    ctx: typer.Context,
    data: Data = None,
    config: ConfigFile = None,
    verbose: Verbose = 0,
    quiet: Quiet = 0,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Turn news into structured, explainable conflict events.

    \b
    First steps:
      rasd demo                    a small archive through the whole pipeline, no network
      rasd replay ARCHIVE...       read archived articles into the log and extract
      rasd newsroom                simulated outlets on this machine, to try `rasd run` on
      rasd feeds add --country SY  choose feeds of the catalogue; then `rasd run` polls them
      rasd tail events -f          watch events as they are written
      rasd explain EVENT_ID        see the words and rules behind an event
    """
    absorb(ctx, data=data, config=config, verbose=verbose, quiet=quiet)


def main() -> Any:
    """The console script."""
    open_missing_streams()
    return build()()
