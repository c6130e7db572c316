"""How a process fares, for those who watch it: `/live`, `/ready` and `/metrics` over HTTP.

Counting costs a dictionary's update under a lock; Prometheus' text is made when somebody asks for it. The server is a
loop of its own in a daemon thread, so that it answers while the work is busy; who is slow or talks nonsense is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import re
import socket
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from pipeline.errors import ConfigError, RasdError

if TYPE_CHECKING:
    from prometheus_client.core import Metric

SILENT_SECONDS = 30.0  # without a beat for so long a process counts as hung
ASKING_SECONDS = 5.0  # a client has so long to ask, and as long again to take the answer
MAX_REQUEST = 8_192  # bytes
MAX_CLIENTS = 64  # at a time; further ones are turned away
MAX_SERIES = 1_000  # of one metric; what comes on top is counted together, each label being "other"
MAX_LABEL = 100  # characters
#: Upper bounds of a histogram's buckets, in seconds: from one message to a long stand-still.
BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0, 3600.0, 86_400.0)

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[tuple[str, str], ...]

#: What each metric says: shown beside it in `/metrics`.
ABOUT = {
    "rasd_records_total": "Records handled, by stage and by what they came to.",
    "rasd_rejects_total": "Inputs that could not be used, by stage and reason.",
    "rasd_consumer_lag": "Messages that a consumer group has yet to handle, by partition.",
    "rasd_freshness_seconds": "Age of the message just handled: now minus the time at which it was written.",
    "rasd_commits_total": "Commits of offsets.",
    "rasd_rebalances_total": "Times that partitions were given out anew.",
    "rasd_pool_tasks": "Tasks under way in the pool of processes.",
    "rasd_up": "1, with the service's name and version.",
    "rasd_ready": "1 if the process takes work, else 0.",
    "rasd_beat_age_seconds": "Seconds since the process last showed that it goes on.",
    "rasd_start_time_seconds": "When the process began to count, in seconds since 1970.",
}
_NAME = re.compile(r"[a-z_][a-z0-9_]*")


class Health:
    """What a process counts, and the address where it can be asked for. A context manager; safe between threads.

    address: HOST:PORT to listen on (port 0: any that is free), or "" to count without being asked.
    service: what the process is ("worker"). Set `ready` to True when the process takes work.
    """

    def __init__(self, address: str, service: str) -> None:
        self.ready = False
        self._wanted, self._service = address, service
        self._began, self._beat = time.time(), time.monotonic()
        self._lock = threading.Lock()
        self._metrics: dict[str, _Metric] = {}
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        """Begins to listen. Raises: ConfigError if the address cannot be had, RasdError without prometheus-client."""
        if self._wanted:
            _need_prometheus()
            self._server = _Server(_listening(self._wanted), self._answer)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    @property
    def address(self) -> str:
        """Where it listens, with the port that was had; "" if nowhere."""
        return self._server.address if self._server else ""

    def beat(self) -> None:
        """The work goes on: to be called at least every few seconds, also while there is nothing to do."""
        self._beat = time.monotonic()

    def count(self, name: str, n: float = 1, **labels: object) -> None:
        """Adds to a counter. Raises: ValueError for a name that is another kind of metric, or no name."""
        with self._lock:
            series = self._metric(name, "counter").series
            key = _key(series, labels)
            series[key] = series.get(key, 0.0) + n

    def gauge(self, name: str, value: float, **labels: object) -> None:
        """Sets a gauge. Raises: as `count`."""
        with self._lock:
            series = self._metric(name, "gauge").series
            series[_key(series, labels)] = float(value)

    def observe(self, name: str, seconds: float, **labels: object) -> None:
        """Adds to a histogram of seconds. Raises: as `count`."""
        with self._lock:
            histograms = self._metric(name, "histogram").histograms
            key = _key(histograms, labels)
            found = histograms.setdefault(key, _Histogram())
            found.buckets[bisect_left(BUCKETS, seconds)] += 1
            found.sum += seconds

    def forget(self, name: str, **labels: object) -> None:
        """Shows no more of a metric what has these labels: the lag of partitions that others have now."""
        gone = {(k, _short(v)) for k, v in labels.items()}
        with self._lock:
            if metric := self._metrics.get(name):
                for series in (metric.series, metric.histograms):
                    for key in [k for k in series if gone <= set(k)]:
                        del series[key]

    def live(self) -> bool:
        """False if nothing was heard of the work for too long."""
        return self._silence() < SILENT_SECONDS

    def collect(self) -> Iterator[Metric]:
        """All that is counted, as prometheus_client's registry asks for it."""
        from prometheus_client.core import GaugeMetricFamily, Metric

        version = importlib.metadata.version("rasd")
        up = GaugeMetricFamily("rasd_up", ABOUT["rasd_up"], labels=("service", "version"))
        up.add_metric((self._service, version), 1)
        yield up
        yield GaugeMetricFamily("rasd_ready", ABOUT["rasd_ready"], value=float(self.ready))
        yield GaugeMetricFamily("rasd_beat_age_seconds", ABOUT["rasd_beat_age_seconds"], value=self._silence())
        yield GaugeMetricFamily("rasd_start_time_seconds", ABOUT["rasd_start_time_seconds"], value=self._began)
        for name, metric in self._copied():
            about = ABOUT.get(name, name.removeprefix("rasd_").replace("_", " "))
            shown = Metric(name.removesuffix("_total"), about, metric.kind)
            ending = "_total" if metric.kind == "counter" else ""  # every counter's name has it, given or not
            for labels, value in metric.series.items():
                shown.add_sample(shown.name + ending, dict(labels), value)
            for labels, histogram in metric.histograms.items():
                for bound, total in histogram.rising():
                    shown.add_sample(f"{name}_bucket", {**dict(labels), "le": bound}, total)
                shown.add_sample(f"{name}_sum", dict(labels), histogram.sum)
                shown.add_sample(f"{name}_count", dict(labels), sum(histogram.buckets))
            yield shown

    def _metric(self, name: str, kind: Kind) -> _Metric:
        metric = self._metrics.get(name)
        if metric is None:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a metric")
            metric = self._metrics[name] = _Metric(kind)
        if metric.kind != kind:
            raise ValueError(f"{name} is a {metric.kind}, not a {kind}")
        return metric

    def _copied(self) -> list[tuple[str, _Metric]]:
        with self._lock:
            return [
                (
                    name,
                    _Metric(
                        m.kind, dict(m.series), {k: _Histogram(list(h.buckets), h.sum) for k, h in m.histograms.items()}
                    ),
                )
                for name, m in sorted(self._metrics.items())
            ]

    def _silence(self) -> float:
        return time.monotonic() - self._beat

    def _answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body for a path."""
        if path == "/live":
            return _said(self.live(), "live", f"nothing heard for {self._silence():.0f} s")
        if path == "/ready":
            return _said(self.ready, "ready", "not ready")
        if path == "/metrics":
            from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

            registry = CollectorRegistry(auto_describe=False)
            registry.register(self)
            return 200, CONTENT_TYPE_LATEST, generate_latest(registry)
        return 404, "text/plain", b"there are /live, /ready and /metrics\n"


def connecting(address: str) -> tuple[str, int]:
    """Host and port by which a process that listens on HOST:PORT is reached from the same machine."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), int(port)


