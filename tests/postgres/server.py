"""A PostgreSQL server of our own, to be started, stopped and killed: in a temporary folder, on 127.0.0.1, a free port.

    with Server.started() as server: server.database() -> an address

PostgreSQL refuses to run as root, so that root steps down to user `postgres` (or `nobody`) for it. The system ends the
server if the process that started it ends, however that happens.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg

USER, PASSWORD = "rasd", "a-password-for-tests"
START_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1
_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 64MB
max_connections = 40
full_page_writes = off
log_min_messages = warning
lc_messages = 'C'
"""


def programs() -> Path | None:
    """The folder of the server's programs: by PATH, else the newest where Debian and Red Hat put them."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    places = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), *Path("/usr").glob("pgsql-*/bin/initdb")]
    newest = max(places, key=lambda p: float("".join(c for c in p.parts[-3] if c in "0123456789.") or 0), default=None)
    return newest.parent if newest else None


class Server:
    """One server. `fsync` is for measuring alone: a killed server loses nothing without it, a power cut does."""

    def __init__(self, folder: Path, bin: Path, *, fsync: bool = False) -> None:
        self.folder, self.bin = folder, bin
        self.data = folder / "data"
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._step_down = _unprivileged() if os.geteuid() == 0 else {}
        if self._step_down:
            os.chown(folder, self._step_down["user"], self._step_down["group"])
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        command = [bin / "initdb", "-D", self.data, "-U", USER, f"--pwfile={password}", "-A", "scram-sha-256", "-N"]
        command += ["-E", "UTF8", "--no-locale"]
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd=folder,
            **self._step_down,  # type: ignore[call-overload]
        )
        if done.returncode:
            raise RuntimeError(f"initdb: {done.stderr[-2000:]}")
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(f"{_SETTINGS}port = {self.port}\nfsync = {'on' if fsync else 'off'}\n")

    @classmethod
    @contextlib.contextmanager
    def started(cls, *, fsync: bool = False) -> Iterator[Server]:
        bin = programs()
        if bin is None:
            raise FileNotFoundError("no server programs of PostgreSQL (initdb) here")
        folder = Path(tempfile.mkdtemp(prefix="rasd-postgres-"))
        try:
            server = cls(folder, bin, fsync=fsync)
            server.start()
            try:
                yield server
            finally:
                server.stop()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def dsn(self) -> str:
        """The address of the first database, for its owner."""
        return self.address("postgres")

    def address(self, database: str) -> str:
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Returns once it answers."""
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if not self.running:  # also where a killed one's memory is not given back yet
                (self.data / "postmaster.pid").unlink(missing_ok=True)
                with (self.folder / "log").open("ab") as log:
                    self._process = subprocess.Popen(
                        [self.bin / "postgres", "-D", self.data],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        cwd=self.folder,
                        start_new_session=True,
                        preexec_fn=_end_with_parent,  # noqa: PLW1509 it makes one system call
                        **self._step_down,  # type: ignore[arg-type]
                    )
            if time.monotonic() > end:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    def stop(self, how: int = signal.SIGQUIT) -> None:
        """SIGQUIT: at once, as after a power cut; SIGINT: in order; SIGKILL: `kill`."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait(START_SECONDS)
        self._process = None

    def kill(self) -> None:
        """The server's first process by SIGKILL; the others notice and end."""
        self.stop(signal.SIGKILL)

    def freeze(self) -> None:
        """Stops every process of the server without ending it: it answers nobody, its connections stay."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, signum: int) -> None:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (self._process.pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)

    def database(self) -> str:
        """The address of a fresh database."""
        return fresh_database(self.dsn)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def fresh_database(dsn: str) -> str:
    """Makes a database on the server of this address; returns its address."""
    name = f"rasd_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'".encode())
    return psycopg.conninfo.make_conninfo(dsn, dbname=name)


def empty_database(dsn: str) -> None:
    """Drops every schema, and settings of the database: cheaper than a new one."""
    with psycopg.connect(dsn, autocommit=True) as db:
        found = db.execute("SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$'")
        for (name,) in found.fetchall():
            db.execute(f'DROP SCHEMA "{name}" CASCADE'.encode())
        db.execute("CREATE SCHEMA public")
        db.execute(f"ALTER DATABASE {db.info.dbname} RESET ALL".encode())


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _unprivileged() -> dict[str, object]:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise RuntimeError("root may not run PostgreSQL, and there is neither user postgres nor nobody")


def _end_with_parent() -> None:
    """After the user was changed, which would undo it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
