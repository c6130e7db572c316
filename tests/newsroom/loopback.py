"""The server as a process of its own, and the way to it: every name of the newsroom leads to the loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from connectors.newsroom.cast import Plan
from connectors.newsroom.clock import SimulatedClock
from connectors.newsroom.server import Access, State, read_log, write_plan
from tests.conftest import ROOT

PORT = 38_417  # if it is free, a run meets the same addresses, and so the same jitter, every time


class Loopback(AbstractResolver):
    """Leads every `.test` host to 127.0.0.1; knows no other host."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if not host.endswith(".test"):
            raise OSError(f"{host} is unknown here")
        flags = socket.AI_NUMERICHOST
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=flags)]

    async def close(self) -> None:
        pass


def with_port(plan: Plan) -> Plan:
    """The plan at a port that is free now."""
    for port in (PORT, 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return replace(plan, port=tried.getsockname()[1])
    raise OSError("no free port")


class Served:
    """A running server of a plan; `plan` names its port. Files in `folder`: plan.json, clock, state, access.jsonl."""

    def __init__(self, plan: Plan, folder: Path, *, latency: float = 0.0) -> None:
        self.folder = folder
        self.plan = plan = with_port(plan)
        folder.mkdir(parents=True, exist_ok=True)
        write_plan(plan, folder / "plan.json")
        self.clock_file, self.log_file = folder / "clock", folder / "access.jsonl"
        if not self.clock_file.exists():
            SimulatedClock(self.clock_file, plan.start)
        self.state = State(folder / "state", make=True)
        command = [sys.executable, "-m", "connectors.newsroom.server"]
        files = {"plan": folder / "plan.json", "clock": self.clock_file, "log": self.log_file}
        for name, file in {**files, "state": folder / "state"}.items():
            command += [f"--{name}", str(file)]
        command += ["--latency", str(latency)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, env=dict(os.environ))
        end = time.monotonic() + 30
        while not self.port:
            assert self.process.poll() is None, "the newsroom did not start"
            assert time.monotonic() < end, "the newsroom did not start in time"
            time.sleep(0.01)

    @property
    def port(self) -> int:
        return self.state.read()[0]

    @property
    def in_flight(self) -> int:
        return self.state.read()[1]

    def accesses(self) -> list[Access]:
        """Ends the server; then what it saw."""
        self.close()
        return read_log(self.log_file)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=10)
        if self.process.stdin:
            self.process.stdin.close()

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
