"""The proxy of network faults itself, on a server that says everything again."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.cluster import Cluster
from tests.kafka.proxy import Proxy


class Echo:
    """Answers with what it was told; `heard` is all of it."""

    def __init__(self) -> None:
        self.heard = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        try:
            while piece := client.recv(65_536):
                self.heard += piece
                client.sendall(piece)
        except OSError:
            pass
        finally:
            client.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", echo.port) as made:
        yield made


def client(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), 5)


def is_silent(one: socket.socket, seconds: float = 0.3) -> bool:
    """Whether nothing comes for so long."""
    one.settimeout(seconds)
    try:
        one.recv(9)
    except TimeoutError:
        return True
    finally:
        one.settimeout(5)
    return False


def test_what_is_held_arrives_when_it_goes_on(proxy: Proxy) -> None:
    with client(proxy) as one:
        one.sendall(b"a")
        assert one.recv(9) == b"a"
        proxy.hold()
        one.sendall(b"b")
        assert is_silent(one)
        with client(proxy) as taken:
            assert taken.fileno() > 0
        proxy.go()
        assert one.recv(9) == b"b"


def test_a_cut_resets_what_there_is_and_what_comes(proxy: Proxy) -> None:
    with client(proxy) as one:
        one.sendall(b"a")
        assert one.recv(9) == b"a"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            one.recv(9)
    with pytest.raises(ConnectionError), client(proxy) as other:  # noqa: PT012
        if other.recv(9) == b"":
            raise ConnectionError
    proxy.go()
    with client(proxy) as again:
        again.sendall(b"c")
        assert again.recv(9) == b"c"
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            again.recv(9)


def test_requests_arrive_whose_answers_are_lost(proxy: Proxy, echo: Echo) -> None:
    with client(proxy) as one:
        proxy.lose_answers()
        one.sendall(b"a")
        assert is_silent(one)
        assert echo.heard == b"a"
        proxy.go()
        with pytest.raises(ConnectionResetError):
            one.recv(9)


def test_a_stranded_connection_hears_nothing_and_a_new_one_does(proxy: Proxy) -> None:
    with client(proxy) as one, client(proxy) as other:
        for there in (one, other):
            there.sendall(b"a")
            assert there.recv(9) == b"a"
        proxy.strand()
        one.sendall(b"b")
        assert is_silent(one)
        with client(proxy) as again:
            again.sendall(b"c")
            assert again.recv(9) == b"c"
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            other.recv(9)


def test_a_slow_way_takes_its_time(proxy: Proxy) -> None:
    with client(proxy) as one:
        proxy.slow(delay=0.1, rate=10_000)
        begin = time.monotonic()
        one.sendall(b"x" * 2_000)
        got = 0
        while got < 2_000:
            got += len(one.recv(9_000))
        assert time.monotonic() - begin > 0.4


@pytest.mark.kafka
def test_a_way_to_a_cluster_disturbs_who_goes_by_it_and_no_others(kafka_jars: Path) -> None:
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    with Cluster(kafka_jars, proxied=2) as cluster:
        first, second = cluster.ways
        first.cut()
        for servers in (cluster.servers, second.servers):
            admin = KafkaAdminClient(bootstrap_servers=servers)
            (broker,) = admin.describe_cluster()["brokers"]
            assert f"{broker['host']}:{broker['port']}" == servers
            admin.close()
        with pytest.raises(KafkaError):
            KafkaAdminClient(bootstrap_servers=first.servers, bootstrap_timeout_ms=1_000)
