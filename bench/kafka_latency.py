"""How long an article takes from the producer to its event on the screen, under a steady load.

    python -m bench.kafka_latency [--rate 20] [--seconds 60] [--partitions 1] [--servers HOST:PORT] [--json]

A broker (started for it, unless one is named), `rasd worker` and `rasd tail events -f --headers` are processes of their
own; articles are sent at an even pace and matched by id. Measured is the last line of each article that gives events or
running totals: from the moment before the article is sent to the moment its line is read from the pipe; and on the way,
when the event was written to its topic. A first load, not counted, warms processes up.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import orjson

from bench.kafka import Run
from connectors.sources.rows import Options, read_row
from pipeline.config import load
from pipeline.log.kafka.clients import cluster_of
from pipeline.log.kafka.producer import Producer
from pipeline.records import Article
from pipeline.runtimes.turns import encoded
from tests.generate import rows
from tests.kafka.cluster import Cluster
from tests.kafka.jars import jars

WARM = 200  # articles sent before the clock starts
SETTLE_SECONDS = 60.0  # at most, for what is still on its way at the end
QUIET_SECONDS = 3.0  # without a line, after which nothing more is expected


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.kafka_latency", description=__doc__)
    parser.add_argument("--rate", type=float, default=20.0, help="articles a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--servers", help="a broker that runs already")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = given.servers or stack.enter_context(Cluster(jars(), folder=folder / "broker")).servers
        figures = measure(servers, folder, given.rate, given.seconds, given.partitions)
    if given.json:
        print(json.dumps(figures, indent=1))
        return
    said = f"{figures['rate']:.1f} articles/s, {figures['sent']} counted, {figures['matched']} gave events"
    print(f"{said}; load of the machine {figures['load']:.1f}")
    print(f"{'':<34}{'p50':>9}{'p95':>9}{'p99':>9}{'most':>9}")
    for name in ("article sent to line read", "article sent to event on topic", "event on topic to line read"):
        print(f"{name:<34}" + "".join(f"{figures[name][q]:>7.3f} s" for q in ("p50", "p95", "p99", "most")))


def measure(servers: str, folder: Path, rate: float, seconds: float, partitions: int) -> dict[str, object]:
    run = Run(servers, partitions, 1, "jsonl", folder / "data")
    run.rasd("admin", "topics", "create")
    warm, counted = WARM, int(rate * seconds)
    articles = list(made(warm + counted))
    environment = run.environment("edge")
    with run.service("worker", "worker"), tail(environment) as lines:
        with Producer(cluster_of(load(environ=environment))) as producer:
            send(producer, articles[:warm], rate)
            lines.settle()
            sent = send(producer, articles[warm:], rate)
        lines.settle()
    begun, ended = min(sent.values()), max(sent.values())
    found = {id: (came, written) for id, (came, written) in lines.last.items() if id in sent}
    return {
        "sent": len(sent),
        "rate": (counted - 1) / (ended - begun),
        "matched": len(found),
        "load": os.getloadavg()[0],
        "article sent to line read": quantiles([came - sent[id] for id, (came, _) in found.items()]),
        "article sent to event on topic": quantiles([written - sent[id] for id, (_, written) in found.items()]),
        "event on topic to line read": quantiles([came - written for came, written in found.values()]),
    }


def made(n: int) -> Iterator[Article]:
    for at, row in enumerate(rows(n)):
        article = read_row(orjson.dumps(row), Options(), "latency.jsonl", at + 1, 0)
        assert isinstance(article, Article), article
        yield article


def send(producer: Producer, articles: list[Article], rate: float) -> dict[str, float]:
    """Sends at an even pace; when each article was first sent. A repeated one counts from its last sending only if its
    text is new, so those that share an id with another are left out."""
    sent: dict[str, float] = {}
    repeated = set()
    begin = time.monotonic()
    for n, article in enumerate(articles):
        time.sleep(max(0.0, begin + n / rate - time.monotonic()))
        if article.id in sent:
            repeated.add(article.id)
        sent[article.id] = time.time()
        producer.send_records([encoded(article, 8_000_000)])
    producer.flush(30)
    return {id: at for id, at in sent.items() if id not in repeated}


class Lines:
    """Lines of a tail as they come: by article, when its last event or total came, and when that was written."""

    def __init__(self) -> None:
        self.last: dict[str, tuple[float, float]] = {}
        self.heard = time.monotonic()

    def read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        for line in process.stdout:
            came = self.take(line)
            self.heard = came

    def take(self, line: bytes) -> float:
        came = time.time()
        envelope = orjson.loads(line)
        record = envelope["value"]
        if record["kind"] in ("event", "toll"):
            self.last[record["article_id"]] = (came, envelope["written"] / 1000)
        return time.monotonic()

    def settle(self) -> None:
        end = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < end and (not self.last or time.monotonic() - self.heard < QUIET_SECONDS):
            time.sleep(0.1)


@contextlib.contextmanager
def tail(environment: dict[str, str]) -> Iterator[Lines]:
    words = [sys.executable, "-m", "pipeline.cli", "tail", "events", "-f", "--from", "begin", "--headers"]
    lines = Lines()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env=environment)
    reader = threading.Thread(target=lines.read, args=(process,), daemon=True)
    reader.start()
    try:
        yield lines
    finally:
        process.terminate()
        process.wait(20)
        reader.join(5)


def quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    at = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "most": 1.0}
    return {name: round(ordered[min(len(ordered) - 1, int(len(ordered) * q))], 4) for name, q in at.items()}


if __name__ == "__main__":
    main()
