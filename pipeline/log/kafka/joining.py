"""Polling as a member of a consumer group of kafka-python: it never stops without a word, and never runs hot."""

from __future__ import annotations

import time
from typing import Any

from pipeline.log.kafka.clients import unstick

BETWEEN_SECONDS = 0.1  # two polls while a heartbeat is overdue


def poll(consumer: Any, seconds: float, limit: int | None = None) -> Any:
    """`consumer.poll` of at most so many seconds and messages.

    kafka-python 3.0.12 does not wait in a poll while a heartbeat is overdue, as it is for as long as a broker does not
    answer: it goes round some 5,000 times a second instead. So we wait for it; but not while it joins, which needs time
    within a poll.
    """
    keep_joined(consumer)
    unstick(consumer)
    coordinator = consumer._coordinator
    joined = not (coordinator.rejoining or coordinator.need_rejoin())
    overdue = joined and coordinator.time_to_next_poll() <= 0
    found = consumer.poll(timeout_ms=0 if overdue else int(seconds * 1000), max_records=limit)
    if overdue and not found:
        time.sleep(min(seconds, BETWEEN_SECONDS))
    return found


def keep_joined(consumer: Any) -> None:
    """To be called before each `poll` of a KafkaConsumer that has subscribed.

    kafka-python 3.0.12: the group's leader joins again when partitions of a topic become known. If a poll ends while
    that join is under way, the client takes the new partitions for settled before it has taken its own share of them,
    and from then on neither reads nor sends heartbeats (`ConsumerCoordinator.need_rejoin` compares snapshots that
    `_perform_assignment` has already made equal, so `join_group_async` never collects the finished join). Asking to
    join once more lets it collect the join, or join anew.
    """
    coordinator = consumer._coordinator
    if coordinator.rejoining and not coordinator.need_rejoin():
        coordinator.request_rejoin()
