from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from pipeline import wire
from pipeline.errors import StorageError
from pipeline.log.sqlite import SqliteLog
from pipeline.pool import Pool
from pipeline.records import Article, Reject
from pipeline.runtimes.embedded import Embedded
from tests.builders import article
from tests.fakes import FAKE_FLOW, ListSource, MemorySink

MakeRuntime = Callable[..., Embedded]


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    shared = Pool(2)
    yield shared
    shared.close()


@pytest.fixture
def runtime(tmp_path: Path, pool: Pool) -> Iterator[MakeRuntime]:
    opened = []

    def make(*sinks: MemorySink, name: str = "log.sqlite", **given: object) -> Embedded:
        store = SqliteLog(tmp_path / name, synchronous="NORMAL")
        opened.append(store)
        settings: dict[str, object] = {"flow": FAKE_FLOW, "batch": 16, "task_seconds": 10.0, "pause_seconds": 0.01}
        return Embedded(store, sinks, pool, **(settings | given))  # type: ignore[arg-type]

    yield make
    for store in opened:
        store.close()


def articles(n: int) -> list[Article]:
    return [article(f"خبر رقم {i} عن مدينة بعيدة", url=f"https://example.org/{i}") for i in range(n)]


def values(log: SqliteLog, topic: str) -> list[bytes]:
    return [m.value for m in log.scan(topic)]


def test_every_article_reaches_the_sink_in_order(runtime: MakeRuntime) -> None:
    sink = MemorySink()
    run = runtime(sink)
    counts = run.run(ListSource(articles(100)))
    assert (counts.read, counts.outputs, counts.ended) == (100, 100, 100)
    ids = [orjson.loads(v)["article_id"] for v in sink.kept]
    assert ids == [a.id for a in articles(100)]
    assert counts.records == {"coding": 100}


def test_bytes_do_not_depend_on_batch_window_or_processes(runtime: MakeRuntime) -> None:
    source = articles(60) + articles(10) + [article("نص آخر تماما", url="https://example.org/3")]
    logs = []
    for i, given in enumerate(({"batch": 1}, {"batch": 7, "window": 1}, {"batch": 1000, "window": 5})):
        run = runtime(name=f"log{i}.sqlite", **given)
        run.run(ListSource(source))
        logs.append([values(run.log, t) for t in ("rasd.verdicts", "rasd.unique", "rasd.events")])
    assert logs[0] == logs[1] == logs[2]
    assert len(logs[0][2]) == 61


def test_repeating_a_finished_source_adds_nothing(runtime: MakeRuntime) -> None:
    first = MemorySink()
    run = runtime(first)
    run.run(ListSource(articles(30)))
    before = values(run.log, "rasd.events")
    second = MemorySink()
    second.kept = list(first.kept)
    again = runtime(second)
    counts = again.run(ListSource(articles(30)))
    assert counts.duplicates == {"known": 30}
    assert values(again.log, "rasd.events") == before
    assert second.kept == first.kept


def test_copies_and_revisions_are_counted_as_what_they_are(runtime: MakeRuntime) -> None:
    text = "قصف مدفعي على أطراف البلدة دون معلومات عن خسائر بشرية حتى ساعة إعداد هذا الخبر وفق سكان من المنطقة نفسها"
    url = "https://example.org/a"
    source = [
        article(text, url=url),
        article(text, url="https://example.net/copy"),
        article(text + " ثم توقف القصف", url=url),
        article(text + " ثم توقف القصف", url=url, title="عنوان جديد"),
    ]
    run = runtime()
    counts = run.run(ListSource(source))
    verdicts = [orjson.loads(v) for v in values(run.log, "rasd.verdicts")]
    assert [(v["verdict"], v["revision"]) for v in verdicts] == [
        ("unique", 1),
        ("exact_duplicate", 1),
        ("revision", 2),
        ("revision", 3),
    ]
    assert (counts.outputs, counts.duplicates) == (3, {"exact_duplicate": 1})


