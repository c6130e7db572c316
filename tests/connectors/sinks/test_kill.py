"""Sinks under a real SIGKILL, with a real log."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.connectors.sinks import victim
from tests.connectors.sinks.test_contract import NAMES, kind_of, schema_of

ROOT = Path(__file__).parents[3]


def begin(kind: str, data: Path, env: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.connectors.sinks.victim", kind, str(data)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, **env})


def settings(kind: str, data: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment that names the tables which stand for a data folder."""
    if kind != "postgres":
        return {}
    return {"RASD_POSTGRES_DSN": request.getfixturevalue("database"), "RASD_POSTGRES_SCHEMA": schema_of(data)}


@pytest.mark.faults
@pytest.mark.parametrize("kind", NAMES)
def test_a_process_killed_again_and_again_leaves_what_an_undisturbed_one_leaves(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for folder in ("calm", "killed"):
        (tmp_path / folder).mkdir()
    victim.main(kind, tmp_path / "calm", settings(kind, tmp_path / "calm", request))
    environment = settings(kind, tmp_path / "killed", request)
    killed = 0
    for attempt in range(6):
        process = begin(kind, tmp_path / "killed", environment)
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.013 * (attempt + 1))
        process.kill()
        killed += "done" not in process.communicate()[0]
    process = begin(kind, tmp_path / "killed", environment)
    assert process.communicate(timeout=60)[0] == "begun\ndone\n"
    assert killed
    looked_at = kind_of(kind, request)
    assert looked_at.content(tmp_path / "killed") == looked_at.content(tmp_path / "calm")
