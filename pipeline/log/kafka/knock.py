"""One visit to a broker by hand, to learn why it lets nobody in: a connection, TLS, the login, one request.

The messages are Kafka's, in versions that all brokers since 2.1 understand: https://kafka.apache.org/protocol
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Mapping
from typing import Any

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 10.0  # a broker under load takes its time
MAX_ANSWER = 4_000_000
API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE, METADATA = (18, 0), (17, 1), (36, 0), (3, 7)
UNSUPPORTED_MECHANISM, ILLEGAL_STATE = 33, 34


class Refused(Exception):
    """The broker answers and does not let us in; the message says why."""


def knock(server: str, security: Mapping[str, Any]) -> None:
    """Returns if the broker answers a request of ours. server: host:port. security: as `Cluster.security`.

    Raises: Refused; OSError where there is nobody, or no answer in time.
    """
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    context = tls(security)
    try:
        with socket.create_connection((host, int(port)), CONNECT_SECONDS) as plain:
            plain.settimeout(ANSWER_SECONDS)
            if context is None:
                return _speak(plain, host, security, "asks for TLS, or is no broker: see kafka.security")
            with context.wrap_socket(plain, server_hostname=host) as wrapped:
                return _speak(wrapped, host, security, "is no broker")
    except ssl.SSLCertVerificationError as e:
        raise Refused(f"its certificate is not accepted ({e.verify_message}): see kafka.ca_file") from e
    except ssl.SSLError as e:
        said = (e.reason or str(e)).lower().replace("_", " ")
        raise Refused(f"TLS fails ({said}): see kafka.security, kafka.cert_file") from e


def tls(security: Mapping[str, Any]) -> ssl.SSLContext | None:
    """As kafka-python makes it; None without TLS. Raises: Refused naming a file that cannot be used."""
    if "SSL" not in security["security_protocol"].split("_"):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca, cert, key = (security.get(f"ssl_{name}") for name in ("cafile", "certfile", "keyfile"))
    try:
        for path in (ca, cert, key):
            if path:
                open(path, "rb").close()  # ssl's own errors do not say which file
        if ca:
            context.load_verify_locations(ca)
        else:
            context.load_default_certs()
        if cert:
            context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as e:
        raise Refused(f"TLS: {e}") from e
    return context


def _speak(connection: socket.socket, host: str, security: Mapping[str, Any], otherwise: str) -> None:
    """otherwise: what it means if the very first answer is none of a broker's."""
    try:
        _ask(connection, API_VERSIONS, b"")
    except _Ended as e:
        raise Refused(otherwise) from e
    if "sasl_mechanism" in security:
        _login(connection, host, security)
    try:
        _ask(connection, METADATA, struct.pack(">ib", 0, 0))  # of no topic, and make none
    except _Ended as e:
        raise Refused("asks for a login: set kafka.security") from e


def _login(connection: socket.socket, host: str, security: Mapping[str, Any]) -> None:
    from kafka.net.sasl import get_sasl_mechanism

    name, user = security["sasl_mechanism"], security["sasl_plain_username"]
    refused = f"the login of {user or 'nobody'} by {name} is refused"
    try:
        (code,) = struct.unpack_from(">h", _ask(connection, SASL_HANDSHAKE, _string(name)))
        if code == UNSUPPORTED_MECHANISM:
            raise Refused(f"it does not know logins by {name}: see kafka.sasl_mechanism")
        if code == ILLEGAL_STATE:
            raise Refused("it asks for no login: see kafka.security")
        mechanism = get_sasl_mechanism(name)(host=host, **security)
        while not mechanism.is_done():
            token = mechanism.auth_bytes()
            answer = _ask(connection, SASL_AUTHENTICATE, struct.pack(">i", len(token)) + token)
            code, length = struct.unpack_from(">hh", answer)
            if code:
                raise Refused(f"{refused}: user or password?")
            (size,) = struct.unpack_from(">i", answer, 4 + max(length, 0))
            mechanism.receive(answer[8 + max(length, 0) :][:size])
    except (_Ended, struct.error, ValueError, KeyError) as e:  # the last ones: the library's, of an answer unlike SCRAM
        raise Refused(f"{refused}: user or password?") from e


class _Ended(Exception):
    """The connection was ended instead of an answer, or what came is none."""


def _ask(connection: socket.socket, what: tuple[int, int], body: bytes) -> bytes:
    """The body of the answer."""
    key, version = what
    request = struct.pack(">hhih", key, version, key, -1) + body  # the key serves as the correlation id; no client id
    try:
        connection.sendall(struct.pack(">i", len(request)) + request)
        size, correlation = struct.unpack(">ii", _exactly(connection, 8))
    except ConnectionError as e:
        raise _Ended from e
    if correlation != key or not 4 <= size <= MAX_ANSWER:
        raise _Ended
    return _exactly(connection, size - 4)


def _exactly(connection: socket.socket, count: int) -> bytes:
    out, end = b"", time.monotonic() + ANSWER_SECONDS
    while len(out) < count:
        connection.settimeout(max(0.01, end - time.monotonic()))  # also for who sends a byte now and then
        got = connection.recv(min(count - len(out), 65_536))
        if not got:
            raise _Ended
        out += got
    return out


def _string(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()
