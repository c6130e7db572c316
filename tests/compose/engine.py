"""Runs what docker-compose.yml says as local processes, as an engine would as containers.

What is rewritten, and nothing else: `NAME:PORT` and addresses inside a container become ports of 127.0.0.1, paths of
mounts become folders, `rasd` becomes this checkout's. The image's entry points of Kafka and PostgreSQL are imitated
(`Kafka`, `Postgres`); everything of ours runs its own command with its own environment, and no variable besides.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.compose.composed import environment, is_ours
from tests.kafka.cluster import Broker, free_ports
from tests.kafka.guard import Guard

LOOK_SECONDS = 0.1
POSTGRES_USER = "postgres"  # of this machine: the server refuses to run as root
#: Variables of the image that are none of the broker's properties (its KafkaDockerWrapper leaves them out).
NO_PROPERTIES = re.compile(r"KAFKA_(HEAP_OPTS|OPTS|JMX_\w+|LOG4J_\w+|GC_LOG_OPTS|JVM_PERFORMANCE_OPTS|VERSION)")


class Failed(Exception):
    """A service ended, or did not become healthy; the message holds the end of what it said."""


def properties_of(given: Mapping[str, str]) -> dict[str, str]:
    """server.properties as the image apache/kafka makes it from its environment: KAFKA_ is cut off, letters become
    small, `_` a dot, `__` an underscore, `___` a hyphen (docker/examples/README.md of Apache Kafka)."""
    return {
        key.removeprefix("KAFKA_").lower().replace("_", ".").replace("...", "-").replace("..", "_"): value
        for key, value in given.items()
        if key.startswith("KAFKA_") and not NO_PROPERTIES.fullmatch(key)
    }


def seconds_of(span: str) -> float:
    """ "1m30s" → 90, as compose writes spans of time."""
    units = {"h": 3600, "m": 60, "s": 1}
    return float(sum(float(n) * units[u] for n, u in re.findall(r"([\d.]+)([hms])", span)))


@dataclass(slots=True)
class Container:
    """One process in the place of a container."""

    name: str
    service: str
    spec: Mapping[str, Any]
    folder: Path
    mounts: dict[str, Path]
    ports: dict[int, int] = field(default_factory=dict)  # inside → of 127.0.0.1
    process: subprocess.Popen[bytes] | None = None
    started: float | None = None
    healthy: float | None = None
    ended: float | None = None

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace")[-4000:] if self.log.exists() else ""


class Engine:
    """`docker-compose up` over a project. A context manager: what still runs at its end is killed.

    project: from `docker-compose config --format json`. scale: how many of a service. jars: of Apache Kafka.
    """

    def __init__(
        self,
        project: Mapping[str, Any],
        folder: Path,
        jars: Path,
        postgres: Path,
        *,
        scale: Mapping[str, int] | None = None,
    ) -> None:
        self.project, self.folder = project, folder
        self._jars, self._postgres = jars, postgres
        self._began = time.monotonic()
        self._guard = Guard()
        self._broker: Broker | None = None
        self._stopping = threading.Event()
        self._errors: list[Exception] = []
        self._taken: list[int] = []
        folder.chmod(0o755)  # PostgreSQL runs as another user
        self.containers = [
            self._container(name, n, spec)
            for name, spec in project["services"].items()
            for n in range(1, (scale or {}).get(name, 1) + 1)
        ]
        self._threads = [threading.Thread(target=self._life, args=(c,), daemon=True) for c in self.containers]

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for container in self.containers:
            if container.process and container.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(container.process.pid, signal.SIGKILL)
                container.process.wait(30)
        if self._broker:
            self._broker.kill()
        self._guard.close()

    @property
    def seconds(self) -> float:
        """Since the beginning of `up`."""
        return time.monotonic() - self._began

    def up(self) -> None:
        """Begins with all services, each when those are ready that it waits for; returns at once."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def check(self) -> None:
        """Raises: Failed if a service did what it must not."""
        if self._errors:
            raise self._errors[0]

    def of(self, service: str) -> list[Container]:
        return [c for c in self.containers if c.service == service]

    def address(self, service: str, port: int, number: int = 0) -> str:
        """Where a port inside a container is reached."""
        return f"127.0.0.1:{self.of(service)[number].ports[port]}"

    def execute(self, container: Container, *words: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """As `docker-compose exec` does: a command beside the container's own, with its environment."""
        command = [self._mapped(w, container) for w in words]
        if command[0] == "rasd":
            command = [sys.executable, "-m", "pipeline.cli", *command[1:]]
        elif (self._postgres / command[0]).exists():
            command[0] = str(self._postgres / command[0])
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
            cwd=container.mounts["/tmp"],
            env=self._environment(container),
        )

    def stop(self, container: Container) -> tuple[int, float]:
        """As `docker-compose stop` does: SIGTERM, and what came of it: exit code and seconds. -9 if it took longer than
        its stop_grace_period."""
        begin = time.monotonic()
        grace = seconds_of(container.spec.get("stop_grace_period", "10s"))
        self._stopping.set()
        if self._broker and container.service == "kafka":
            running = self._broker
            running.stop(grace)
            return 0, time.monotonic() - begin
        assert container.process
        # PostgreSQL's image names SIGINT (a fast shutdown) as the signal to stop with
        container.process.send_signal(signal.SIGINT if container.service == "postgres" else signal.SIGTERM)
        try:
            code = container.process.wait(grace)
        except subprocess.TimeoutExpired:
            os.killpg(container.process.pid, signal.SIGKILL)
            code = container.process.wait(30)
        self._guard.forget(container.process.pid)
        return code, time.monotonic() - begin

    # -- one container ---------------------------------------------------------------------------------------------

    def _container(self, service: str, number: int, spec: Mapping[str, Any]) -> Container:
        name = f"{service}-{number}"
        folder = self.folder / name
        folder.mkdir()
        mounts = {"/tmp": folder / "tmp"}
        for volume in spec.get("volumes", []):
            if volume["type"] == "bind":
                place = Path(volume["source"])
            elif volume.get("source"):
                place = self.folder / "volumes" / volume["source"]
            else:
                place = folder / volume["target"].strip("/").replace("/", "-")
            mounts[volume["target"]] = place
        for place in mounts.values():
            if not place.exists():
                place.mkdir(parents=True)
        text = " ".join([*environment(spec).values(), str(spec.get("healthcheck"))])
        inside = {int(p["target"]) for p in spec.get("ports", [])}
        inside |= {int(n) for n in re.findall(r"(?:0\.0\.0\.0|localhost):(\d+)", text)}
        inside |= {int(n) for n in re.findall(rf"\b{service}:(\d+)", text)}
        outside = free_ports(len(inside), but=self._taken) if inside else []
        self._taken += outside
        ports = dict(zip(sorted(inside), outside, strict=True))
        return Container(name, service, spec, folder, mounts, ports)

    def _life(self, container: Container) -> None:
        try:
            self._wait_for_others(container)
            if self._stopping.is_set():
                return
            container.started = self.seconds
            if container.service == "kafka":
                self._begin_kafka(container)
            else:
                self._begin(container)
            self._watch(container)
        except Exception as e:
            self._errors.append(e)
            self._stopping.set()

    def _wait_for_others(self, container: Container) -> None:
        for on, how in (container.spec.get("depends_on") or {}).items():
            while not self._stopping.wait(LOOK_SECONDS):
                if how["condition"] == "service_healthy" and all(c.healthy for c in self.of(on)):
                    break
                if how["condition"] == "service_completed_successfully" and all(c.ended for c in self.of(on)):
                    break

    def _begin(self, container: Container) -> None:
        words = [*(container.spec.get("entrypoint") or []), *(container.spec.get("command") or [])]
        given = self._environment(container)
        if container.service == "postgres":
            command = self._postgres_command(container, given)
        else:
            command = [self._mapped(w, container) for w in words]
            command = command if container.spec.get("entrypoint") else [sys.executable, "-m", "pipeline.cli", *command]
        with container.log.open("ab") as log:
            container.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=container.mounts["/tmp"],
                env=given,
                start_new_session=True,
            )
        self._guard.watch(container.process.pid)

    def _watch(self, container: Container) -> None:
        """Asks for its health as an engine does, and sees that it ends only if it may."""
        lasting = container.spec.get("restart") != "no"
        check = container.spec.get("healthcheck")
        next_look = time.monotonic() + (seconds_of(check["interval"]) if check else 0)
        failures = 0
        while not self._stopping.wait(LOOK_SECONDS):
            code = container.process.poll() if container.process else None
            if code is not None:
                if lasting or code != 0:
                    raise Failed(f"{container.name} ended with {code}:\n{container.said()}")
                container.ended = self.seconds
                return
            if check and time.monotonic() >= next_look:
                said = self._ask(container, check)
                if said is None:
                    container.healthy = container.healthy or self.seconds
                    failures = 0
                elif not container.healthy and self.seconds - (container.started or 0) > seconds_of(
                    check["start_period"]
                ):
                    failures += 1  # later it would only be marked: compose starts nothing anew for it
                    if failures >= check["retries"]:
                        raise Failed(f"{container.name} is not healthy: {said}\n{container.said()}")
                next_look = time.monotonic() + seconds_of(check["interval"])

    def _ask(self, container: Container, check: Mapping[str, Any]) -> str | None:
        """The health check's own command, where the container would run it; None if all is well."""
        how, *words = check["test"]
        words = [w.replace("$$", "$") for w in words]
        command = ["sh", "-c", words[0]] if how == "CMD-SHELL" else words
        try:
            done = self.execute(container, *command, seconds=seconds_of(check["timeout"]))
        except subprocess.TimeoutExpired:
            return "the check took too long"
        return None if done.returncode == 0 else f"{done.returncode} {done.stdout} {done.stderr}"

    # -- what stands for the network and the mounts ----------------------------------------------------------------

    def _environment(self, container: Container) -> dict[str, str]:
        given = {k: self._mapped(v, container) for k, v in environment(container.spec).items()}
        if "PGPORT" in given:
            given["PGPORT"] = str(container.ports[int(given["PGPORT"])])
            given["PGHOST"] = str(container.folder / "sockets")  # for /var/run/postgresql
        own = {"PATH": os.environ["PATH"], "HOME": str(container.mounts["/tmp"]), "PYTHONUNBUFFERED": "1"}
        if is_ours(container.spec):
            own["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
            own["RASD_WORKER_INSTANCE"] = container.name  # a container's host name, which a process cannot have
        return {**own, **given}

    def _mapped(self, text: str, container: Container) -> str:
        def address(match: re.Match[str]) -> str:
            host, port = match[1], int(match[2])
            there = container if host in ("0.0.0.0", "localhost", "127.0.0.1") else self.of(host)[0]
            return f"127.0.0.1:{there.ports[port]}" if port in there.ports else match[0]

        hosts = "|".join(map(re.escape, ("0.0.0.0", "localhost", "127.0.0.1", *self.project["services"])))
        text = re.sub(rf"(?<![\w.-])({hosts}):(\d+)", address, text)
        targets = "|".join(map(re.escape, sorted(container.mounts, key=len, reverse=True)))
        return re.sub(rf"(?<![\w./-])({targets})(?![\w-])", lambda m: str(container.mounts[m[1]]), text)

    # -- the entry points of others' images ------------------------------------------------------------------------

    def _begin_kafka(self, container: Container) -> None:
        given = self._environment(container)
        assert Path(environment(container.spec)["KAFKA_LOG_DIRS"]) in map(Path, container.mounts)
        self._broker = Broker(
            self._jars,
            container.mounts[environment(container.spec)["KAFKA_LOG_DIRS"]],
            properties_of(given),
            cluster_id=given["CLUSTER_ID"],
            guard=self._guard,
        )
        self._broker.start()

    def _postgres_command(self, container: Container, given: dict[str, str]) -> list[str]:
        """Makes the database as the image's docker-entrypoint.sh does: initdb, the user's password from the file, the
        database; then the server, with what it listens on bound to loopback."""
        data = container.mounts["/var/lib/postgresql/data"]
        password = Path(given["POSTGRES_PASSWORD_FILE"]).read_text().strip()
        assert password, "the password's file is empty"
        sockets = container.folder / "sockets"
        sockets.mkdir()
        secret = container.folder / "pwfile"
        secret.write_text(password)
        become: list[str] = []
        if os.geteuid() == 0:
            become = ["setpriv", f"--reuid={POSTGRES_USER}", f"--regid={POSTGRES_USER}", "--clear-groups"]
            for path in (container.folder, data, sockets, secret, container.mounts["/tmp"]):
                shutil.chown(path, POSTGRES_USER)
        user, port = given["POSTGRES_USER"], container.ports[5432]
        init = [self._postgres / "initdb", "-D", data, f"--username={user}", f"--pwfile={secret}"]
        self._run(container, [*become, *init, *shlex.split(given["POSTGRES_INITDB_ARGS"]), "--no-sync"])
        serve = ["-D", data, "-p", str(port), "-k", sockets, "-c", "fsync=off"]
        alone = [*become, str(self._postgres / "pg_ctl"), "-w", "-D", data, "-l", container.folder / "setup.txt"]
        self._run(container, [*alone, "-o", f"-p {port} -k {sockets} -c listen_addresses=''", "start"])
        make = [self._postgres / "psql", "-h", sockets, "-p", str(port), "-U", user, "-d", "postgres", "-c"]
        self._run(container, [*become, *make, f'CREATE DATABASE "{given["POSTGRES_DB"]}"'], PGPASSWORD=password)
        self._run(container, [*alone, "-m", "fast", "stop"])
        return [str(w) for w in (*become, self._postgres / "postgres", *serve, "-c", "listen_addresses=127.0.0.1")]

    def _run(self, container: Container, words: list[Any], **more: str) -> None:
        done = subprocess.run(
            [str(w) for w in words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=60,
            cwd=container.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **more},
        )
        if done.returncode:
            raise Failed(f"{container.name}: {words[0]}: {done.stdout[-2000:]}")
