"""Apache Kafka's jars, resolved by Maven once and kept in the user's cache folder. Standard library only."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"


class NoKafka(Exception):
    """Apache Kafka cannot be run here; the message says what is missing and how to get it."""


def jars() -> Path:
    """The folder of Kafka's jars; the first call downloads them (about 60 MB). Two at once wait for each other.

    Raises: NoKafka if java or mvn is missing, or Maven fails.
    """
    if shutil.which("java") is None:
        raise NoKafka(
            "java is not installed; Kafka needs Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless)"
        )
    folder = _cache() / f"kafka-{_version()}"
    if folder.is_dir():
        return folder
    if shutil.which("mvn") is None:
        raise NoKafka("mvn is not installed; it fetches Kafka's jars (Debian: apt-get install maven)")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(f"{folder.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _resolve(folder)
    return folder


def _resolve(folder: Path) -> None:
    """All jars or no folder: a resolve that is cut short leaves nothing that looks whole."""
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        done = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(POM), PLUGIN, f"-DoutputDirectory={made}", "-DincludeScope=runtime"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise NoKafka(f"Maven could not fetch Kafka's jars:\n{done.stdout[-2000:].strip()}")
        made.chmod(0o755)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rasd"


def _version() -> str:
    """Kafka's version, and a mark of the whole pom: another pom gets a folder of its own."""
    pom = POM.read_text(encoding="utf-8")
    found = re.search(r"<kafka\.version>([\d.]+)<", pom)
    assert found, "the pom names kafka.version"
    return f"{found[1]}-{hashlib.sha256(pom.encode()).hexdigest()[:8]}"
