"""Without the packages of the extras: every command that needs one says which to install, in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

ON_KAFKA = (
    "topics create",
    "topics",
    "replay --to kafka --example",
    "worker",
    "poller",
    "fetcher",
    "sink jsonl",
    "tail events",
    "tail events --group desk",
    "offsets show",
    "offsets reset extract --to begin --yes",
    "rejects list",
    "rejects show 1",
    "rejects redrive --all",
    "dedupe stats",
    "explain abc",
    "doctor",
)
#: In a process of its own: packages that this one has loaded would be there all the same.
BARE = """
import importlib.abc, json, sys
EXTRAS = ("kafka", "aiokafka", "faust", "mode", "rocksdict", "prometheus_client", "psycopg", "cramjam")
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import importlib.metadata as metadata
known = metadata.version
def version(name):
    if name.replace("-", "_") in ("kafka_python", *EXTRAS):
        raise metadata.PackageNotFoundError(name)
    return known(name)
metadata.version = version
from typer.testing import CliRunner
from pipeline.cli import build
runner = CliRunner()
out = []
for words in json.loads(sys.argv[1]):
    done = runner.invoke(build(), words.split())
    out.append([done.exit_code, done.output, repr(done.exception)])
print(json.dumps(out))
"""


def bare(folder: Path, *commands: str, **settings: str) -> list[tuple[int, str, str]]:
    """Exit code, output and exception of each command."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RASD_")}
    done = subprocess.run(
        [sys.executable, "-c", BARE, json.dumps(commands)],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    return [(code, out, raised) for code, out, raised in json.loads(done.stdout.splitlines()[-1])]


def test_every_command_on_kafka_says_what_to_install(tmp_path: Path) -> None:
    found = bare(tmp_path, *ON_KAFKA, RASD_KAFKA_SERVERS="127.0.0.1:1")
    for words, (code, out, raised) in zip(ON_KAFKA, found, strict=True):
        assert code == 1, (words, out, raised)
        assert "pip install 'rasd[kafka]'" in out, (words, out, raised)


def test_the_flow_without_a_broker_needs_none_of_them(tmp_path: Path) -> None:
    words = ("replay --example", "topics", "offsets show", "tail events -n 1", "rejects list", "dedupe stats", "doctor")
    for command, (code, out, raised) in zip(words, bare(tmp_path, *words), strict=True):
        assert code == 0, (command, out, raised)


def test_the_postgres_sink_says_what_to_install(tmp_path: Path) -> None:
    ((code, out, _),) = bare(tmp_path, "sinks reset postgres")
    assert (code, "pip install 'rasd[postgres]'" in out) == (1, True), out
