"""State on RocksDB, and who may use a worker's folder."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("faust")

import faust
from aiokafka.errors import KafkaConnectionError, RequestTimedOutError
from faust.stores.rocksdb import RocksDBOptions, Store

from pipeline.config import Config, WorkerSettings, load
from pipeline.errors import RasdError
from pipeline.flow import FLOW
from pipeline.log.kafka.clients import cluster_of
from pipeline.runtimes.kafka import worker
from pipeline.runtimes.kafka.faust_engine import FaustEngine, Place, faust_app
from pipeline.runtimes.kafka.health import Health
from pipeline.runtimes.kafka.stage_engine import Displaced, MadeAnew
from pipeline.runtimes.kafka.stagework import StageWork
from pipeline.runtimes.kafka.state import OPTIONS, PartitionedStore, StateTable, StoredPartition
from pipeline.runtimes.kafka.state_changelog import TABLE, changelog_of
from pipeline.runtimes.kafka.worker import Worker, stages_named
from pipeline.runtimes.kafka.worker_place import place_of
from pipeline.runtimes.kafka.worker_sender import connection
from pipeline.runtimes.kafka.worker_stage import StageRunner

DEDUPE, EXTRACT = FLOW


def settings(tmp_path: Path, **environ: str) -> Config:
    return load(data=tmp_path, environ={"RASD_KAFKA_SERVERS": "127.0.0.1:1", "RASD_KAFKA_PREFIX": "t.", **environ})


def stored(folder: Path) -> StoredPartition:
    return StoredPartition(RocksDBOptions(**OPTIONS).open(folder), Store.offset_key)  # type: ignore[arg-type]


def test_stored_state_is_a_mapping_without_the_offset(tmp_path: Path) -> None:
    state = stored(tmp_path / "db")
    state.put({"ا": b"1", "b": b"2"}, 41)
    state.put({"b": b"3", "c": b"4"}, 42)
    assert dict(state.items()) == {"ا": b"1", "b": b"3", "c": b"4"}
    assert (state["b"], state.get("none"), len(state), sorted(state)) == (b"3", None, 3, ["b", "c", "ا"])


def store_in(tmp_path: Path) -> PartitionedStore:
    app = faust_app(cluster_of(settings(tmp_path)), DEDUPE, Place("me", tmp_path))
    app.conf.tabledir.mkdir(parents=True, exist_ok=True)
    store = StateTable(app, name=TABLE, key_type=bytes, value_type=bytes).data
    assert isinstance(store, PartitionedStore)
    return store


def filled(tmp_path: Path) -> Path:
    """A database of two thousand values, closed."""
    store = store_in(tmp_path)
    state = store.partition(0)
    for n in range(20):
        state.put({f"{n}-{i}": b"%d" % i * 50 for i in range(100)}, n)
    store._dbs[0].flush()
    store._dbs.pop(0).close()
    return Path(store.partition_path(0))


@pytest.mark.parametrize(
    ("end", "following", "found"), [(None, 0, False), (5, 3, False), (5, None, False), (5, 5, True), (0, 0, True)]
)
def test_it_is_not_idle_before_all_that_is_there_was_taken(
    tmp_path: Path, end: int | None, following: int | None, found: bool
) -> None:
    async def job() -> None:
        engine = FaustEngine(cluster_of(settings(tmp_path)), EXTRACT, Place("me", tmp_path))
        engine.work = cast(Any, SimpleNamespace(parts={0: None}))
        engine.app = cast(Any, SimpleNamespace(consumer=SimpleNamespace(highwater=lambda tp: end)))
        if following is not None:
            engine.succession._next = {0: following}
        assert engine.caught_up() is found

    asyncio.run(job())


def test_recovery_that_a_database_does_not_take_crashes_the_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    async def job() -> None:
        store = store_in(tmp_path)
        monkeypatch.setattr(Store, "apply_changelog_batch", full)
        with pytest.raises(OSError, match="No space"):
            store.apply_changelog_batch([], to_key=bytes, to_value=bytes)
        await asyncio.sleep(0.05)
        assert "No space" in str(store.app.crash_reason)

    asyncio.run(job())


@pytest.mark.parametrize("pattern", ["*.sst", "MANIFEST-*", "CURRENT", "*"])
def test_a_database_whose_files_are_cut_begins_empty(tmp_path: Path, pattern: str) -> None:
    async def job() -> None:
        cut = [f for f in filled(tmp_path).glob(pattern) if f.stat().st_size]
        assert cut
        for file in cut:
            with file.open("r+b") as opened:
                opened.truncate(file.stat().st_size // 2)
        assert dict(store_in(tmp_path).partition(0).items()) == {}

    asyncio.run(job())


def test_a_database_that_cannot_be_read_to_its_end_is_said_to_be_damaged_and_begins_empty(tmp_path: Path) -> None:
    """rocksdict's own iterators end without an error there: half of the state would be forgotten without a word."""

    async def job() -> None:
        (table,) = filled(tmp_path).glob("*.sst")
        with table.open("r+b") as opened:
            opened.seek(table.stat().st_size // 3)
            opened.write(b"\xa5" * 4096)
        store = store_in(tmp_path)
        with pytest.raises(RasdError, match="damaged"):
            dict(store.partition(0).items())
        again = store_in(tmp_path)
        assert dict(again.partition(0).items()) == {}
        again.partition(0).put({"a": b"1"}, 1)
        again._dbs.pop(0).close()
        assert dict(store_in(tmp_path).partition(0).items()) == {"a": b"1"}

    asyncio.run(job())


def test_a_database_that_another_process_has_is_left_alone(tmp_path: Path) -> None:
    async def job() -> None:
        store = store_in(tmp_path)
        store.partition(0).put({"a": b"1"}, 1)
        with pytest.raises(Exception, match=r"(?i)lock"):
            store_in(tmp_path).partition(0)
        assert dict(store.partition(0).items()) == {"a": b"1"}

    asyncio.run(job())


def test_an_empty_value_deletes(tmp_path: Path) -> None:
    state = stored(tmp_path / "db")
    state.put({"a": b"1"}, 1)
    state.put({"a": b""}, -1)
    assert dict(state.items()) == {}


def test_state_and_the_changelogs_offset_are_read_by_faust(tmp_path: Path) -> None:
    """What Faust asks for when it recovers: the offset, from its own key and in its own form."""

    async def job() -> None:
        app = faust_app(cluster_of(settings(tmp_path)), DEDUPE, Place("me", tmp_path))
        table = StateTable(app, name=TABLE, key_type=bytes, value_type=bytes)
        app.conf.tabledir.mkdir(parents=True)
        store = table.data
        assert isinstance(store, PartitionedStore)
        store.partition(2).put({"a": b"1"}, 77)
        place = faust.types.TP(changelog_of(cluster_of(settings(tmp_path)), DEDUPE), 2)
        assert (store.persisted_offset(place), store.partition(2)["a"]) == (77, b"1")
        assert store.persisted_offset(place._replace(partition=1)) is None
        assert table.changelog_topic.get_topic_name() == place.topic

    asyncio.run(job())


def test_the_app_is_told_our_limits_and_does_nothing_of_its_own(tmp_path: Path) -> None:
    async def job() -> None:
        conf = faust_app(cluster_of(settings(tmp_path)), EXTRACT, Place("me", tmp_path)).conf
        assert (conf.id, conf.consumer_group_instance_id) == ("t.extract", "me")
        assert conf.consumer_max_fetch_size == conf.producer_max_request_size > 8_000_000
        assert conf.broker_session_timeout == 12
        assert not any((conf.web_enabled, conf.topic_allow_declare, conf.autodiscover, conf.stream_wait_empty))
        assert conf.topic_disable_leader

    asyncio.run(job())


@pytest.mark.parametrize("security", ["sasl_plaintext", "sasl_ssl", "ssl"])
def test_credentials_reach_faust_and_are_not_shown(tmp_path: Path, security: str) -> None:
    async def job() -> None:
        config = settings(
            tmp_path, RASD_KAFKA_SECURITY=security, RASD_KAFKA_USERNAME="u", RASD_KAFKA_PASSWORD="hidden-word"
        )
        cluster = cluster_of(config)
        found = faust_app(cluster, EXTRACT, Place("me", tmp_path)).conf.broker_credentials
        assert found is not None
        assert found.protocol.value == security.upper()
        assert "hidden-word" not in repr(found)
        assert ("ssl_context" in connection(cluster)) == ("ssl" in security.split("_"))
        if "sasl" in security:
            assert getattr(found, "mechanism").value == "SCRAM-SHA-512"  # noqa: B009
            assert getattr(found, "password") == "hidden-word"  # noqa: B009

    asyncio.run(job())


def test_who_stood_still_or_lost_a_partition_does_not_write_state(tmp_path: Path) -> None:
    async def job() -> None:
        engine = FaustEngine(cluster_of(settings(tmp_path)), DEDUPE, Place("me", tmp_path))
        engine.work = StageWork(DEDUPE, engine)
        engine._generation = engine.app.consumer_generation_id = 5
        engine.work.parts = {0: object()}  # type: ignore[dict-item]
        engine._trust(0)
        with pytest.raises(Displaced, match="given out anew"):
            engine._trust(1)
        engine.app.consumer_generation_id = 6
        with pytest.raises(Displaced, match="given out anew"):
            await engine.log_changes(0, [("a", b"1")])
        engine._generation = 6
        engine._ticked = time.monotonic() - 9
        with pytest.raises(Displaced, match="stood still"):
            await engine.log_changes(0, [("a", b"1")])

    asyncio.run(job())


def test_another_writers_changelog_record_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def job() -> None:
        engine = FaustEngine(cluster_of(settings(tmp_path)), DEDUPE, Place("me", tmp_path))
        engine.work = StageWork(DEDUPE, engine)
        engine._generation = engine.app.consumer_generation_id = 1
        engine.work.parts = {0: object()}  # type: ignore[dict-item]
        offsets = iter([10, 12, 15])

        async def sent(*_: object) -> int:
            return next(offsets)

        monkeypatch.setattr(engine.sender, "log_changes", sent)
        assert await engine.log_changes(0, [("a", b"1")]) == 10
        assert await engine.log_changes(0, [("a", b"1"), ("b", b"2")]) == 12
        with pytest.raises(Displaced, match="another worker"):
            await engine.log_changes(0, [("c", b"1")])

    asyncio.run(job())


@pytest.mark.parametrize("anew", [["dedupe-state-changelog"], []])
def test_changes_are_taken_back_from_a_changelog_that_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anew: list[str]
) -> None:
    """They belong to state that it does not have; where brokers have only lost its end, they stay."""

    async def job() -> None:
        async def made_anew() -> list[str]:
            return anew

        engine = FaustEngine(cluster_of(settings(tmp_path)), DEDUPE, Place("me", tmp_path), made_anew=made_anew)
        engine.work = StageWork(DEDUPE, engine)
        engine._generation = engine.app.consumer_generation_id = 1
        engine.work.parts = {0: object()}  # type: ignore[dict-item]
        sent: list[list[tuple[str, bytes]]] = []
        offsets = iter([10, 1, 3])

        async def send(topic: str, partition: int, changes: list[tuple[str, bytes]]) -> int:
            sent.append(changes)
            return next(offsets)

        monkeypatch.setattr(engine.sender, "log_changes", send)
        await engine.log_changes(0, [("a", b"1")])
        with pytest.raises(MadeAnew if anew else Displaced):
            await engine.log_changes(0, [("a", b"2"), ("b", b"2")])
        assert sent[2:] == ([[("a", b""), ("b", b"")]] if anew else [])

    asyncio.run(job())