def test_an_article_that_cannot_be_used_is_a_reject_with_its_place_and_bytes(runtime: MakeRuntime) -> None:
    bad = articles(20)
    bad[3] = article("raise this one", url="https://example.org/bad")
    bad[4] = article("blunder", url="https://example.org/blunder")
    run = runtime()
    with run.log.transaction():
        run.log.append("rasd.articles", "ar", b'{"schema":"rasd.article/9","id":"x"}')
        run.log.append("rasd.articles", "ar", b"\x00 not json")
    counts = run.run(ListSource(bad))
    assert counts.rejects == {"wrong-schema": 1, "bad-json": 1, "step-failed": 1, "bad-record": 1}
    assert counts.outputs == 18
    rejects = [wire.decode(Reject, v) for v in values(run.log, "rasd.rejects")]
    assert [(r.stage, r.topic, r.offset) for r in rejects] == [
        ("dedupe", "rasd.articles", 0),
        ("dedupe", "rasd.articles", 1),
        ("extract", "rasd.unique", 3),
        ("extract", "rasd.unique", 4),
    ]
    assert "a bug met by this text" in rejects[2].error


def test_a_task_that_kills_or_hangs_its_process_costs_only_itself(runtime: MakeRuntime) -> None:
    bad = articles(24)
    bad[5] = article("die here", url="https://example.org/die")
    bad[17] = article("hang here", url="https://example.org/hang")
    run = runtime(task_seconds=1.0)
    counts = run.run(ListSource(bad))
    assert counts.rejects == {"process-died": 1, "timeout": 1}
    assert counts.outputs == 22
    coded = [orjson.loads(v)["article_id"] for v in values(run.log, "rasd.events")]
    assert coded == [a.id for i, a in enumerate(bad) if i not in (5, 17)]
    assert all(wire.decode(Reject, v).retryable for v in values(run.log, "rasd.rejects"))


def test_a_stopped_replay_goes_on_behind_what_it_has_read(runtime: MakeRuntime) -> None:
    stop = threading.Event()
    first = runtime(stop=stop, watch=lambda counts: stop.set() if counts.read >= 32 else None)
    source = ListSource(articles(100))
    first.run(source)
    again = runtime()
    counts = again.run(source)
    assert source.skips == [0, 32]
    assert counts.read == 68
    assert len(set(values(again.log, "rasd.events"))) == len(values(again.log, "rasd.events")) == 100


