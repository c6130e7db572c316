"""`rasd tail` on a broker: alone and in a group, from where it is told, as it comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from pipeline.log.kafka.clients import cluster_of
from pipeline.log.kafka.groups import Groups
from pipeline.records import Coding, Event
from tests.kafka.cluster import Cluster
from tests.kafka.fixtures import environment_on
from tests.pipeline.cli.kit import golden, rasd
from tests.pipeline.kafka.kit import (
    Environment,
    add_partitions,
    call,
    delete_topic,
    make_topics,
    running,
    send,
    send_bytes,
    settings,
)
from tests.waiting import until

pytestmark = pytest.mark.kafka


def numbered(first: int, last: int) -> list[Event]:
    return [golden(Event, id=f"e{n}", article_id=f"a{n}") for n in range(first, last + 1)]


def ids(lines: list[str] | list[bytes]) -> list[str]:
    return [orjson.loads(line)["id"] for line in lines]


@pytest.fixture
def eight(kafka_environment: dict[str, str]) -> Environment:
    """Eight events on four partitions."""
    make_topics(kafka_environment, partitions=4)
    send(kafka_environment, *numbered(1, 8))
    return kafka_environment


def test_all_partitions_come_in_the_order_of_writing(eight: Environment) -> None:
    got = call(eight, "tail", "events")
    assert (got.code, got.err) == (0, "")
    assert ids(got.lines) == [f"e{n}" for n in range(1, 9)]


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (["-n", "2"], "12"),
        (["--from", "end"], ""),
        (["--from=-3"], "678"),
        (["--from=-300"], "12345678"),
        (["--from", "2h"], "12345678"),
        (["--from", "2038-01-01"], ""),
        (["--from", "1950-01-01"], "12345678"),
        (["--from", "99999"], ""),
        (["--filter", "id=e5"], "5"),
    ],
)
def test_where_to_begin_and_what_to_show(eight: Environment, args: list[str], found: str) -> None:
    got = call(eight, "tail", "events", *args)
    assert (got.code, got.err) == (0, "")
    assert "".join(i[1:] for i in ids(got.lines)) == found


def test_a_time_is_that_of_writing(eight: Environment) -> None:
    rows = [orjson.loads(line) for line in call(eight, "tail", "events", "--headers").lines]
    fifth = rows[4]["written"]
    moment = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(fifth // 1000))}.{fifth % 1000:03}"
    assert ids(call(eight, "tail", "events", "--from", moment).lines) == ["e5", "e6", "e7", "e8"]


def test_headers_tell_what_stands_around_a_message(kafka_environment: dict[str, str]) -> None:
    make_topics(kafka_environment)
    send(kafka_environment, golden(Event, article_id="كتاب"))
    send_bytes(kafka_environment, "rasd.events", b"no\njson \xff")
    first, second = (orjson.loads(line) for line in call(kafka_environment, "tail", "events", "--headers").lines)
    assert (first["topic"], first["partition"], first["offset"], first["key"]) == ("rasd.events", 0, 0, "كتاب")
    assert first["headers"]["rasd-schema"] == "rasd.event/1"
    assert first["headers"]["traceparent"].startswith("00-")
    assert first["value"]["id"] == golden(Event).id
    assert abs(first["written"] / 1000 - time.time()) < 60
    assert (second["key"], second["value"]) == (None, "no\njson \\xff")
    assert call(kafka_environment, "tail", "events", "--headers", "-o", "pretty").code == 2


def test_hostile_bytes_are_passed_on_in_json_and_warned_about_when_read(kafka_environment: dict[str, str]) -> None:
    make_topics(kafka_environment)
    send_bytes(kafka_environment, "rasd.events", b"\x1b[31m\xff", b"", b'{"kind":"\x07"}')
    send(kafka_environment, golden(Event))
    got = call(kafka_environment, "tail", "events", "-o", "pretty")
    assert (got.code, got.err.count("rasd.events[0]@")) == (0, 3)
    assert not set(got.out + got.err) & set("\x1b\x07")
    assert len(call(kafka_environment, "tail", "events").lines) == 4


def test_a_topic_that_is_not_there_is_said(kafka_environment: dict[str, str]) -> None:
    got = call(kafka_environment, "tail", "events")
    assert (got.code, got.out) == (1, "")
    assert "there is no topic 'test-" in got.err
    assert "rasd topics create" in got.err


def test_brokers_that_do_not_answer_are_named() -> None:
    got = rasd("tail", "events", env={"RASD_KAFKA_SERVERS": "127.0.0.1:1"})
    assert (got.code, got.out) == (1, "")
    assert "127.0.0.1:1" in got.err


def test_the_log_of_the_data_folder_is_asked_for_with_local(kafka_environment: dict[str, str], tmp_path: Path) -> None:
    got = call(kafka_environment, "tail", "events", "--local", data=tmp_path)
    assert "log.sqlite: there is no log yet" in got.err
    got = rasd("tail", "events", "--group", "desk", data=tmp_path)
    assert (got.code, "consumer groups on Kafka only" in " ".join(got.err.split())) == (2, True)


# -- groups ------------------------------------------------------------------------------------------------------------


def test_a_group_goes_on_where_it_stopped(eight: Environment) -> None:
    first = ids(call(eight, "tail", "events", "--group", "desk", "-n", "3").lines)
    rest = ids(call(eight, "tail", "events", "--group", "desk").lines)
    assert len(first) == 3
    assert sorted(first + rest) == [f"e{n}" for n in range(1, 9)]
    assert call(eight, "tail", "events", "--group", "desk").out == ""
    assert len(call(eight, "tail", "events", "--group", "another").lines) == 8


def test_what_a_filter_leaves_out_does_not_come_again(eight: Environment) -> None:
    assert ids(call(eight, "tail", "events", "--group", "desk", "--filter", "id=e5").lines) == ["e5"]
    assert call(eight, "tail", "events", "--group", "desk").out == ""


def test_where_a_new_group_begins_is_kept_though_it_shows_nothing(eight: Environment) -> None:
    assert call(eight, "tail", "events", "--group", "desk", "--from", "end").out == ""
    send(eight, *numbered(9, 9))
    assert ids(call(eight, "tail", "events", "--group", "desk", "--from", "begin").lines) == ["e9"]


@pytest.mark.parametrize("group", ["extract", "dedupe", "fetch", "sink-jsonl", "a b", ""])
def test_a_tail_takes_no_work_from_the_flow(kafka_environment: dict[str, str], group: str) -> None:
    assert call(kafka_environment, "tail", "events", "--group", group).code == 2


def test_two_tails_of_a_group_share_the_messages(eight: Environment) -> None:
    words = ("tail", "events", "-f", "--group", "desk", "--from", "begin")
    with running(eight, *words) as one, running(eight, *words) as other:
        found = []
        until(lambda: found.extend(one.more() + other.more()) or len(set(ids(found))) == 8)
        with Groups(cluster_of(settings(eight))) as groups:  # one alone may have had all partitions
            until(lambda: (desk := groups.all("desk")[0]).size == 2 and desk.state == "Stable")
        until(lambda: call(eight, "offsets", "show", "desk").out.count("rasd at") == 4)
        time.sleep(0.5)
        members = orjson.loads(call(eight, "offsets", "show", "desk", "--json").out)
        assert {m["lag"] for m in members} == {0}
        one.more(), other.more()
        send(eight, *numbered(20, 59))
        here: list[bytes] = []
        there: list[bytes] = []
        until(lambda: bool(here.extend(one.more()) or there.extend(other.more()) or len(here + there) >= 40))
        assert here
        assert there
        assert sorted(ids(here + there)) == sorted(f"e{n}" for n in range(20, 60))
        assert one.end(signal.SIGINT) == 130
        send(eight, *numbered(60, 69))
        assert sorted(ids(other.lines(10))) == [f"e{n}" for n in range(60, 70)]


# -- following ---------------------------------------------------------------------------------------------------------


def test_what_is_written_is_shown_at_once(eight: Environment) -> None:
    with running(eight, "tail", "events", "-f", "--from=-1") as tail:
        assert ids(tail.lines(1)) == ["e8"]
        waits = []
        for event in numbered(100, 129):
            begun = time.time()
            send(eight, event)
            came, line = tail.line()
            assert ids([line]) == [event.id]
            waits.append(came - begun)
        waits.sort()
        assert waits[len(waits) * 95 // 100] < 1.5, f"95th percentile {waits[28]:.3f} s"  # < 0.1 s on a quiet machine
        assert tail.end(signal.SIGINT) == 130
        assert tail.told() == ""


def test_following_ends_at_its_limit_and_with_its_reader(eight: Environment) -> None:
    with running(eight, "tail", "events", "-f", "--from", "begin", "-n", "2") as tail:
        assert ids(tail.lines(2)) == ["e1", "e2"]
        assert tail.process.wait(30) == 0
    words = [sys.executable, "-m", "pipeline.cli", "tail", "events", "-f", "--from", "begin"]
    with subprocess.Popen(words, stdout=-1, stderr=-1, env={**os.environ, **eight}) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        send(eight, *numbered(1, 2))
        assert process.wait(30) == 0
        assert process.stderr.read() == b""


def test_partitions_that_are_added_are_taken_up_from_their_beginning(kafka_environment: dict[str, str]) -> None:
    make_topics(kafka_environment, 1, ["rasd.events"])
    with running(kafka_environment, "tail", "events", "-f", "--from", "begin") as tail:
        send(kafka_environment, *numbered(1, 1))
        tail.lines(1)
        add_partitions(kafka_environment, "rasd.events", 3)
        for partition in range(3):
            send_bytes(kafka_environment, "rasd.events", b'{"id":"p%d"}' % partition, partition=partition)
        assert sorted(ids(tail.lines(3))) == ["p0", "p1", "p2"]
        assert tail.more() == []


def test_a_topic_that_is_not_there_yet_is_waited_for(kafka_environment: dict[str, str]) -> None:
    with running(kafka_environment, "tail", "events", "-f") as tail:
        until(lambda: "waiting for it" in tail.told())
        make_topics(kafka_environment, 2, ["rasd.events"])
        send(kafka_environment, *numbered(1, 3))
        assert ids(tail.lines(3)) == ["e1", "e2", "e3"]


def test_brokers_and_topics_that_go_away_and_come_back_cost_no_message(kafka_jars: Path) -> None:
    with Cluster(kafka_jars) as cluster:
        environment = environment_on(cluster.servers, "away.")
        make_topics(environment, 2, ["rasd.events"])
        send(environment, *numbered(1, 5))
        with (
            running(environment, "tail", "events", "-f", "--from", "begin") as alone,
            running(environment, "tail", "events", "-f", "--group", "desk", "--from", "begin") as member,
        ):
            assert sorted(ids(alone.lines(5))) == sorted(ids(member.lines(5)))
            cluster.brokers[0].kill()
            until(lambda: "does not answer" in alone.told() and "does not answer" in member.told())
            cluster.brokers[0].start()
            send(environment, *numbered(6, 9))
            assert ids(alone.lines(4)) == ["e6", "e7", "e8", "e9"]
            assert {"e6", "e7", "e8", "e9"} <= set(ids(member.lines(4)))
            until(lambda: "answers again" in alone.told())
            send(environment, golden(Coding, article_id="last"))
            assert orjson.loads(alone.line()[1])["article_id"] == "last"
            assert alone.more() == []
            assert alone.told().count("does not answer") == 1
            # A topic that is deleted and made again is read from its beginning. (Where brokers make topics that are
            # asked for, it is never seen to be gone.)
            delete_topic(environment, "rasd.events")
            until(lambda: "is gone" in alone.told())
            make_topics(environment, 1, ["rasd.events"])
            send(environment, *numbered(20, 22))
            assert ids(alone.lines(3)) == ["e20", "e21", "e22"]
