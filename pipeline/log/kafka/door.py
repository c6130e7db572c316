"""Coming in at the brokers, and saying why not.

kafka-python tells of every failure to connect as "unable to bootstrap"; why, stands in its log lines only. So we knock
ourselves first.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.errors import StorageError
from pipeline.log.kafka.clients import Cluster, need_library
from pipeline.log.kafka.knock import Refused, knock

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

TRY_SECONDS = 3.0
CONNECT_SECONDS = 10.0  # for a client to come in where knocking was answered
PAUSE_SECONDS = 0.5
SURE_SECONDS = 1.5  # between two knocks that must end the same before waiting is given up
REQUEST_SECONDS = 15.0  # for an answer to what is asked once we are in
ASK = "is a broker running there? see kafka.servers"


class Unreachable(StorageError):
    """No broker can be spoken to; the message says why. retryable: whether waiting may help."""

    reason = "unreachable"

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


@contextmanager
def admin(cluster: Cluster, seconds: float = TRY_SECONDS) -> Iterator[KafkaAdminClient]:
    """A client for topics, groups and settings.

    seconds: how long brokers that do not answer are waited for, at least one try. Raises: Unreachable, also for what
    fails on the way and may succeed later; StorageError if kafka-python is not installed or brokers refuse a request.
    """
    client = _enter(cluster, seconds)
    from kafka.errors import KafkaError

    try:
        yield client
    except KafkaError as e:
        said = f"{named(cluster)}: {type(e).__name__}: {e}"
        raise (Unreachable(said, retryable=True) if e.retriable else StorageError(said, reason="kafka-refused")) from e
    finally:
        client.close()


def _enter(cluster: Cluster, seconds: float) -> Any:
    need_library()
    from kafka.admin import KafkaAdminClient
    from kafka.errors import KafkaError

    end, before = time.monotonic() + seconds, ""
    while True:
        # First, since a client of kafka-python that cannot connect takes its time and leaves a thread behind.
        fault = _closed(cluster)
        if fault is None:
            try:
                return KafkaAdminClient(
                    **cluster.common(),
                    bootstrap_timeout_ms=int(CONNECT_SECONDS * 1000),
                    request_timeout_ms=int(REQUEST_SECONDS * 1000),
                )
            except KafkaError:
                fault = trouble(cluster)
            except (OSError, ValueError) as e:  # what the library refuses before it connects
                fault = Unreachable(f"{named(cluster)}: {e}", retryable=False)
        # Twice the same: a broker that ends connections because it is just going down is not one that refuses us.
        if str(fault) == before if not fault.retryable else time.monotonic() + PAUSE_SECONDS >= end:
            raise fault
        before = str(fault)
        time.sleep(PAUSE_SECONDS if fault.retryable else SURE_SECONDS)


def trouble(cluster: Cluster) -> Unreachable:
    """Why a client could not come in at the brokers just now, as far as knocking tells."""
    return _closed(cluster) or Unreachable(f"{named(cluster)}: no answer in time", retryable=True)


def _closed(cluster: Cluster) -> Unreachable | None:
    """None if a broker lets us in; else the fault of the first that refuses us, else of the first."""
    faults = []
    for server in cluster.servers:
        try:
            knock(server, cluster.security)
            return None
        except Refused as e:
            faults.append(Unreachable(f"{server}: {e}", retryable=False))
        except OSError as e:
            faults.append(Unreachable(f"{server}: {e.strerror or e or type(e).__name__} ({ASK})", retryable=True))
    return next((fault for fault in faults if not fault.retryable), faults[0])


def named(cluster: Cluster) -> str:
    return ", ".join(cluster.servers)
