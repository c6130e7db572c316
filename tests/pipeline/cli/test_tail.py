"""`rasd tail`: what is shown, in what order, of what is written."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from pipeline import wire
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Actor, Claim, Coding, Event, Evidence, Source, Toll
from pipeline.telemetry import escape
from pipeline.topics import TOPICS
from tests.pipeline.cli.kit import GOLDEN, golden, rasd, small_log, write


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return small_log(tmp_path / "data")


def test_in_a_pipe_messages_come_as_they_were_sent(data: Path) -> None:
    got = rasd("tail", "events", data=data)
    assert got.code == 0
    assert got.out.encode() == b"".join((GOLDEN / f"{n}.json").read_bytes() for n in ("event", "toll", "coding"))
    assert got.err == ""


def test_topics_go_by_their_short_and_their_full_name(data: Path) -> None:
    assert rasd("tail", "rasd.articles", data=data).out == rasd("tail", "articles", data=data).out != ""
    got = rasd("tail", "evnts", data=data)
    assert got.code == 2
    assert "no topic 'evnts'; there are entries, articles" in got.err


def test_pretty_is_one_readable_block_an_event(data: Path) -> None:
    out = rasd("tail", "events", "-o", "pretty", "--filter", "kind=event", data=data).out
    assert out == (
        "2017-05-16  Air/drone strike (Explosions/Remote violence)  reported, confidence 0.82\n"
        "  where   قرية السهل (As Sahl, Raqqa, SY); الرقة (Raqqa, SY)\n"
        "  who     attacker قوات التحالف (coalition); target تنظيم الدولة (isis)\n"
        "  claim   killed at least 5 (combatant) of تنظيم الدولة (isis), says ناشطون محليون\n"
        "  claim   injured about 10, says ناشطون محليون\n"
        "  claim   injured 3 (child) of أطفال (civilians), says ناشطون محليون [part of claim 2]\n"
        "  claim   killed at most 0 (civilian), says متحدث باسم التحالف (denies)\n"
        "  says    ناشطون محليون; متحدث باسم التحالف (denies)\n"
        "  quote   «غارة جوية نفذتها قوات التحالف يوم الثلاثاء على قرية السهل شرق الرقة»\n"
        "  quote   «أسفرت عن مقتل خمسة عناصر على الأقل من تنظيم الدولة»\n"
        "  from    sada 2017-05-17 06:30 UTC; https://sada-example.org/news/412?id=9\n"
        "  id      43bc1e76-1786-50fe-b55e-3b842529bdf0\n\n"
    )


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_has_a_pretty_form(data: Path, topic: str) -> None:
    got = rasd("tail", topic, "-o", "pretty", data=data)
    assert got.code == 0
    assert got.out.strip()
    assert "\x1b" not in got.out


def test_text_from_outside_cannot_steer_the_terminal(tmp_path: Path) -> None:
    evil = golden(
        Event,
        outlet="\x1b]0;owned\x07",
        evidence=(Evidence(start=0, end=3, quote="a\u202eb\nc"),),
        actors=(Actor(role="target", id="x\x1b[2J", text="\x9b31m", span=(0, 1)),),
        sources=(Source(name="\u2066s", text="s", span=(0, 1)),),
    )
    data = small_log(tmp_path / "data", evil)
    out = rasd("tail", "events", "-o", "pretty", data=data).out
    assert not set(out) & set("\x1b\x07\x9b\u202e\u2066")
    assert "«a\\u202eb\\nc»" in out


@pytest.mark.parametrize(
    ("expression", "kinds"),
    [
        ("kind=toll", ["toll"]),
        ("kind=event|coding", ["event", "coding"]),
        ("kind!=event", ["toll", "coding"]),
        ("side=isis,killed>=5", ["event"]),
        ("side=isis,killed>=6", []),
        ("side=ISIS", ["event"]),
        ("side=external", ["event"]),
        ("attacker=coalition", ["event"]),
        ("attacker=isis", []),
        ("target=isis,country=sy", ["event"]),
        ("killed>=6", ["toll"]),
        ("killed=5", ["event"]),
        ("killed!=5", ["toll"]),
        ("killed<6", ["event"]),
        ("injured>9,injured<=10", ["event"]),
        ("captured>=0", []),
        ("type=strike", ["event"]),
        ("type=explosions/remote violence", ["event"]),
        ("place=قريه السهل", ["event"]),
        ("place=raq|nowhere", ["event"]),
        ("place=المحافظه", ["toll"]),
        ("realis=reported", ["event"]),
        ("outlet=sada", ["event", "toll"]),
        ("category=child", ["event"]),
        ("source=المجلس", ["toll"]),
        ("date=2017-05", ["event", "toll"]),
        ("date>=2017-05-17", ["toll"]),
        ("date<2017", []),
        ("published=2017-05-17", ["event", "toll"]),
        ("confidence>=0.8", ["event"]),
        ("id=43bc1e76", ["event"]),
        ("revision=2", ["event", "toll", "coding"]),
    ],
)
def test_filters_choose(data: Path, expression: str, kinds: list[str]) -> None:
    got = rasd("tail", "events", "--filter", expression, data=data)
    assert got.code == 0
    assert [orjson.loads(line)["kind"] for line in got.lines] == kinds


def test_filters_add_up(data: Path) -> None:
    got = rasd("tail", "events", "--filter", "outlet=sada", "--filter", "kind=toll", data=data)
    assert [orjson.loads(line)["kind"] for line in got.lines] == ["toll"]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("killed", "write NAME=VALUE"),
        ("side=isis,", "write NAME=VALUE"),
        ("kiled>=5", "no name 'kiled'; did you mean killed?"),
        ("zzz=1", "no name 'zzz'; there are kind, type"),
        ("killed>=many", "killed is compared with a number"),
        ("side>isis", "side holds words; use = or !="),
        ("realis=real", "realis is one of reported, recap"),
        ("date>=yesterday", "write a day as 2017-05-16"),
        ("side=", "a value is missing"),
    ],
)
def test_a_wrong_filter_is_explained(data: Path, expression: str, said: str) -> None:
    got = rasd("tail", "events", "--filter", expression, data=data)
    assert got.code == 2
    assert said in " ".join(got.err.split())


def test_a_number_without_a_count_uses_its_bound(tmp_path: Path) -> None:
    vague = golden(Event, casualties=(Claim(outcome="killed", low=46, hedge="at_least", primary=True, span=(0, 4)),))
    unsaid = golden(Event, casualties=(Claim(outcome="killed", hedge="dozens", primary=True, span=(0, 4)),))
    data = small_log(tmp_path / "data", vague, unsaid)
    assert len(rasd("tail", "events", "--filter", "killed>=40", data=data).lines) == 1
    assert len(rasd("tail", "events", "--filter", "killed<40,kind=event", data=data).lines) == 1  # the golden one


def days(data: Path, partitions: int = 1) -> Path:
    events = [
        golden(Event, id=f"e{day}", article_id=f"a{day}", published=dt.datetime(2018, 3, day, tzinfo=dt.UTC))
        for day in range(1, 9)
    ]
    log = SqliteLog(data / "log.sqlite", partitions=partitions)
    for event in events:
        write(log, [event])
        time.sleep(0.002)  # writing times differ
    log.close()
    return data


@pytest.mark.parametrize(
    ("args", "found"),
    [
        ([], "12345678"),
        (["-n", "2"], "12"),
        (["--from", "begin"], "12345678"),
        (["--from", "end"], ""),
        (["--from", "6"], "78"),
        (["--from=-3"], "678"),
        (["--from=-300"], "12345678"),
        (["--from", "2018-03-06"], "678"),
        (["--from", "2018-03-06T12:00:00Z", "-n", "1"], "7"),
        (["--from", "2h"], ""),
    ],
)
def test_where_to_begin_and_when_to_stop(tmp_path: Path, args: list[str], found: str) -> None:
    got = rasd("tail", "events", *args, data=days(tmp_path))
    assert "".join(orjson.loads(line)["id"][1:] for line in got.lines) == found


def test_a_place_to_begin_that_is_none_is_a_usage_error(data: Path) -> None:
    got = rasd("tail", "events", "--from", "yesterday", data=data)
    assert got.code == 2
    assert "'yesterday' is no offset, day" in got.err


def test_several_partitions_come_in_the_order_of_writing(tmp_path: Path) -> None:
    got = rasd("tail", "events", data=days(tmp_path, partitions=4))
    assert [orjson.loads(line)["id"] for line in got.lines] == [f"e{n}" for n in range(1, 9)]


def test_bytes_that_are_no_record_are_passed_on_raw_and_warned_about_when_read(tmp_path: Path) -> None:
    data = small_log(tmp_path / "data")
    log = SqliteLog(data / "log.sqlite")
    with log.transaction():
        log.append("rasd.events", "k", b'{"schema":"x","kind":\n"other"}')
    log.close()
    assert rasd("tail", "events", data=data).lines[-1] == '{"schema":"x","kind": "other"}'
    got = rasd("tail", "events", "-o", "pretty", data=data)
    assert got.code == 0
    assert "rasd.events[0]@3: kind 'other' is none of" in got.err


def test_without_a_log_it_says_what_to_do(tmp_path: Path) -> None:
    got = rasd("tail", "events", data=tmp_path / "none")
    assert (got.code, got.out) == (1, "")
    assert "there is no log yet" in got.err
    assert not (tmp_path / "none").exists()


def test_following_shows_what_another_writer_appends(tmp_path: Path) -> None:
    data = small_log(tmp_path / "data")
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "--data", str(data), "tail", "events", "-f", "-n", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        time.sleep(1.0)
        log = SqliteLog(data / "log.sqlite")
        for n in range(4):
            write(log, [golden(Coding, article_id=f"later{n}")])
        log.close()
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert [orjson.loads(line)["article_id"] for line in out.splitlines()] == ["later0", "later1"]
    assert (process.returncode, err) == (0, "")


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    data = small_log(tmp_path / "data", *[golden(Toll, id=f"t{n}") for n in range(600)])
    line = f"{sys.executable} -m pipeline.cli --data {data} tail events"
    got = subprocess.run(
        ["bash", "-c", f"{line} | head -1; exit ${{PIPESTATUS[0]}}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ,
    )
    assert (got.returncode, got.stderr, got.stdout.count("\n")) == (0, "", 1)


def test_ctrl_c_ends_following_with_130(tmp_path: Path) -> None:
    import signal

    data = small_log(tmp_path / "data")
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "--data", str(data), "tail", "events", "-f", "--from", "begin"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b'{"kind":"event"')
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, b"")


def test_what_is_printed_round_trips(data: Path) -> None:
    assert wire.decode(Event, rasd("tail", "events", data=data).lines[0].encode()) == golden(Event)


def on_a_terminal(*words: str) -> bytes:
    """What the command line shows on a pseudo-terminal."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "pipeline.cli", *words])
    shown = b""
    with contextlib.suppress(OSError):  # the end of a pseudo-terminal
        while part := os.read(terminal, 65536):
            shown += part
    os.close(terminal)
    os.waitpid(child, 0)
    return shown


def test_json_on_a_terminal_is_escaped_and_unchanged_in_a_pipe(tmp_path: Path) -> None:
    hostile = "\u202eقُتل\u2028\x9b31m"
    data = small_log(tmp_path / "data", golden(Event, id="hostile", article_id="h", outlet=hostile))
    for words in (["tail", "events", "-o", "json", "--filter", "id=hostile"], ["explain", "hostile", "--json"]):
        piped = rasd(*words, data=data).out
        assert all(c in piped for c in hostile)
        shown = on_a_terminal("--data", str(data), *words).decode()
        assert escape(shown.replace("\r\n", "\n"), newlines=True) == shown.replace("\r\n", "\n")
        assert orjson.loads(shown) == orjson.loads(piped)
