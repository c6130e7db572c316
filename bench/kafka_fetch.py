"""How fast `rasd fetcher` reads entries off Kafka, fetches, cleans and publishes: pages of 4 kB of a site on loopback.

    python -m bench.kafka_fetch --servers 127.0.0.1:9092 --pages 4000

Rate by the clock from the first page to the last, and processor time a page: the broker and the site run on the same
machine, so that only the second figure says what a fetcher of its own would cost. Its topics are deleted afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from pipeline.log.kafka.topics import ensure_topics
from tests.faults.kafka_site import ALLOWED, Site, announce
from tests.kafka.fixtures import config_on, environment_on, forget


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.kafka_fetch", description=__doc__)
    parser.add_argument("--servers", required=True)
    parser.add_argument("--pages", type=int, default=4000)
    given = parser.parse_args()
    prefix = f"bench-{secrets.token_hex(3)}."
    try:
        with tempfile.TemporaryDirectory() as folder:
            measure(given.servers, prefix, given.pages, Path(folder))
    finally:
        forget(given.servers, prefix)


def measure(servers: str, prefix: str, pages: int, folder: Path) -> None:
    ensure_topics(config_on(servers, prefix, folder / "data"))
    environment = {**os.environ, **ALLOWED, **environment_on(servers, prefix), "RASD_WORKER_HEALTH": "127.0.0.1:0"}
    command = [sys.executable, "-m", "pipeline.cli", "-q", "--data", str(folder / "data"), "fetcher"]
    with Site(folder / "site", pages) as site:
        announce(servers, f"{prefix}entries", site.entries())
        fetcher = subprocess.Popen(command, env=environment)
        try:
            process, server = psutil.Process(fetcher.pid), psutil.Process(site.process.pid)
            while not site.answered:
                time.sleep(0.01)
            begin, before, serving = time.monotonic(), _seconds(process), _seconds(server)
            while site.answered < pages:
                time.sleep(0.02)
            took = time.monotonic() - begin
            own, children = _seconds(process) - before, sum(map(_seconds, process.children(recursive=True)))
            print(
                f"{pages / took:.0f} pages/s; processor ms a page: fetching and publishing {1000 * own / pages:.2f},"
                f" cleaning {1000 * children / pages:.2f}, the site {1000 * (_seconds(server) - serving) / pages:.2f};"
                f" {process.memory_info().rss / 1e6:.0f} MB; load of the machine {os.getloadavg()[0]:.1f}"
            )
        finally:
            fetcher.terminate()
            fetcher.wait(20)


def _seconds(process: psutil.Process) -> float:
    """Processor time so far."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return sum(process.cpu_times()[:2])
    return 0.0


if __name__ == "__main__":
    main()
