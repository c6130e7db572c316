"""Apache Kafka (KRaft) on 127.0.0.1, one broker or several, started and killed at will. Standard library only.

with Cluster(jars(), nodes=3) as cluster:
    cluster.servers               # "127.0.0.1:21733,127.0.0.1:..."
    cluster.brokers[0].kill()     # SIGKILL
    cluster.brokers[0].start()    # the same port, the same folder

with Cluster(jars(), proxied=2) as cluster:
    cluster.servers               # as ever, undisturbed
    cluster.ways[0].servers       # by proxies: who is given these is disturbed by
    cluster.ways[0].hold()        # and others are not (`tests.kafka.proxy`)
"""

from __future__ import annotations

import base64
import contextlib
import random
import re
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from tests.kafka.guard import Guard
from tests.kafka.jars import NoKafka
from tests.kafka.proxy import Proxy, Way

READY_SECONDS = 90.0
TRIES = 5  # times that other ports are picked when somebody took ours in between
MESSAGE_BYTES = 9_000_000  # a record of 8 MB (log.max_record_bytes) and what travels with it
JAVA = (
    "java",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
)
_STARTED = "Kafka Server started"
_TAKEN = re.compile(r"Address already in use|BindException")

BASE = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "INTERNAL",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "message.max.bytes": str(MESSAGE_BYTES),
    "replica.fetch.max.bytes": str(MESSAGE_BYTES),
    "log.segment.bytes": "67108864",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",  # one that was killed is let in again only after that
}


class NotStarted(Exception):
    """The broker ended or was not ready in time; the message holds the end of its log."""


class PortTaken(NotStarted):
    """Somebody else listens on one of the broker's ports."""


