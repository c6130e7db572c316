"""Telling a topic that was made anew from the one that had its name.

Offsets of the old one mean nothing there. Brokers say so only where the position lies beyond the new topic's end; else
what stands before it would be passed over without a word, as kafka-python (3.0.12) fetches by names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Identities:
    """Of the topics that a KafkaConsumer reads. known: ids by the brokers' names of topics, as far as known."""

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._known = dict(known or {})

    def made_anew(self, consumer: Any) -> set[str]:
        """Topics (by the brokers' names) that are not those of the call before, as far as the client has heard: it asks
        after any error, and each `metadata_max_age_ms`."""
        found = set()
        for topic in {at.topic for at in consumer.assignment()}:
            id = consumer._cluster.topic_id(topic)
            if id and id.int and self._known.setdefault(topic, str(id)) != str(id):
                self._known[topic] = str(id)
                found.add(topic)
        return found


def read_anew(consumer: Any, topics: set[str]) -> None:
    """Goes back to the beginning of these topics."""
    consumer.seek_to_beginning(*(at for at in consumer.assignment() if at.topic in topics))
