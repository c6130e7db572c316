"""A member of a group waits in its polls, also while its broker does not answer."""

from __future__ import annotations

import time
from typing import Any

import pytest
from kafka import KafkaConsumer

from pipeline.log.kafka.clients import cluster_of
from pipeline.log.kafka.joining import poll
from tests.pipeline.kafka.kit import Environment, make_topics, settings
from tests.waiting import until


@pytest.mark.kafka
def test_polls_do_not_run_hot_while_a_heartbeat_is_overdue(
    kafka_environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_topics(kafka_environment, names=["rasd.events"])
    cluster = cluster_of(settings(kafka_environment))
    consumer = KafkaConsumer(**cluster.consumer(), group_id=cluster.group("one"))
    try:
        consumer.subscribe([cluster.topic("rasd.events")])
        until(lambda: poll(consumer, 0.1) == {} and bool(consumer.assignment()))
        monkeypatch.setattr(consumer._coordinator, "time_to_next_poll", lambda: 0.0)
        rounds, fetch = [0], consumer._fetcher.fetch_records

        def counted(*given: Any, **named: Any) -> Any:
            rounds[0] += 1
            return fetch(*given, **named)

        monkeypatch.setattr(consumer._fetcher, "fetch_records", counted)
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            poll(consumer, 0.25)
        assert rounds[0] <= 10
    finally:
        consumer.close(autocommit=False)