def test_a_sink_that_fails_for_want_of_space_is_tried_again_and_loses_nothing(
    runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    sink = MemorySink()
    sink.trouble = [OSError(errno.ENOSPC, "No space left on device")] * 3
    run = runtime(sink)
    run.run(ListSource(articles(40)))
    assert len(sink.kept) == len(set(sink.kept)) == 40
    assert sink.resumed == 4
    assert "No space left on device" in caplog.text
    assert caplog.text.count("paused") == 1


def test_a_full_log_pauses_and_goes_on_when_there_is_room(runtime: MakeRuntime) -> None:
    run = runtime()
    waits = []
    pages = run.log._db.execute("PRAGMA page_count").fetchone()[0]
    run.log._db.execute(f"PRAGMA max_page_count = {pages + 4}")
    wait = run.stop.wait

    def make_room(seconds: float | None = None) -> bool:
        waits.append(seconds)
        run.log._db.execute("PRAGMA max_page_count = 1000000")
        return wait(0)

    run.stop.wait = make_room  # type: ignore[method-assign]
    counts = run.run(ListSource(articles(200)))
    assert waits
    assert counts.outputs == 200


def test_asked_to_stop_while_paused_it_ends_and_the_next_run_finishes(runtime: MakeRuntime) -> None:
    sink = MemorySink()
    sink.trouble = [OSError(errno.ENOSPC, "No space left on device")] * 1000
    stop = threading.Event()
    run = runtime(sink, stop=stop, pause_seconds=30.0)
    threading.Timer(0.5, stop.set).start()
    run.run(ListSource(articles(5)))
    assert stop.is_set()
    sink.trouble = []
    runtime(sink).run(ListSource(articles(5)))
    assert len(sink.kept) == 5


def test_an_error_that_will_not_pass_is_not_waited_for(runtime: MakeRuntime) -> None:
    sink = MemorySink()
    sink.trouble = [OSError(errno.EISDIR, "Is a directory")]
    with pytest.raises(IsADirectoryError):
        runtime(sink).run(ListSource(articles(5)))


def test_an_article_too_large_for_the_log_is_a_reject_not_a_crash(runtime: MakeRuntime) -> None:
    run = runtime(max_bytes=2000)
    counts = run.run(ListSource([*articles(2), article("كلمة " * 1000), article("\ud800 half a letter")]))
    assert counts.outputs == 2
    assert counts.rejects == {"too-large": 1, "bad-text": 1}
    assert counts.ended == counts.read == 4


def test_an_archives_rejects_are_kept_once_however_often_it_is_replayed(runtime: MakeRuntime) -> None:
    bad = Reject(stage="source", reason="bad-json", error="not JSON", file="a.jsonl", line=2, offset=9, value="eA==")
    other = Reject(stage="source", reason="bad-json", error="not JSON", file="a.jsonl", line=3, offset=99, value="eA==")
    for _ in range(2):
        run = runtime()
        counts = run.run(ListSource([*articles(2), bad, other]))
        assert counts.rejects == {"bad-json": 2}
    assert [wire.decode(Reject, v).line for v in values(run.log, "rasd.rejects")] == [2, 3]


def test_what_another_run_added_is_told_apart_from_what_this_one_read(runtime: MakeRuntime) -> None:
    added = runtime(flow=())
    counts = added.run(ListSource(articles(20), "first"))
    assert (counts.read, counts.left, counts.ended) == (20, 20, 0)
    run = runtime()
    counts = run.run(ListSource(articles(30)[20:], "second"))
    assert (counts.read, counts.taken_up, counts.outputs) == (10, 20, 30)
    assert counts.ended + counts.left == counts.read + counts.taken_up


def test_trimming_before_the_stages_ran_loses_no_article(runtime: MakeRuntime) -> None:
    runtime(flow=()).run(ListSource(articles(20)))
    run = runtime()
    with run.log.transaction():
        assert run.log.trim("rasd.articles", 10**15) == 0
    assert run.run().outputs == 20


def test_a_sink_that_comes_late_begins_where_the_log_does(
    runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    run = runtime()
    run.run(ListSource(articles(20)))
    with run.log.transaction():
        run.log.trim("rasd.events", 10**15)
    sink = MemorySink()
    late = runtime(sink)
    assert "after what was trimmed" in caplog.text
    late.run(ListSource(articles(25)[20:], "more"))
    assert len(sink.kept) == 5


def test_two_runs_over_one_log_cannot_both_commit(runtime: MakeRuntime) -> None:
    run = runtime()
    runtime(flow=()).run(ListSource(articles(5)))
    runtime().run()
    runtime(flow=()).run(ListSource(articles(9)[5:], "more"))
    run._stages[0].reader.next = {0: 0}
    with pytest.raises(StorageError, match="another process"):
        run.run()


def test_a_source_that_has_nothing_due_writes_nothing(runtime: MakeRuntime) -> None:
    stop = threading.Event()

    class Idle(ListSource):
        looks = 0

        def read(self, skip: int = 0) -> Iterator[None]:  # type: ignore[override]
            while True:
                self.looks += 1
                if self.looks > 20:
                    stop.set()
                yield None

    run = runtime(stop=stop)
    writes = run.log._db.total_changes
    run.run(Idle([]))
    assert run.log._db.total_changes == writes
