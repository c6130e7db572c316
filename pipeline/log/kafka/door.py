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
SURE_SECONDS = 1.5  # between two knocks that must end the same before waiting is given up
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
                    bootstrap_timeout_ms=int(TRY_SECONDS * 1000),
                    request_timeout_ms=int(REQUEST_SECONDS * 1000),
                )
            except KafkaError:
                fault = trouble(cluster)
            except (OSError, ValueError) as e:  # what the library refuses before it connects
                fault = Unreachable(f"{named(cluster)}: {e}", retryable=False)
        # Twice the same: a broker that came up between our try and our knock must not be taken for one that refuses us.
        if str(fault) == before if not fault.retryable else time.monotonic() + PAUSE_SECONDS >= end:
            raise fault
        before = str(fault)
        time.sleep(PAUSE_SECONDS if fault.retryable else SURE_SECONDS)


def trouble(cluster: Cluster) -> Unreachable:
    """Why brokers that a client could not come in at just now are not to be spoken to, as far as knocking tells."""
    return _closed(cluster) or _login(cluster)


def _closed(cluster: Cluster) -> Unreachable | None:
    """None if a broker answers; else the fault of the first that lets us know one, else of the first."""
    try:
        context = _context(cluster)
    except (OSError, ssl.SSLError) as e:
        return Unreachable(f"TLS: {e}", retryable=False)
    faults = []
    for server in cluster.servers:
        fault = _knock(server, context)
        if fault is None:
            return None
        faults.append(fault)
    return next((fault for fault in faults if not fault.retryable), faults[0])


def named(cluster: Cluster) -> str:
    return ", ".join(cluster.servers)


def _login(cluster: Cluster) -> Unreachable:
    """What is left when a broker answers and yet lets nobody in."""
    given = cluster.security
    if "sasl_mechanism" in given:
        who = f"{given['sasl_plain_username'] or 'nobody'!s} by {given['sasl_mechanism']}"
        return Unreachable(f"{named(cluster)}: the login of {who} is refused: user or password?", retryable=False)
    return Unreachable(f"{named(cluster)}: the brokers ask for a login: set kafka.security", retryable=False)


def _knock(server: str, context: ssl.SSLContext | None) -> Unreachable | None:
    """None if the broker answers the one request. context: for TLS."""
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    try:
        with socket.create_connection((host, int(port)), KNOCK_SECONDS) as plain:
            if context is None:
                return _answer(server, plain, "asks for TLS, or is no broker: see kafka.security")
            with context.wrap_socket(plain, server_hostname=host) as wrapped:
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


def _context(cluster: Cluster) -> ssl.SSLContext | None:
    """As kafka-python makes it; None without TLS. Raises: OSError that names the file, SSLError."""
    given = cluster.security
    if "SSL" not in given["security_protocol"].split("_"):
        return None
    for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        if name in given:
            open(given[name], "rb").close()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if "ssl_cafile" in given:
        context.load_verify_locations(given["ssl_cafile"])
    else:
        context.load_default_certs()
    if "ssl_certfile" in given:
        context.load_cert_chain(given["ssl_certfile"], given.get("ssl_keyfile"))
    return context
