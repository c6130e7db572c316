"""A run that is killed leaves no process behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.leftovers import NAME, PROC

RUN = """
import subprocess, sys, time
from tests.leftovers import end_with_this_process
end_with_this_process()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(120)
"""


@pytest.mark.skipif(not PROC.is_dir(), reason="needs /proc")
def test_what_a_killed_run_had_started_is_ended() -> None:
    environment = {k: v for k, v in os.environ.items() if k != NAME}
    with subprocess.Popen([sys.executable, "-c", RUN], cwd=ROOT, env=environment, stdout=-1, text=True) as run:
        assert run.stdout
        child = int(run.stdout.readline())
        run.kill()
    end = time.monotonic() + 20
    while Path(f"/proc/{child}/stat").exists():
        assert time.monotonic() < end, "ended"
        time.sleep(0.1)
