"""Topics on the brokers: made as the settings say, and checked against them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.config import Config
from pipeline.errors import ConfigError, StorageError
from pipeline.flow import FLOW
from pipeline.log.kafka.clients import HEADROOM, Cluster, cluster_of
from pipeline.log.kafka.door import admin
from pipeline.topics import TOPICS

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

DAY_MS = 86_400_000
EXISTS, NO_SUCH = 36, 3  # https://kafka.apache.org/protocol#protocol_error_codes
GRAVE = ("max.message.bytes", "cleanup.policy", "min.insync.replicas")  # what records can be lost or stuck by


@dataclass(frozen=True, slots=True)
class Change:
    """topic: its name on the brokers. did: "made" or "altered"."""

    topic: str
    did: str
    detail: str


@dataclass(frozen=True, slots=True)
class Fault:
    """grave: the flow does not work right with it. lasting: `rasd topics create` does not mend it."""

    topic: str
    what: str
    grave: bool = True
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class _Wanted:
    partitions: int
    replication: int
    settings: Mapping[str, str]


def ensure_topics(config: Config, wait: float = 0.0) -> list[Change]:
    """Makes the topics that are missing, and alters settings of the others that differ. Two may do so at once.

    Partitions and copies of a topic that is there stay as they are: see `check_topics`. wait: seconds for brokers to
    answer. Raises: ConfigError; Unreachable; StorageError naming a topic that cannot be made.
    """
    if config.kafka.min_insync > config.kafka.replication:
        what = f"kafka.min_insync = {config.kafka.min_insync} can never be met with kafka.replication = "
        raise ConfigError(config.origin("kafka.min_insync"), None, f"{what}{config.kafka.replication}")
    cluster = cluster_of(config)
    with admin(cluster, wait) as client:
        there, wanted = _both(client, config, cluster)
        made = _make(client, {name: want for name, want in wanted.items() if name not in there})
        return made + _alter(client, {name: want for name, want in wanted.items() if name in there})


def check_topics(config: Config, wait: float = 0.0) -> list[Fault]:
    """What is wrong with the topics; empty if all is as the settings say. Raises: ConfigError; Unreachable."""
    cluster = cluster_of(config)
    with admin(cluster, wait) as client:
        there, wanted = _both(client, config, cluster)
        settings = _settings(client, there)
        return [fault for name in wanted for fault in _faults(name, wanted[name], there.get(name), settings)]


def _both(
    client: KafkaAdminClient, config: Config, cluster: Cluster
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, _Wanted]]:
    """The topics that are there, with their partitions as the brokers describe them, and those that should be."""
    from pipeline.runtimes.kafka.state_changelog import changelog_of

    kept = {changelog_of(cluster, stage): cluster.topic(stage.reads.name) for stage in FLOW if stage.view is not None}
    rows: list[dict[str, Any]] = client.describe_topics([*map(cluster.topic, TOPICS), *kept])
    there = {row["name"]: row["partitions"] for row in rows if row["error_code"] != NO_SUCH}
    common = {
        "compression.type": "producer",
        "max.message.bytes": str(cluster.max_bytes + HEADROOM),
        "message.timestamp.type": "CreateTime",
        "min.insync.replicas": str(config.kafka.min_insync),
    }
    age = int(config.kafka.retention_days * DAY_MS) or -1
    deleted = common | {"cleanup.policy": "delete", "retention.ms": str(age)}
    partitions, copies = config.kafka.partitions, config.kafka.replication
    wanted = {cluster.topic(name): _Wanted(partitions, copies, deleted) for name in TOPICS}
    for name, read in kept.items():  # state lies in the partition that its messages come from
        wanted[name] = _Wanted(len(there.get(read, ())) or partitions, copies, common | {"cleanup.policy": "compact"})
    return there, wanted


def _settings(client: KafkaAdminClient, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Settings in force, by topic."""
    from kafka.admin import ConfigResource

    asked = [ConfigResource("TOPIC", name) for name in names]
    if not asked:
        return {}
    found = client.describe_configs(asked, config_filter="all")["topic"]
    return {name: {key: row["value"] for key, row in rows.items()} for name, rows in found.items()}


