"""From the settings to a client's arguments, in kafka-python's words. Addresses and secrets are read here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.config import Config, secret
from pipeline.errors import ConfigError, StorageError
from pipeline.telemetry import hush
from pipeline.topics import PREFIX

HEADROOM = 500_000  # bytes of a message beyond our own limit: headers, key, framing


@dataclass(frozen=True, slots=True)
class Cluster:
    """A broker cluster as the settings name it.

    prefix: what the names of topics and groups begin with, there. max_bytes: of a record's value.
    """

    servers: tuple[str, ...]
    prefix: str
    max_bytes: int
    compression: str | None
    session_seconds: float
    security: Mapping[str, Any] = field(repr=False)

    def topic(self, name: str) -> str:
        """A topic's name on the brokers, from ours (`rasd.events`)."""
        return self.prefix + name.removeprefix(PREFIX)

    def ours(self, topic: str) -> str:
        """Our name of a topic of the brokers."""
        return PREFIX + topic.removeprefix(self.prefix)

    def group(self, consumer: str) -> str:
        """A consumer group's name on the brokers, from ours (`dedupe`, `sink-jsonl`)."""
        return self.prefix + consumer

    def common(self) -> dict[str, Any]:
        """Arguments that producers, consumers and admin clients of kafka-python share."""
        return {
            "bootstrap_servers": list(self.servers),
            "client_id": "rasd",
            "reconnect_backoff_max_ms": 1000,  # a broker that restarts is back in seconds, not in half a minute
            **self.security,
        }

    def producer(self) -> dict[str, Any]:
        """Idempotent, acknowledged by all copies in sync; messages up to the limit."""
        from pipeline.log.kafka.snappy import use_cramjam

        use_cramjam()
        return {
            **self.common(),
            "acks": "all",
            "enable_idempotence": True,
            "compression_type": self.compression,
            "max_request_size": self.max_bytes + HEADROOM,
            "allow_auto_create_topics": False,
        }

    def consumer(self) -> dict[str, Any]:
        """Offsets are committed by hand, after the work; from the beginning where there is none. Messages of a
        transaction are read once it is committed."""
        from pipeline.log.kafka.any_header import read_any_header
        from pipeline.log.kafka.snappy import use_cramjam

        read_any_header()
        use_cramjam()
        return {
            **self.common(),
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "isolation_level": "read_committed",
            "session_timeout_ms": int(self.session_seconds * 1000),
            "heartbeat_interval_ms": int(self.session_seconds * 1000 / 4),
            "max_partition_fetch_bytes": self.max_bytes + HEADROOM,
            "allow_auto_create_topics": False,
        }


def cluster_of(config: Config) -> Cluster:
    """The cluster that the settings name. Raises: ConfigError if they name none, or a secret's file cannot be read."""
    kafka = config.kafka
    servers = tuple(s.strip() for s in kafka.servers.split(",") if s.strip())
    if not servers:
        raise ConfigError("kafka.servers", None, "no broker is named: set RASD_KAFKA_SERVERS, such as 127.0.0.1:9092")
    return Cluster(
        servers=servers,
        prefix=kafka.prefix,
        max_bytes=config.log.max_record_bytes,
        compression=None if kafka.compression == "none" else kafka.compression,
        session_seconds=kafka.session_seconds,
        security=_security(config),
    )


def need_library() -> None:
    """Before anything of kafka-python is used. Raises: StorageError where it is not installed."""
    try:
        import kafka  # noqa: F401
    except ImportError as e:
        raise StorageError("Kafka needs kafka-python: pip install 'rasd[kafka]'", reason="not-installed") from e
    hush()


def unstick(consumer: Any) -> None:
    """To be called before `poll` of a KafkaConsumer some of whose partitions are paused while others are read.

    3.0.12 puts the rest of a fetch aside when its partition is paused, and takes it up again only once it holds no
    other; but it takes one that is used up for one that it holds, and the resumed partition then stands still for ever.
    """
    fetcher = consumer._fetcher
    if not fetcher._next_partition_records:
        fetcher._next_partition_records = None


def _security(config: Config) -> dict[str, Any]:
    kafka = config.kafka
    found: dict[str, Any] = {"security_protocol": kafka.security.upper()}
    if "ssl" in kafka.security.split("_"):
        files = {"ssl_cafile": kafka.ca_file, "ssl_certfile": kafka.cert_file, "ssl_keyfile": kafka.key_file}
        found |= {name: path for name, path in files.items() if path}
    if "sasl" in kafka.security.split("_"):
        found |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": secret(config, "kafka.password", "kafka.password_file"),
        }
    return found
