"""The whole flow over a login and TLS; what is wrong with either is said in words, soon, and without the password."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.log.kafka.clients import cluster_of
from pipeline.log.kafka.door import Unreachable, admin
from pipeline.log.kafka.topics import check_topics, ensure_topics
from tests.command import ROOT, files, replayed
from tests.kafka.fixtures import config_on
from tests.kafka.secure import Secured, secured_broker

pytestmark = pytest.mark.kafka
WRONG = "falsch-1f0c"
PATIENCE = 60.0  # for all of them at once; one alone sees within 4 to 11 seconds that it is refused


@pytest.fixture(scope="module")
def broker(kafka_jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured_broker(kafka_jars, tmp_path_factory.mktemp("secured")) as secured:
        yield secured


@dataclass(frozen=True)
class Place:
    """Where a test's commands run, and with what settings."""

    folder: Path
    settings: dict[str, str]

    def start(self, *words: object) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RASD_")}
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", "--data", str(self.folder / "data"), *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env={**clean, "PYTHONPATH": str(ROOT), **{f"RASD_{k.upper()}": v for k, v in self.settings.items()}},
        )

    def run(self, *words: object) -> str:
        """What the command said on both streams; it must end well."""
        process = self.start(*words)
        said, _ = process.communicate(timeout=90)
        assert process.returncode == 0, said
        return said


def place(broker: Secured, folder: Path, prefix: str, mechanism: str = "SCRAM-SHA-512", **others: str) -> Place:
    common = {"kafka_servers": broker.servers, "kafka_prefix": prefix, "worker_health": "127.0.0.1:0"}
    return Place(folder, {**common, "run_processes": "1", **broker.settings(mechanism), **others})


def test_the_whole_flow_runs_over_login_and_tls_and_never_shows_the_password(broker: Secured, tmp_path: Path) -> None:
    at = place(broker, tmp_path, "flow.", sinks_enabled="jsonl", kafka_partitions="2")
    said = [
        at.run("-vv", *words)
        for words in (
            ["topics", "create"],
            ["replay", "--to", "kafka", "--example"],
            ["worker", "--until-idle", "1"],
            ["sink", "--until-idle", "1"],
            ["tail", "events", "--limit", "1"],
            ["doctor"],
            ["config", "show"],
        )
    ]
    replayed(tmp_path / "embedded")
    assert files(tmp_path / "data").keys() == files(tmp_path / "embedded").keys()
    for kept in files(tmp_path / "data"):
        ours, theirs = (files(tmp_path / which)[kept].splitlines() for which in ("data", "embedded"))
        assert sorted(ours) == sorted(theirs)
    assert "as alice via SASL" in said[0]  # at -vv the client tells of the login, and not how
    assert [words for words in said if broker.password in words] == []


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
def test_other_ways_to_log_in_work_too(broker: Secured, mechanism: str, tmp_path: Path) -> None:
    config = config_on(broker.servers, f"{mechanism.lower()}.", tmp_path, **broker.settings(mechanism))
    assert ensure_topics(config)
    assert check_topics(config) == []


def test_a_wrong_password_ends_every_command_soon_and_in_words(broker: Secured, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text(WRONG)
    (tmp_path / "feeds.toml").write_text('[[feed]]\nurl = "http://127.0.0.1:1/rss"\n')
    at = place(broker, tmp_path, "wrong.", kafka_password_file=str(tmp_path / "wrong"))
    commands = [
        ["topics", "create"],
        ["replay", "--to", "kafka", "--example"],
        ["poller", "--once"],
        ["fetcher"],
        ["worker"],
        ["sink", "jsonl"],
        ["tail", "events", "-f"],
        ["doctor"],
    ]
    end = time.monotonic() + PATIENCE
    running = [at.start("-vv", *words) for words in commands]
    try:
        for words, process in zip(commands, running, strict=True):
            said, _ = process.communicate(timeout=max(1.0, end - time.monotonic()))
            assert process.returncode == 1, (words, said)
            assert "the login of alice by SCRAM-SHA-512 is refused" in said, words
            assert WRONG not in said, words
    finally:
        for process in running:
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kafka_ca_file": "stranger"}, "its certificate is not accepted .*see kafka.ca_file"),
        ({"kafka_cert_file": "", "kafka_key_file": ""}, "TLS fails .*see kafka.security, kafka.cert_file"),
        ({"kafka_security": "plaintext"}, "asks for TLS"),
        ({"kafka_security": "ssl"}, "asks for a login: set kafka.security"),
        ({"kafka_ca_file": "/nowhere/ca.pem"}, "No such file or directory: '/nowhere/ca.pem'"),
    ],
    ids=["another authority", "no certificate", "no TLS", "no login", "no such file"],
)
def test_what_keeps_us_out_is_said(broker: Secured, settings: dict[str, str], said: str, tmp_path: Path) -> None:
    named = {k: str(broker.stranger) if v == "stranger" else v for k, v in settings.items()}
    config = config_on(broker.servers, "x.", tmp_path, **{**broker.settings(), **named})
    with pytest.raises(Unreachable, match=said) as caught, admin(cluster_of(config)):
        pass
    assert not caught.value.retryable


def test_no_representation_of_settings_or_cluster_holds_the_password(broker: Secured, tmp_path: Path) -> None:
    config = config_on(broker.servers, "x.", tmp_path, **broker.settings(), kafka_password=broker.password)
    assert cluster_of(config).security["sasl_plain_password"] == broker.password
    assert broker.password not in f"{config!r} {config} {cluster_of(config)!r} {cluster_of(config)}"