def _make(client: KafkaAdminClient, missing: Mapping[str, _Wanted]) -> list[Change]:
    if not missing:
        return []
    new = {
        name: {
            "num_partitions": want.partitions,
            "replication_factor": want.replication,
            "configs": dict(want.settings),
        }
        for name, want in missing.items()
    }
    rows = client.create_topics(new, raise_errors=False)["topics"]
    failed = {
        row["name"]: row["error_message"] or f"error {row['error_code']}"
        for row in rows
        if row["error_code"] not in (0, EXISTS)
    }
    if failed:
        raise StorageError(f"topics could not be made: {_grouped(failed)}", reason="kafka-refused")
    client.wait_for_topics(list(new))
    return [Change(row["name"], "made", _words(missing[row["name"]])) for row in rows if row["error_code"] == 0]


def _alter(client: KafkaAdminClient, there: Mapping[str, _Wanted]) -> list[Change]:
    from kafka.admin import ConfigResource

    found = _settings(client, there)
    changes = {name: dict(_differing(want, found[name])) for name, want in there.items()}
    changes = {name: differing for name, differing in changes.items() if differing}
    if not changes:
        return []
    said = client.alter_configs([ConfigResource("TOPIC", name, differing) for name, differing in changes.items()])
    failed = {name: answer for name, answer in said["topic"].items() if answer != "OK"}
    if failed:
        raise StorageError(f"topics could not be altered: {_grouped(failed)}", reason="kafka-refused")
    return [
        Change(name, "altered", ", ".join(f"{k} {found[name].get(k)} → {v}" for k, v in differing.items()))
        for name, differing in changes.items()
    ]


def _grouped(said: Mapping[str, str]) -> str:
    """What the brokers say of each topic, the same words once."""
    return "; ".join(
        f"{', '.join(name for name in said if said[name] == words)}: {words}" for words in dict.fromkeys(said.values())
    )


def _differing(want: _Wanted, found: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((key, value) for key, value in want.settings.items() if found.get(key) != value)


def _faults(
    name: str, want: _Wanted, partitions: list[dict[str, Any]] | None, settings: Mapping[str, Mapping[str, str]]
) -> Iterator[Fault]:
    if partitions is None:
        yield Fault(name, "is not there: run `rasd topics create`")
        return
    if len(partitions) != want.partitions:
        said = f"has {len(partitions)} partitions and should have {want.partitions} (kafka.partitions)"
        why = (
            "they are never changed, since keys would move to others: set the number back, or take another kafka.prefix"
        )
        yield Fault(name, f"{said}; {why}", lasting=True)
    copies = min((len(p["replica_nodes"]) for p in partitions), default=0)
    if copies != want.replication:
        yield Fault(name, f"has {copies} copies, kafka.replication says {want.replication}", grave=False, lasting=True)
    if headless := [p["partition_index"] for p in partitions if p["leader_id"] < 0]:
        yield Fault(name, f"has no leader for partitions {headless}: are brokers down?", lasting=True)
    elif short := [p["partition_index"] for p in partitions if len(p["isr_nodes"]) < len(p["replica_nodes"])]:
        yield Fault(name, f"lacks copies in sync for partitions {short}", grave=False, lasting=True)
    for key, value in _differing(want, settings[name]):
        said = f"{key} is {settings[name].get(key)}, by the settings {value}: run `rasd topics create`"
        yield Fault(name, said, grave=key in GRAVE)


def _words(want: _Wanted) -> str:
    copies = "1 copy" if want.replication == 1 else f"{want.replication} copies"
    return f"{want.partitions} partition{'' if want.partitions == 1 else 's'}, {copies}"
