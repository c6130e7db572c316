"""What a member of a consumer group of kafka-python needs before each poll, so that it never stops without a word."""

from __future__ import annotations

from typing import Any


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
