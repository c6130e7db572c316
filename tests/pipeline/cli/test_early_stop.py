"""SIGTERM and Ctrl-C before a command has handlers of its own: while it still imports what it needs."""

from __future__ import annotations

import inspect
import signal
import subprocess
import sys

import pytest

from pipeline.cli import COMMANDS, LASTING, _function

SLOW_TO_BEGIN = """
import sys, time
import typer
from pipeline.cli.shared import command

def body() -> None:
    print("importing", flush=True)
    time.sleep(60)

app = typer.Typer()
app.command()(command(body, lasting=sys.argv.pop() == "lasting"))
app()
"""


@pytest.mark.parametrize(
    ("kind", "asked", "code"),
    [
        ("lasting", signal.SIGTERM, 0),
        ("lasting", signal.SIGINT, 0),
        ("short", signal.SIGTERM, -signal.SIGTERM),
        ("short", signal.SIGINT, 130),
    ],
)
def test_one_that_runs_until_it_is_stopped_ends_well_even_then(kind: str, asked: signal.Signals, code: int) -> None:
    command = [sys.executable, "-c", SLOW_TO_BEGIN, kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "importing\n"
        process.send_signal(asked)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (code, "")


def test_they_are_those_whose_help_says_so() -> None:
    said = {name: " ".join((inspect.getdoc(_function(target)) or "").split()) for name, target in COMMANDS.items()}
    assert {name for name, text in said.items() if "until stopped" in text} == set(LASTING)
