"""`rasd doctor` where the log is on Kafka: packages, brokers, topics, and how far behind everyone is."""

from __future__ import annotations

import importlib.metadata
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.cli.doctor import LAG, Finding
from pipeline.errors import RasdError

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.log.kafka.clients import Cluster

#: zstandard, lz4 and cramjam unpack what others have packed; without them a reader stops at the first such message.
PACKAGES = ("kafka-python", "faust-streaming", "aiokafka", "rocksdict", "cramjam", "lz4", "zstandard")


def findings(config: Config) -> Iterator[Finding]:
    """What follows from brokers that cannot be reached is not said as well."""
    missing = [name for name in PACKAGES if not _installed(name)]
    if missing:
        yield Finding("kafka packages", "fail", f"missing: {', '.join(missing)} (pip install 'rasd[kafka]')")
        return
    yield Finding("kafka packages", "ok", f"kafka-python {importlib.metadata.version('kafka-python')}")
    try:
        from pipeline.log.kafka.clients import cluster_of

        cluster = cluster_of(config)
        yield _brokers(config, cluster)
        yield from _topics(config)
        yield from _reading(cluster)
    except RasdError as e:
        yield Finding("kafka", "fail", str(e))


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _brokers(config: Config, cluster: Cluster) -> Finding:
    """Raises: Unreachable."""
    from pipeline.log.kafka.door import admin, named

    with admin(cluster) as client:
        count = len(client.describe_cluster()["brokers"])
    security = config.kafka.security.replace("_", " over ").replace("ssl", "TLS").replace("sasl", "login")
    found = f"{count} broker{'' if count == 1 else 's'} by {named(cluster)}, {security}"
    if (config.kafka.security, config.kafka.sasl_mechanism) == ("sasl_plaintext", "PLAIN"):
        return Finding("kafka", "warn", f"{found}: the password goes over the wire as it is")
    return Finding("kafka", "ok", found)


def _topics(config: Config) -> Iterator[Finding]:
    from pipeline.log.kafka.topics import check_topics

    faults = check_topics(config)
    said: dict[tuple[str, str], list[str]] = defaultdict(list)
    for fault in faults:
        said["fail" if fault.grave else "warn", fault.what].append(fault.topic)
    for (state, what), topics in said.items():
        yield Finding("kafka topics", state, f"{', '.join(topics)}: {what}")
    if not faults:
        yield Finding("kafka topics", "ok", f"all there, names begin with {config.kafka.prefix}")


def _reading(cluster: Cluster) -> Iterator[Finding]:
    from pipeline.log.kafka.groups import Groups
    from pipeline.topics import REJECTS

    lags: dict[tuple[str, str], int] = defaultdict(int)
    with Groups(cluster) as groups:
        for at in groups.standings():
            lags[at.consumer, at.topic] += at.lag
        rejects = groups.extents({REJECTS.name})
    said = ", ".join(f"{name} is {lag:,} behind on {topic}" for (name, topic), lag in lags.items() if lag)
    yield Finding("lag", "warn" if any(lag >= LAG for lag in lags.values()) else "ok", said or "none")
    yield Finding("rejects", "ok", f"{sum(end - first for first, end in rejects.values()):,}")
