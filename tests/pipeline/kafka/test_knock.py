"""What knocking finds where no broker of Kafka stands: said, within seconds, whatever answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.log.kafka import knock as knocking
from pipeline.log.kafka.knock import Refused, knock

PLAIN = {"security_protocol": "PLAINTEXT"}


@contextmanager
def answering(reply: bytes | None) -> Iterator[str]:
    """A server that answers everything so, and ends the connection; None: it says nothing."""
    server = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                if reply is None:
                    ended.wait(10)
                else:
                    connection.recv(1000)
                    connection.sendall(reply)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.getsockname()[1]}"
    finally:
        ended.set()
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


@pytest.mark.parametrize(
    "reply",
    [b"", b"\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x7f\xff\xff\xff\x00\x00\x00\x12", b"\x00\x00\x00\x00" * 9],
    ids=["nothing", "a byte", "HTTP", "a huge size", "zeros"],
)
def test_what_is_no_broker_is_said_to_be_none(reply: bytes) -> None:
    with answering(reply) as server, pytest.raises(Refused, match="is no broker"):
        knock(server, PLAIN)


def test_who_says_nothing_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knocking, "ANSWER_SECONDS", 0.2)
    with answering(None) as server, pytest.raises(TimeoutError):
        knock(server, PLAIN)


def test_who_speaks_no_tls_is_said_to_fail_at_it() -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as server, pytest.raises(Refused, match="TLS fails"):
        knock(server, {"security_protocol": "SSL"})


def test_a_file_that_is_no_certificate_is_said(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(Refused, match="TLS: "):
        knock("127.0.0.1:1", {"security_protocol": "SASL_SSL", "ssl_cafile": str(tmp_path / "ca.pem")})


def test_nobody_there_is_an_error_of_the_system() -> None:
    with pytest.raises(ConnectionRefusedError):
        knock("127.0.0.1:1", PLAIN)
