"""The topic that a stage's state is recovered from: compacted, as many partitions as the topic that the stage reads."""

from __future__ import annotations

from pipeline.config import Config
from pipeline.errors import RasdError, StorageError
from pipeline.flow import Stage
from pipeline.log.kafka.clients import HEADROOM, Cluster

TABLE = "state"
EXISTS = 36  # TOPIC_ALREADY_EXISTS, https://kafka.apache.org/protocol#protocol_error_codes


def changelog_of(cluster: Cluster, stage: Stage) -> str:
    """The changelog's name there; Faust derives the same."""
    return f"{cluster.group(stage.name)}-{TABLE}-changelog"


async def ensure_changelog(config: Config, cluster: Cluster, stage: Stage, partitions: int) -> None:
    """Makes the changelog unless it is there.

    Raises: StorageError if it has another number of partitions than what the stage reads: state would be looked for in
    the wrong one; RasdError if it cannot be made; KafkaError if brokers go away meanwhile.
    """
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic
    from aiokafka.errors import for_code

    from pipeline.runtimes.kafka.worker_sender import connection

    name = changelog_of(cluster, stage)
    admin = AIOKafkaAdminClient(**connection(cluster))
    await admin.start()
    try:
        settings = {
            "cleanup.policy": "compact",
            "max.message.bytes": str(cluster.max_bytes + HEADROOM),
            "min.insync.replicas": str(config.kafka.min_insync),
        }
        new = NewTopic(name, partitions, config.kafka.replication, topic_configs=settings)
        answer = await admin.create_topics([new])
        for topic, code, *said in answer.topic_errors:
            if code not in (0, EXISTS):
                if for_code(code).retriable:
                    raise for_code(code)(f"topic {topic} is not made yet")
                raise RasdError(f"cannot make topic {topic}: {said[0] if said else code}", reason="no-topic")
        [found] = await admin.describe_topics([name])
        there = len(found["partitions"])
    finally:
        await admin.close()
    if there:
        same_partitions(cluster, stage, there, partitions)


def same_partitions(cluster: Cluster, stage: Stage, changelog: int, source: int) -> None:
    """Raises: StorageError if the changelog has another number of partitions than what the stage reads."""
    if changelog != source:
        reads = cluster.topic(stage.reads.name)
        raise StorageError(
            f"{changelog_of(cluster, stage)} has {changelog} partitions, {reads} has {source}: partitions cannot be"
            " added to what keeps state; take another kafka.prefix and replay",
            reason="partitions",
        )