@dataclass(slots=True)
class _Histogram:
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    sum: float = 0.0

    def rising(self) -> list[tuple[str, float]]:
        """(upper bound, how many lie at or below it), as Prometheus counts."""
        total, out = 0, []
        for bound, n in zip((*map(str, BUCKETS), "+Inf"), self.buckets, strict=True):
            total += n
            out.append((bound, float(total)))
        return out


@dataclass(slots=True)
class _Metric:
    kind: Kind
    series: dict[Labels, float] = field(default_factory=dict)
    histograms: dict[Labels, _Histogram] = field(default_factory=dict)


def _key(series: dict[Labels, Any], labels: dict[str, object]) -> Labels:
    """Labels in one order, and bounded: a reason that the outside world can spell must not fill the memory."""
    key = tuple((k, _short(labels[k])) for k in sorted(labels))
    if key in series or len(series) < MAX_SERIES:
        return key
    return tuple((k, "other") for k, _ in key)


def _short(value: object) -> str:
    return str(value)[:MAX_LABEL].encode("utf-8", "replace").decode()


def _said(well: bool, yes: str, no: str) -> tuple[int, str, bytes]:
    return (200 if well else 503), "text/plain", (yes if well else no).encode() + b"\n"


def _need_prometheus() -> None:
    try:
        import prometheus_client  # noqa: F401
    except ImportError as e:
        raise RasdError(f"/metrics needs {e.name}: pip install 'rasd[kafka]'", reason="not-installed") from e


def _listening(address: str) -> socket.socket:
    """Raises: ConfigError."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family, backlog=MAX_CLIENTS)
    except (OSError, ValueError, OverflowError) as e:
        said = getattr(e, "strerror", None) or str(e)
        raise ConfigError(
            "worker.health",
            None,
            f"cannot listen on {address} ({said}): choose another address; port 0 means any free one",
        ) from e


class _Server:
    """Answers GET and HEAD on a socket until closed, in a daemon thread."""

    def __init__(self, listening: socket.socket, answer: Any) -> None:
        host, port = listening.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._answer, self._clients = answer, 0
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, args=(listening,), name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(2)

    def _run(self, listening: socket.socket) -> None:
        try:
            self._loop.run_until_complete(self._serve(listening))
        finally:
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    async def _serve(self, listening: socket.socket) -> None:
        server = await asyncio.start_server(self._client, sock=listening, limit=MAX_REQUEST)
        await self._stop.wait()
        server.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            if self._clients <= MAX_CLIENTS:
                async with asyncio.timeout(ASKING_SECONDS):
                    request = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._response(request))
                async with asyncio.timeout(ASKING_SECONDS):
                    await writer.drain()
        except (TimeoutError, OSError, EOFError, asyncio.LimitOverrunError):
            pass  # slow, gone, or talking nonsense
        finally:
            self._clients -= 1
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()  # it does not take what it asked for
            else:
                writer.close()

    def _response(self, request: bytes) -> bytes:
        words = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            status, kind, body = 400, "text/plain", b"not HTTP/1.1\n"
        elif words[0] not in ("GET", "HEAD"):
            status, kind, body = 405, "text/plain", b"GET and HEAD only\n"
        else:
            status, kind, body = self._answer(words[1].split("?")[0])
        head = f"HTTP/1.1 {status} {_STATUS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        head += "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        return head.encode("latin-1") + (b"" if words[0] == "HEAD" else body)


_STATUS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}
