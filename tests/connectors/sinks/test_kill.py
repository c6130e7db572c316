"""Sinks under a real SIGKILL, with a real log."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.connectors.sinks import victim
from tests.connectors.sinks.test_contract import KINDS

ROOT = Path(__file__).parents[3]


def begin(kind: str, data: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.connectors.sinks.victim", kind, str(data)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.faults
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_process_killed_again_and_again_leaves_what_an_undisturbed_one_leaves(kind: str, tmp_path: Path) -> None:
    for folder in ("calm", "killed"):
        (tmp_path / folder).mkdir()
    victim.main(kind, tmp_path / "calm")
    killed = 0
    for attempt in range(6):
        process = begin(kind, tmp_path / "killed")
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.013 * (attempt + 1))
        process.kill()
        killed += "done" not in process.communicate()[0]
    process = begin(kind, tmp_path / "killed")
    assert process.communicate(timeout=60)[0] == "begun\ndone\n"
    assert killed
    assert KINDS[kind].content(tmp_path / "killed") == KINDS[kind].content(tmp_path / "calm")