def test_two_workers_of_one_folder_have_different_names_and_places(tmp_path: Path) -> None:
    config = settings(tmp_path)
    with place_of(config) as one, place_of(config) as two:
        assert one.instance != two.instance
        assert one.folder != two.folder
    with place_of(config) as again:
        assert again == one
    with place_of(settings(tmp_path / "other")) as other:
        assert other.instance not in (one.instance, two.instance)


def test_a_name_that_is_in_use_is_a_clear_error(tmp_path: Path) -> None:
    from pipeline.errors import StorageError

    config = replace(settings(tmp_path), worker=WorkerSettings(instance="أ/west"))
    with place_of(config) as one:
        assert one.instance == "--west"
        with pytest.raises(StorageError, match="named 'أ/west'"), place_of(config):
            raise AssertionError("not reached")


def test_stages_are_chosen_by_name(tmp_path: Path) -> None:
    from pipeline.errors import RasdError

    config = settings(tmp_path)
    assert [s.name for s in stages_named(config, [])] == ["dedupe", "extract"]
    assert [s.name for s in stages_named(config, ["extract"])] == ["extract"]
    with pytest.raises(RasdError, match="no stage link; there are dedupe, extract"):
        stages_named(config, ["link"])


def test_a_broker_that_goes_away_while_the_changelog_is_looked_for_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    async def there(*_: object) -> dict[str, int]:
        return {"rasd.articles": 2}

    async def made(config: Config, cluster: object, stage: object, partitions: int) -> None:
        asked.append(partitions)
        if len(asked) < 3:
            raise [KafkaConnectionError("closed"), RequestTimedOutError()][len(asked) - 1]

    monkeypatch.setattr(worker, "topics_there", there)
    monkeypatch.setattr(worker, "ensure_changelog", made)
    monkeypatch.setattr(worker, "AGAIN_SECONDS", 0.0)
    config = settings(tmp_path)
    with place_of(config) as place, Health("", "worker") as health:

        async def job() -> None:
            await Worker(config, cluster_of(config), [DEDUPE], place, health, None)._topics()

        asyncio.run(job())
    assert asked == [2, 2, 2]
    assert "went away" in caplog.text


def test_a_stage_is_ready_only_while_brokers_answer(tmp_path: Path) -> None:
    async def job() -> None:
        stands: Any = SimpleNamespace(cluster=cluster_of(settings(tmp_path)), pool_for=lambda stage: None)
        running = StageRunner(stands, DEDUPE)
        opened: Any = SimpleNamespace(rebalances=1, is_ready=lambda: True)
        running.engine = running.work = opened
        running._heard = time.monotonic()
        assert running.ready()
        running._heard -= 16
        assert not running.ready()

    asyncio.run(job())
