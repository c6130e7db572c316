"""Coming in at the brokers, and saying why not.

kafka-python tells of every failure to connect as "unable to bootstrap"; why, stands in its log lines only. So when it
fails we knock ourselves: a connection, TLS if it is set, and one request that brokers answer before any login.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.errors import StorageError
from pipeline.log.kafka.clients import Cluster, need_library

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

TRY_SECONDS = 3.0  # for one try to come in
KNOCK_SECONDS = 2.0  # for one broker to answer
PAUSE_SECONDS = 0.5
REQUEST_SECONDS = 15.0  # for an answer to what is asked once we are in
# ApiVersions (key 18, version 0, correlation 1, no client id): https://kafka.apache.org/protocol#The_Messages_ApiVersions
_HELLO = struct.pack(">ihhih", 10, 18, 0, 1, -1)


class Unreachable(StorageError):
    """No broker can be spoken to; the message says why. retryable: whether waiting may help."""

    reason = "unreachable"

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


@contextmanager
def admin(cluster: Cluster, seconds: float = TRY_SECONDS) -> Iterator[KafkaAdminClient]:
    """A client for topics, groups and settings.

    seconds: how long brokers that do not answer are waited for, at least one try. Raises: Unreachable; StorageError if
    kafka-python is not installed or brokers refuse or drop a request.
    """
    from kafka.errors import KafkaError

    client = _enter(cluster, seconds)
    try:
        yield client
    except KafkaError as e:
        raise StorageError(f"{named(cluster)}: {type(e).__name__}: {e}", reason="kafka-refused") from e
    finally:
        client.close()


def _enter(cluster: Cluster, seconds: float) -> Any:
    need_library()
    from kafka.admin import KafkaAdminClient
    from kafka.errors import KafkaError

    end, before = time.monotonic() + seconds, ""
    while True:
        try:
            return KafkaAdminClient(
                **cluster.common(),
                bootstrap_timeout_ms=int(TRY_SECONDS * 1000),
                request_timeout_ms=int(REQUEST_SECONDS * 1000),
            )
        except KafkaError as e:
            fault = trouble(cluster) or Unreachable(f"{named(cluster)}: {e}", retryable=True)
        except (OSError, ValueError) as e:  # a file of a certificate that cannot be read; what the library refuses
            fault = Unreachable(f"{named(cluster)}: {e}", retryable=False)
        # Twice the same: a broker that came up between our try and our knock must not be taken for one that refuses us.
        if str(fault) == before if not fault.retryable else time.monotonic() + PAUSE_SECONDS >= end:
            raise fault
        before = str(fault)
        time.sleep(PAUSE_SECONDS)


def trouble(cluster: Cluster) -> Unreachable | None:
    """Why brokers that a client could not come in at are not to be spoken to; None if all looks well by now.

    The fault of the first broker that answers at all, else of the first.
    """
    faults = [_knock(cluster, server) for server in cluster.servers]
    answers = [fault for fault in faults if fault is None or not fault.retryable]
    if answers and answers[0] is None:
        return _login(cluster)
    return (answers or faults)[0]


def named(cluster: Cluster) -> str:
    return ", ".join(cluster.servers)


def _login(cluster: Cluster) -> Unreachable | None:
    """What is left when a broker answers and yet lets nobody in."""
    given = cluster.security
    if "sasl_mechanism" in given:
        who = f"{given['sasl_plain_username'] or 'nobody'!s} by {given['sasl_mechanism']}"
        return Unreachable(f"{named(cluster)}: the login of {who} is refused: user or password?", retryable=False)
    return Unreachable(f"{named(cluster)}: the brokers ask for a login: set kafka.security", retryable=False)


def _knock(cluster: Cluster, server: str) -> Unreachable | None:
    """None if the broker answers the one request."""
    host, _, port = server.rpartition(":")
    tls = "SSL" in cluster.security["security_protocol"].split("_")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS) as plain:
            if not tls:
                return _answer(server, plain, "asks for TLS, or is no broker: see kafka.security")
            with _context(cluster).wrap_socket(plain, server_hostname=host.strip("[]")) as wrapped:
                return _answer(server, wrapped, "is no broker")
    except ssl.SSLCertVerificationError as e:
        said = f"its certificate is not accepted ({e.verify_message}): see kafka.ca_file"
        return Unreachable(f"{server}: {said}", retryable=False)
    except ssl.SSLError as e:
        said = (e.reason or str(e)).lower().replace("_", " ")
        return Unreachable(f"{server}: TLS fails ({said}): see kafka.security, kafka.cert_file", retryable=False)
    except OSError as e:
        return Unreachable(f"{server}: {e.strerror or e or type(e).__name__}", retryable=True)


def _answer(server: str, connection: socket.socket, otherwise: str) -> Unreachable | None:
    connection.sendall(_HELLO)
    got = connection.recv(8)
    if not got or got[4:8] not in (b"", _HELLO[8:12]):
        return Unreachable(f"{server}: {otherwise}", retryable=False)
    return None


def _context(cluster: Cluster) -> ssl.SSLContext:
    """As kafka-python makes it."""
    given = cluster.security
    context = ssl.create_default_context(cafile=given.get("ssl_cafile"))
    if "ssl_certfile" in given:
        context.load_cert_chain(given["ssl_certfile"], given.get("ssl_keyfile"))
    return context
