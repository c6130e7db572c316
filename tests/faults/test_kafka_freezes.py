"""Workers frozen and thawed at random moments, one or both, while partitions go to and fro: all is done soon."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from tests.kafka.fixtures import config_on
from tests.pipeline.kafka.worker_site import Embedded, Site, embedded

__all__ = ["embedded"]
pytestmark = [pytest.mark.kafka, pytest.mark.faults]
DRAINED_SECONDS = 45.0  # after the last thaw; two cores under load


def test_frozen_at_random_moments_workers_get_on_each_time(
    kafka: str, prefix: str, tmp_path: Path, embedded: Embedded, long_faults: bool
) -> None:
    chance = random.Random(7)
    for turn in range(30 if long_faults else 1):
        data = tmp_path / str(turn) / "data"
        config = config_on(kafka, f"{prefix}{turn}.", data, kafka_partitions=chance.choice((2, 4)))
        freezes(Site(config), embedded, chance, 4)


def freezes(site: Site, embedded: Embedded, chance: random.Random, times: int) -> None:
    size = -(-len(embedded.articles) // times)
    other = site.config.data_dir.with_name("other")
    with site.worker(RASD_RUN_BATCH="2") as one, site.worker(RASD_RUN_BATCH="2", data=other) as two:
        for at in range(times):
            site.publish(embedded.articles[at * size : (at + 1) * size])
            time.sleep(chance.random() * chance.choice((0.2, 1, 3)))
            frozen = chance.choice(([one], [two], [one, two]))
            for process in frozen:
                process.send_signal(signal.SIGSTOP)
                time.sleep(chance.random() * 0.5)
            for process in frozen:
                time.sleep(chance.choice((chance.random(), 3 + chance.random() * 6)))
                process.send_signal(signal.SIGCONT)
        site.until("rasd.events", len(embedded.rows["rasd.events"]), DRAINED_SECONDS)
        for process in (one, two):
            process.send_signal(signal.SIGTERM)
        assert [p.wait(8) for p in (one, two)] == [0, 0]
    assert site.rows() == embedded.rows
