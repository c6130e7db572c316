from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.errors import ConfigError
from pipeline.runtimes.kafka import health as module
from pipeline.runtimes.kafka.health import MAX_CLIENTS, MAX_SERIES, Health, connecting
from tests.command import rasd


@pytest.fixture
def health() -> Iterator[Health]:
    with Health("127.0.0.1:0", "worker") as health:
        yield health


def ask(health: Health, path: str, method: str = "GET") -> tuple[int, str]:
    with closing(http.client.HTTPConnection(health.address, timeout=5)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def samples(health: Health) -> dict[str, float]:
    """`name{label=value,...}` → value, read by Prometheus' own parser."""
    status, text = ask(health, "/metrics")
    assert status == 200
    kinds = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(kinds) == len(set(kinds))  # a second one is an error to Prometheus
    return {
        s.name + "{" + ",".join(f"{k}={v}" for k, v in sorted(s.labels.items())) + "}": s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def connected(health: Health) -> socket.socket:
    host, port = health.address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=5)


def test_a_process_is_ready_when_it_says_so(health: Health) -> None:
    assert ask(health, "/ready") == (503, "not ready\n")
    health.ready = True
    assert ask(health, "/ready") == (200, "ready\n")
    health.ready = False
    assert ask(health, "/ready")[0] == 503


def test_a_process_that_is_silent_for_too_long_is_not_live(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    health.beat()
    assert ask(health, "/live") == (200, "live\n")
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.0)
    assert ask(health, "/live") == (503, "nothing heard for 0 s\n")
    monkeypatch.undo()
    health.beat()
    assert ask(health, "/live")[0] == 200


def test_what_is_counted_is_shown_in_prometheus_words(health: Health) -> None:
    health.count("rasd_records_total", 3, stage="dedupe", what="output")
    health.count("rasd_records_total", stage="dedupe", what="output")
    health.count("rasd_records_total", stage="extract", what="reject")
    health.gauge("rasd_consumer_lag", 7, group="rasd.extract", topic="rasd.unique", partition=2)
    health.gauge("rasd_consumer_lag", 5, group="rasd.extract", topic="rasd.unique", partition=2)
    health.count("rasd_commits_total", 2)
    health.count("rasd_turns")
    shown = samples(health)
    assert "# TYPE rasd_commits_total counter\n" in ask(health, "/metrics")[1]
    assert shown["rasd_turns_total{}"] == 1
    assert shown["rasd_records_total{stage=dedupe,what=output}"] == 4
    assert shown["rasd_records_total{stage=extract,what=reject}"] == 1
    assert shown["rasd_consumer_lag{group=rasd.extract,partition=2,topic=rasd.unique}"] == 5
    assert shown["rasd_commits_total{}"] == 2
    assert shown["rasd_up{service=worker,version=0.1.0}"] == 1
    assert shown["rasd_ready{}"] == 0
    assert shown["rasd_start_time_seconds{}"] == pytest.approx(time.time(), abs=60)


def test_seconds_are_shown_as_a_histogram(health: Health) -> None:
    for seconds in (0.005, 0.02, 0.3, 100_000):
        health.observe("rasd_freshness_seconds", seconds)
    shown = samples(health)
    assert shown["rasd_freshness_seconds_bucket{le=0.005}"] == 1
    assert shown["rasd_freshness_seconds_bucket{le=0.025}"] == 2
    assert shown["rasd_freshness_seconds_bucket{le=0.5}"] == 3
    assert shown["rasd_freshness_seconds_bucket{le=86400.0}"] == 3
    assert shown["rasd_freshness_seconds_bucket{le=+Inf}"] == shown["rasd_freshness_seconds_count{}"] == 4
    assert shown["rasd_freshness_seconds_sum{}"] == pytest.approx(100_000.325)


def test_histograms_and_counters_may_differ_in_labels(health: Health) -> None:
    health.count("rasd_rejects_total", stage="fetch", reason="timeout")
    health.count("rasd_rejects_total", stage="fetch")
    health.observe("rasd_freshness_seconds", 1, stage="fetch")
    health.observe("rasd_freshness_seconds", 1, stage="extract")
    shown = samples(health)
    assert shown["rasd_rejects_total{reason=timeout,stage=fetch}"] == shown["rasd_rejects_total{stage=fetch}"] == 1
    assert shown["rasd_freshness_seconds_count{stage=fetch}"] == 1
    assert shown["rasd_freshness_seconds_count{stage=extract}"] == 1


def test_labels_that_the_world_spells_are_bounded_and_escaped(health: Health) -> None:
    for n in range(MAX_SERIES + 50):
        health.count("rasd_rejects_total", stage="extract", reason=f"reason {n}")
    health.count("rasd_rejects_total", stage="extract", reason="reason 0")
    health.count("rasd_commits_total", what='a "quoted"\nline \udc80' + "x" * 10_000)
    shown = samples(health)
    assert shown["rasd_rejects_total{reason=other,stage=other}"] == 50
    assert shown["rasd_rejects_total{reason=reason 0,stage=extract}"] == 2
    assert len([k for k in shown if k.startswith("rasd_rejects_total")]) == MAX_SERIES + 1
    assert max(map(len, shown)) < 200


def test_partitions_that_went_to_others_are_forgotten(health: Health) -> None:
    for partition in range(3):
        health.gauge("rasd_consumer_lag", 1, group="dedupe", topic="articles", partition=partition)
    health.forget("rasd_consumer_lag", partition=1)
    health.forget("rasd_no_such_metric", partition=1)
    lags = [k for k in samples(health) if k.startswith("rasd_consumer_lag")]
    assert len(lags) == 2
    assert not any("partition=1" in k for k in lags)


def test_a_name_is_one_kind_of_metric_only(health: Health) -> None:
    health.count("rasd_commits_total")
    with pytest.raises(ValueError, match="rasd_commits_total is a counter, not a gauge"):
        health.gauge("rasd_commits_total", 1)
    with pytest.raises(ValueError, match="no name of a metric"):
        health.count("rasd commits")


def test_threads_count_together_while_others_ask(health: Health) -> None:
    def work() -> None:
        for n in range(2_000):
            health.count("rasd_records_total", stage="extract", what=f"kind {n % 7}")
            health.observe("rasd_freshness_seconds", n / 100)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        samples(health)
    shown = samples(health)
    assert sum(v for k, v in shown.items() if k.startswith("rasd_records_total")) == 8_000
    assert shown["rasd_freshness_seconds_count{}"] == 8_000


def test_counting_is_cheap(health: Health) -> None:
    begin = time.process_time()
    for _ in range(20_000):
        health.count("rasd_records_total", stage="extract", what="output")
    assert (time.process_time() - begin) / 20_000 < 20e-6  # some 2 µs; a tenth of a percent of what an article takes


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /live HTTP/1.1\r\n\r\n", b"200"),
        (b"GET /live?x=1 HTTP/1.0\r\nHost: a\r\n\r\n", b"200"),
        (b"POST /live HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"405"),
        (b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", b"404"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
        (b"GET\r\n\r\n", b"400"),
        (b"\r\n\r\n", b"400"),
        (b"GET /live HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", b""),
    ],
)
def test_nonsense_is_answered_or_cut_off(health: Health, sent: bytes, status: bytes) -> None:
    with connected(health) as client:
        try:
            client.sendall(sent)
            answer = client.recv(1_000)
        except ConnectionError:
            answer = b""
        assert answer[9:12] == status
    assert ask(health, "/live")[0] == 200


def test_head_gives_no_body(health: Health) -> None:
    assert ask(health, "/live", "HEAD") == (200, "")


def test_slow_clients_are_cut_off_and_keep_nobody_out(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASKING_SECONDS", 0.5)
    slow = [connected(health) for _ in range(MAX_CLIENTS + 10)]
    for client in slow:
        client.sendall(b"GET /live HT")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if ask(health, "/live")[0] == 200:
                break
        except (http.client.HTTPException, ConnectionError):  # turned away: too many at a time
            time.sleep(0.05)
    else:
        pytest.fail("slow clients keep others out")
    for client in slow:
        with client, suppress(ConnectionResetError):  # as it is where the system has not yet read what was sent
            assert client.recv(100) == b""


def test_a_taken_port_is_a_clear_error(health: Health) -> None:
    with pytest.raises(ConfigError, match=f"cannot listen on {health.address} .*in use.*choose another"):
        Health(health.address, "sink").__enter__()


def test_an_address_that_is_not_of_this_machine_is_a_clear_error() -> None:
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1:8090"):
        Health("192.0.2.1:8090", "sink").__enter__()


def test_without_an_address_nothing_listens_and_counting_goes_on() -> None:
    with Health("", "sink") as health:
        health.count("rasd_commits_total")
        health.beat()
        assert health.address == ""
        assert not [t for t in threading.enumerate() if t.name == "health"]


def test_the_port_is_free_again_when_left() -> None:
    with Health("127.0.0.1:0", "sink") as first:
        address = first.address
        with connected(first):
            pass
    with Health(address, "sink") as second:
        assert ask(second, "/live")[0] == 200
    assert not [t for t in threading.enumerate() if t.name == "health"]


def test_an_ipv6_address_stands_in_brackets() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as e:
        pytest.skip(f"no IPv6 here: {e}")
    with Health("[::1]:0", "sink") as health:
        assert health.address.startswith("[::1]:")
        assert ask(health, "/live")[0] == 200


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        ("0.0.0.0:8090", ("127.0.0.1", 8090)),
        ("[::]:8090", ("::1", 8090)),
        ("[::1]:1", ("::1", 1)),
        ("db:80", ("db", 80)),
    ],
)
def test_a_process_that_listens_everywhere_is_reached_on_loopback(address: str, reached: tuple[str, int]) -> None:
    assert connecting(address) == reached


# -- rasd health -------------------------------------------------------------------------------------------------------


def test_the_command_tells_by_its_exit_code_whether_a_process_is_well(health: Health) -> None:
    not_yet = rasd("health", health.address)
    assert (not_yet.returncode, not_yet.stdout) == (1, "")
    assert "/ready: not ready" in not_yet.stderr
    assert rasd("health", "--live", health.address).stdout == "live\n"
    health.ready = True
    well = rasd("health", RASD_WORKER_HEALTH=health.address)
    assert (well.returncode, well.stdout) == (0, "ready\n")
    assert "rasd_ready 1.0\n" in rasd("health", health.address, "--metrics").stdout


def test_the_command_fails_where_nobody_listens_and_for_no_address() -> None:
    with Health("127.0.0.1:0", "sink") as health:
        address = health.address
    gone = rasd("health", address)
    assert gone.returncode == 1
    assert f"nobody answers on {address}" in gone.stderr
    assert rasd("health", "nonsense").returncode == 2


def test_the_command_does_not_wait_for_ever() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        begin = time.monotonic()
        assert rasd("health", f"127.0.0.1:{deaf.getsockname()[1]}").returncode == 1
        assert time.monotonic() - begin < 10