class Broker:
    """One Kafka process over a folder of its own; every start goes on from what the folder holds.

    properties: all of its server.properties, but for log.dirs. scram: users made when its storage is formatted.
    """

    def __init__(
        self,
        libs: Path,
        folder: Path,
        properties: Mapping[str, str],
        *,
        cluster_id: str,
        guard: Guard,
        scram: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.log = folder / "broker.log"
        self._java = (*JAVA, "-cp", f"{libs}/*")
        self._file = folder / "server.properties"
        self._cluster_id = cluster_id
        self._scram = dict(scram or {})
        self._guard = guard
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        folder.mkdir(parents=True, exist_ok=True)
        lines = {**properties, "log.dirs": str(folder / "data")}
        self._file.write_text("".join(f"{k}={v}\n" for k, v in lines.items()), encoding="utf-8")
        self._file.chmod(0o600)  # passwords of SASL stand there

    @property
    def pid(self) -> int:
        assert self._process, "started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it and waits until it takes requests. Raises: NotStarted, PortTaken."""
        self.begin()
        self.wait_ready()

    def begin(self) -> None:
        """Starts it without waiting: brokers of a cluster wait for each other."""
        assert not self.running, "is running"
        if not (self.folder / "data" / "meta.properties").is_file():
            self._format()
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for the starter
            )
        self._guard.watch(self._process.pid)

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        end = time.monotonic() + seconds
        while True:
            said = self._said()
            if _STARTED in said:
                return
            if not self.running or time.monotonic() > end:
                self.kill()
                kind = PortTaken if _TAKEN.search(said) else NotStarted
                raise kind(f"the broker in {self.folder} did not start:\n{said[-3000:].strip()}")
            time.sleep(0.05)

    def stop(self, seconds: float = 30.0) -> None:
        """In good order, by SIGTERM; killed if that takes too long."""
        if self.running:
            self._end(signal.SIGTERM, seconds)

    def kill(self) -> None:
        """As a power cut ends it, but for what the system had not yet written: SIGKILL."""
        self._end(signal.SIGKILL, 30)

    def signal(self, which: signal.Signals) -> None:
        """Sends it, without waiting: SIGSTOP makes a broker that hangs, SIGCONT ends that."""
        assert self._process, "started"
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(which)

    def restart(self, *, hard: bool = False) -> None:
        """The same port and folder. hard: by SIGKILL."""
        self.kill() if hard else self.stop()
        self.start()

    def _end(self, how: signal.Signals, seconds: float) -> None:
        process = self._process
        if process is None:
            return
        self.signal(how)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)
        self._guard.forget(process.pid)
        self._process = None

    def _format(self) -> None:
        users = [f"SCRAM-SHA-{n}=[name={u},password={p}]" for u, p in self._scram.items() for n in (256, 512)]
        done = subprocess.run(
            [
                *self._java,
                "kafka.tools.StorageTool",
                "format",
                "-t",
                self._cluster_id,
                "-c",
                str(self._file),
                *[word for user in users for word in ("--add-scram", user)],
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise NotStarted(f"the storage in {self.folder} could not be formatted:\n{done.stdout[-3000:].strip()}")

    def _said(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")


class Cluster:
    """Brokers 1 to `nodes`, each also a controller. A context manager: stopped, and its folder removed, at the end.

    folder: an own folder instead of a temporary one; it is kept. port: of the first broker; the others have the next.
    protocol: how clients speak to it (PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL). properties: above all others.
    proxied: so many further ways to the brokers, each through proxies of its own (PLAINTEXT): the brokers tell clients
    who come by one the addresses of that one.
    """

    def __init__(
        self,
        libs: Path,
        *,
        nodes: int = 1,
        port: int | None = None,
        folder: Path | None = None,
        protocol: str = "PLAINTEXT",
        properties: Mapping[str, str] | None = None,
        scram: Mapping[str, str] | None = None,
        proxied: int = 0,
    ) -> None:
        if not 1 <= nodes <= 9:
            raise ValueError("a cluster has 1 to 9 nodes")
        self._libs, self._nodes, self._port = libs, nodes, port
        self._protocol, self._properties, self._scram = protocol, dict(properties or {}), scram
        self._own = None if folder else Path(tempfile.mkdtemp(prefix="rasd-kafka-"))
        self.folder = (folder or self._own or Path()).resolve()
        self._id = (
            "r" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
        )  # a "-" in front reads as an option
        self.guard = Guard()
        if self._own:
            self.guard.remove(self._own)
        self.brokers: list[Broker] = []
        self.servers = ""
        self.ways: list[Way] = []
        self._proxied = proxied

    def __enter__(self) -> Cluster:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Starts all brokers, those that run excepted, and waits until they are ready. Raises: NotStarted."""
        if self.brokers:
            self._start_all()
            return
        for last in (*[False] * (TRIES - 1), True):
            self._make_brokers()
            try:
                self._start_all()
                break
            except PortTaken:
                for broker in self.brokers:
                    broker.kill()
                if last or (self._port and _taken(self._port)):
                    raise

    def stop(self) -> None:
        """Stops all in good order; `start` goes on from there."""
        running = [b for b in self.brokers if b.running]
        # All at once: the last controllers of a quorum cannot hand over, and each would wait for the others.
        for broker in running:
            broker.signal(signal.SIGTERM)
        for broker in running:
            broker.stop()

    def close(self) -> None:
        """Stops all and removes the temporary folder."""
        try:
            self.stop()
        finally:
            for way in self.ways:
                way.close()
            self.guard.close()

    def _start_all(self) -> None:
        waiting = [b for b in self.brokers if not b.running]
        for broker in waiting:
            broker.begin()
        for broker in waiting:
            broker.wait_ready()

    def _make_brokers(self) -> None:
        clients = [self._port + n for n in range(self._nodes)] if self._port else free_ports(self._nodes)
        inner = free_ports((2 + self._proxied) * self._nodes, but=clients)
        internal, control, *behind = (inner[n : n + self._nodes] for n in range(0, len(inner), self._nodes))
        for way in self.ways:
            way.close()
        self.ways = [Way([Proxy("127.0.0.1", p) for p in ports]) for ports in behind]
        names = [f"WAY{n}" for n in range(self._proxied)]
        protocols = {"CLIENT": self._protocol, "INTERNAL": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
        protocols |= dict.fromkeys(names, "PLAINTEXT")
        copies = str(min(self._nodes, 3))
        shared = {
            **BASE,
            "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{p}" for n, p in enumerate(control, 1)),
            "listener.security.protocol.map": ",".join(f"{k}:{v}" for k, v in protocols.items()),
            "min.insync.replicas": "2" if self._nodes > 2 else "1",
            "default.replication.factor": copies,
            **{f"{topic}.replication.factor": copies for topic in ("offsets.topic", "transaction.state.log")},
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": "1",
        }
        self.brokers = []
        for node in range(self._nodes):
            addresses = f"CLIENT://127.0.0.1:{clients[node]},INTERNAL://127.0.0.1:{internal[node]}"
            listening = [f"{name}://127.0.0.1:{ports[node]}" for name, ports in zip(names, behind, strict=True)]
            told = [f"{name}://{way.proxies[node].address}" for name, way in zip(names, self.ways, strict=True)]
            own = {
                "node.id": str(node + 1),
                "listeners": ",".join([addresses, f"CONTROLLER://127.0.0.1:{control[node]}", *listening]),
                "advertised.listeners": ",".join([addresses, *told]),
            }
            self.brokers.append(
                Broker(
                    self._libs,
                    self.folder / f"node-{node + 1}",
                    {**shared, **own, **self._properties},
                    cluster_id=self._id,
                    guard=self.guard,
                    scram=self._scram,
                )
            )
        self.servers = ",".join(f"127.0.0.1:{p}" for p in clients)


def free_ports(count: int, but: list[int] | None = None) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on, below those that the system gives to outgoing connections: one of
    those could be taken while a broker is down."""
    found: list[int] = []
    for port in random.Random().sample(range(20_000, 32_000), 2_000):
        if port not in (but or ()) and not _taken(port):
            found.append(port)
            if len(found) == count:
                return found
    raise NoKafka("no free ports between 20000 and 32000")


def _taken(port: int) -> bool:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
