"""The worker's core without a broker: an engine that keeps everything in memory, and can be killed at any step."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline import wire
from pipeline.errors import Stalled
from pipeline.flow import FLOW, Made, Stage, loaded, make, make_many
from pipeline.log.kafka.headers import event_time, header
from pipeline.pool import Pool
from pipeline.records import Article, Outcome, Reject, Unique, Verdict
from pipeline.runtimes.kafka.fitting_rejects import bounded_reject
from pipeline.runtimes.kafka.stage_engine import Displaced, Incoming, Outgoing, Stored, TooLarge
from pipeline.runtimes.kafka.stagework import StageWork
from pipeline.topics import ARTICLES, REJECTS, UNIQUE, VERDICTS
from tests.builders import article, unique

DEDUPE, EXTRACT = FLOW
TRACE = b"00-0123456789abcdef0123456789abcdef-0123456789abcdef-00"
STEPS = ("before-send", "mid-send", "after-send", "mid-log", "after-log", "after-put")


class Killed(BaseException):
    """The process ended here."""


class Memory(Stored):
    """Stored state that outlives nothing: made anew from the changelog."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.kept = {k: v for k, v in engine.changelog if v}

    def put(self, changes: Mapping[str, bytes], offset: int) -> None:
        self.kept.update(changes)
        self.engine.did.append(("put", offset))
        self.engine.reach("after-put")

    def __getitem__(self, key: str) -> bytes:
        return self.kept[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.kept)

    def __len__(self) -> int:
        return len(self.kept)


class Engine:
    """What brokers keep (`sent`, `changelog`, `committed`), in memory. kill: (step, how many times it is passed)."""

    def __init__(self, sent: list[Outgoing], changelog: list[tuple[str, bytes]]) -> None:
        self.sent, self.changelog = sent, changelog
        self.committed: dict[int, int] = {}
        self.did: list[tuple[str, int]] = []
        self.kill: tuple[str, int] | None = None
        self.displaced = False
        self.refuses: Callable[[Outgoing], bool] = lambda message: False
        self.most = 1_000_000  # bytes that the changelog takes
        self.gate = asyncio.Event()
        self.gate.set()

    def reach(self, step: str) -> None:
        if self.kill is not None and self.kill[0] == step:
            self.kill = (step, self.kill[1] - 1)
            if self.kill[1] < 0:
                raise Killed

    async def send(self, messages: Sequence[Outgoing]) -> None:
        self.reach("before-send")
        for at, message in enumerate(messages):
            if self.refuses(message):
                raise TooLarge("too large for the topic", at)
        for at, message in enumerate(messages):
            if at == len(messages) // 2:
                self.reach("mid-send")
            self.sent.append(message)
        await self.gate.wait()
        self.did.append(("send", len(messages)))
        self.reach("after-send")

    async def log_changes(self, partition: int, changes: Sequence[tuple[str, bytes]]) -> int:
        if self.displaced:
            raise Displaced("stood still")
        for at, (_, value) in enumerate(changes):
            if len(value) > self.most:
                raise TooLarge("too large for the changelog", at)
        for at, change in enumerate(changes):
            if at == len(changes) // 2:
                self.reach("mid-log")
            self.changelog.append(change)
        await asyncio.sleep(0)
        self.did.append(("log", len(changes)))
        self.reach("after-log")
        return len(self.changelog) - 1

    def stored(self, partition: int) -> Stored:
        return Memory(self)

    def ack(self, partition: int, following: int) -> None:
        self.did.append(("ack", following))
        self.committed[partition] = following


def run(job: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(job, 20))


def messages(records: Sequence[Article | Unique | bytes | None], **given: Any) -> list[Incoming]:
    topic = ARTICLES.name
    return [
        Incoming(topic, 0, n, b"ar", r if r is None or isinstance(r, bytes) else wire.encode(r), **given)
        for n, r in enumerate(records)
    ]


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0.002)


async def through(work: StageWork, given: Sequence[Incoming]) -> None:
    """Gives messages, and waits until all are settled or the work has failed."""
    for message in given:
        if work.failed.done():
            break
        await work.take(message)
    await until(lambda: not work.held or work.failed.done())


def news() -> list[Article]:
    """Some that are new, one twice, one edited, one copied."""
    texts = [f"قتل {n} أشخاص في قصف على بلدة رقم {n} مساء اليوم بحسب مصادر محلية تحدثت عن الحادث" for n in range(3, 15)]
    found = [article(text, url=f"https://example.org/{n}") for n, text in enumerate(texts)]
    edited = article(texts[2] + " وأضاف البيان تفاصيل", url="https://example.org/2")
    copied = article(texts[4], url="https://example.net/copy")
    return [*found[:6], found[1], edited, copied, *found[6:], edited]


def alone(records: Sequence[Article]) -> list[tuple[str, str | None, bytes]]:
    """What the steps make of records one after the other."""
    step, stored = loaded(DEDUPE, None), dict[str, bytes]()
    assert DEDUPE.view is not None
    view = DEDUPE.view(stored)
    out: list[tuple[str, str | None, bytes]] = []
    for record in records:
        made = make(DEDUPE, step, wire.encode(record), view)
        stored.update(made.changes or {})
        view.apply(made.changes or {})
        out += made.outputs
    return out


def sent(engine: Engine) -> list[tuple[str, str | None, bytes]]:
    return [(m.topic, m.key.decode() if m.key else None, m.value) for m in engine.sent]


def test_outputs_come_in_order_as_without_a_broker() -> None:
    async def job() -> None:
        engine = Engine([], [])
        work = StageWork(DEDUPE, engine, batch=4)
        work.assign([0])
        await through(work, messages(news()))
        assert sent(engine) == alone(news())
        assert engine.committed == {0: len(news())}
        assert work.tally.settled == len(news())

    run(job())


def test_each_batch_is_sent_then_logged_then_stored_then_committed() -> None:
    async def job() -> None:
        engine = Engine([], [])
        work = StageWork(DEDUPE, engine, batch=3)
        work.assign([0])
        await through(work, messages(news()))
        steps = [name for name, _ in engine.did]
        for at, name in enumerate(steps):
            if name == "put":
                assert steps[at - 2 : at + 2] == ["send", "log", "put", "ack"]
        assert steps.count("put") >= 4
        acks = [n for name, n in engine.did if name == "ack"]
        assert acks == sorted(acks)

    run(job())


def test_nothing_is_logged_or_committed_before_outputs_are_acknowledged() -> None:
    async def job() -> None:
        engine = Engine([], [])
        engine.gate.clear()
        work = StageWork(DEDUPE, engine, batch=4)
        work.assign([0])
        for message in messages(news()[:6]):
            await work.take(message)
        await until(lambda: bool(engine.sent))
        await asyncio.sleep(0.02)
        assert (engine.changelog, engine.committed) == ([], {})
        engine.gate.set()
        await until(lambda: not work.held)
        assert engine.committed == {0: 6}

    run(job())


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("times", [0, 2])
def test_a_kill_at_any_step_repeats_messages_and_changes_none(step: str, times: int) -> None:
    async def job() -> None:
        engine = Engine([], [])
        engine.kill = (step, times)
        work = StageWork(DEDUPE, engine, batch=3)
        work.assign([0])
        await through(work, messages(news()))
        assert isinstance(work.failed.result(), Killed)
        work.revoke()
        after = Engine(engine.sent, engine.changelog)
        again = StageWork(DEDUPE, after, batch=3)
        again.assign([0])
        await through(again, messages(news())[engine.committed.get(0, 0) :])
        assert set(sent(after)) == set(alone(news()))
        last = {k: v for t, k, v in sent(after) if t == VERDICTS.name}
        assert last == {k: v for t, k, v in alone(news()) if t == VERDICTS.name}
        assert Memory(after).kept == Memory(await whole()).kept

    async def whole() -> Engine:
        engine = Engine([], [])
        work = StageWork(DEDUPE, engine)
        work.assign([0])
        await through(work, messages(news()))
        return engine

    run(job())


def test_one_article_is_not_changed_twice_in_one_batch() -> None:
    async def job() -> None:
        first = article("نص أول عن بلدة هادئة في الجنوب", url="https://example.org/a")
        second = article("نص ثان مختلف تماماً عن السوق في المدينة", url="https://example.org/a")
        engine = Engine([], [])
        work = StageWork(DEDUPE, engine, batch=10)
        work.assign([0])
        for message in messages([first, second]):
            await work.take(message)
        await until(lambda: not work.held)
        assert [n for name, n in engine.did if name == "log"] == [1, 1]

    run(job())


def test_what_was_under_way_is_dropped_when_partitions_move_and_made_again() -> None:
    async def job() -> None:
        engine = Engine([], [])
        engine.gate.clear()
        work = StageWork(DEDUPE, engine, batch=4)
        work.assign([0])
        for message in messages(news()[:6]):
            await work.take(message)
        await until(lambda: bool(engine.sent))
        work.revoke()
        engine.gate.set()
        await asyncio.sleep(0.02)
        assert (engine.changelog, engine.committed, work.held) == ([], {}, 0)
        work.assign([0])
        await through(work, messages(news()))
        assert set(sent(engine)) == set(alone(news()))

    run(job())


def test_a_message_of_a_partition_that_is_not_ours_is_dropped() -> None:
    async def job() -> None:
        engine = Engine([], [])
        work = StageWork(DEDUPE, engine)
        work.assign([1])
        await work.take(messages(news()[:1])[0])
        assert (work.held, work.tally.taken) == (0, 0)

    run(job())


def test_who_waits_for_room_is_let_go_when_partitions_move() -> None:
    async def job() -> None:
        engine = Engine([], [])
        engine.gate.clear()
        work = StageWork(DEDUPE, engine, batch=1, window=1)
        work.assign([0])
        waiting = asyncio.create_task(through(work, messages(news())))
        await until(lambda: work.held >= work.room)
        work.revoke()
        work.assign([0])  # the same partition, a new generation: what waited must not get in before what comes again
        await asyncio.sleep(0.01)
        assert work.tally.taken <= len(news())
        first = work.parts[0].last
        waiting.cancel()
        assert first == -1 or first > 0

    run(job())


def test_a_displaced_worker_logs_and_commits_nothing() -> None:
    async def job() -> None:
        engine = Engine([], [])
        engine.displaced = True
        work = StageWork(DEDUPE, engine)
        work.assign([0])
        await through(work, messages(news()[:3]))
        assert isinstance(work.failed.result(), Displaced)
        assert (engine.changelog, engine.committed) == ([], {})

    run(job())


# -- bad input -------------------------------------------------------------------------------------------------------

BAD: list[tuple[bytes | None, bytes | None, str]] = [
    (b"ar", None, "no-value"),
    (b"ar", b"", "bad-json"),
    (b"ar", b"\x00\xff\xfe", "bad-json"),
    (b"ar", b"[" * 5000, "bad-record"),
    (b"ar", b'{"schema":"rasd.event/1"}', "wrong-schema"),
    (b"ar", b" " * 300_001, "too-large"),
    (b"\xff\xfe", b"{}", "bad-key"),
]


@pytest.mark.parametrize(("key", "value", "reason"), BAD)
def test_bad_input_is_a_reject_between_good_messages(key: bytes | None, value: bytes | None, reason: str) -> None:
    async def job() -> None:
        engine = Engine([], [])
        work = StageWork(DEDUPE, engine, max_bytes=300_000)
        work.assign([0])
        good = messages(news()[:2])
        bad = Incoming(ARTICLES.name, 0, 1, key, value, (("alien", b"\xff"), ("rasd-event-time", b"soon")))
        await through(work, [good[0], bad, Incoming(ARTICLES.name, 0, 2, b"ar", good[1].value)])
        [reject] = [wire.decode(Reject, m.value) for m in engine.sent if m.topic == REJECTS.name]
        assert (reject.reason, reject.stage, reject.topic, reject.offset) == (reason, "dedupe", ARTICLES.name, 1)
        assert sum(m.topic == VERDICTS.name for m in engine.sent) == 2
        assert engine.committed == {0: 3}

    run(job())


def test_a_reject_is_cut_until_it_fits() -> None:
    failure = make(DEDUPE, loaded(DEDUPE, None), b"{").failure
    assert failure is not None
    for size, limit in ((5_000, 2_000), (3_000_000, 1_000_000), (100_000, 1_000)):
        message = Incoming(ARTICLES.name, 0, 7, b"k" * 1_000, b"x" * size)
        reject = bounded_reject(message, "dedupe", failure, limit)
        assert len(wire.encode(reject)) <= limit
        assert reject.truncated
        assert set(base64.b64decode(reject.value or "")) <= {ord("x")}


def test_a_reject_of_a_message_with_a_monstrous_key_fits_together_with_that_key() -> None:
    failure = make(DEDUPE, loaded(DEDUPE, None), b"{").failure
    assert failure is not None
    for key in (b"k" * 4_500_000, b"\xff" * 1_000_000):
        reject = bounded_reject(Incoming(ARTICLES.name, 0, 7, key, b"x" * 100_000), "dedupe", failure, 8_000_000)
        assert len(wire.encode(reject)) + len((reject.key or "").encode()) <= 8_000_000
        assert base64.b64decode(reject.value or "") == b"x" * 100_000


def test_an_output_that_the_broker_refuses_is_a_reject_and_the_rest_goes_on() -> None:
    async def job() -> None:
        engine = Engine([], [])
        refused = news()[3].id
        engine.refuses = lambda m: m.topic == UNIQUE.name and m.key == refused.encode()
        work = StageWork(DEDUPE, engine, batch=4)
        work.assign([0])
        await through(work, messages(news()))
        rejects = [wire.decode(Reject, m.value) for m in engine.sent if m.topic == REJECTS.name]
        assert [(r.reason, r.offset) for r in rejects] == [("too-large", 3)]
        judged = {wire.decode(Verdict, m.value).article_id for m in engine.sent if m.topic == VERDICTS.name}
        assert judged == {a.id for a in news()} - {refused}
        assert engine.committed == {0: len(news())}

    run(job())


def test_who_waits_for_room_while_an_output_is_refused_gets_in() -> None:
    async def job() -> None:
        engine = Engine([], [])
        refused = news()[1].id
        engine.refuses = lambda m: m.topic == UNIQUE.name and m.key == refused.encode()
        engine.gate.clear()
        work = StageWork(DEDUPE, engine, batch=1, window=1)
        work.assign([0])
        giving = asyncio.create_task(through(work, messages(news())))
        await until(lambda: work.held >= work.room)
        engine.gate.set()
        await giving
        assert (work.tally.taken, engine.committed) == (len(news()), {0: len(news())})

    run(job())


def test_state_that_the_changelog_refuses_is_a_reject_and_the_rest_goes_on() -> None:
    async def job() -> None:
        engine = Engine([], [])
        long = article(" ".join(f"كلمة{n}" for n in range(900)), url="https://example.org/long")
        engine.most = 2_000
        work = StageWork(DEDUPE, engine, batch=4)
        work.assign([0])
        await through(work, messages([*news()[:3], long, *news()[3:6]]))
        rejects = [wire.decode(Reject, m.value) for m in engine.sent if m.topic == REJECTS.name]
        assert [(r.reason, r.offset) for r in rejects] == [("too-large", 3)]
        assert set(Memory(engine).kept) == {a.id for a in news()[:6]}
        assert engine.committed == {0: 7}

    run(job())


def test_an_output_or_state_above_the_limit_is_a_reject_and_changes_no_state() -> None:
    async def job() -> None:
        engine = Engine([], [])
        value = wire.encode(long := article("كلمة " * 2_000, url="https://example.org/long"))
        work = StageWork(DEDUPE, engine, max_bytes=len(value) + 10)
        work.assign([0])
        await through(work, [Incoming(ARTICLES.name, 0, 0, b"ar", value)])
        [reject] = [wire.decode(Reject, m.value) for m in engine.sent]
        assert reject.reason == "too-large"
        assert (engine.changelog, long.id in Memory(engine).kept) == ([], False)

    run(job())


# -- headers ---------------------------------------------------------------------------------------------------------


def test_headers_carry_event_time_and_trace_on_and_name_the_schema() -> None:
    async def job() -> None:
        engine = Engine([], [])
        work = StageWork(DEDUPE, engine)
        work.assign([0])
        given = (("rasd-event-time", b"1773489600000"), ("traceparent", TRACE))
        await through(work, messages([news()[0], b"{"], headers=given))
        for message in engine.sent:
            assert event_time(message.headers) == 1773489600000
            assert header(message.headers, "traceparent") == TRACE
        schemas = Counter(header(m.headers, "rasd-schema") for m in engine.sent)
        assert schemas == {b"rasd.verdict/1": 1, b"rasd.unique/1": 1, b"rasd.reject/1": 1}

    run(job())


def test_a_trace_that_is_none_begins_a_new_one() -> None:
    async def job() -> None:
        engine = Engine([], [])
        work = StageWork(DEDUPE, engine)
        work.assign([0])
        await through(work, messages([news()[0]], headers=(("traceparent", b"\xffmine"),)))
        traces = {header(m.headers, "traceparent") for m in engine.sent}
        assert all(t and t.startswith(b"00-") and len(t) == 55 for t in traces)

    run(job())


# -- the pool --------------------------------------------------------------------------------------------------------


def _load_touchy(gazetteer: Path | None) -> Callable[..., Outcome]:
    return _touchy


def _touchy(record: Unique) -> Outcome:
    if "قاتل" in record.article.body:
        raise SystemExit  # ends the child process, as a crash in a C library does
    return Outcome(outputs=(record.verdict,))


TOUCHY = Stage("touchy", UNIQUE, _load_touchy, pooled=True)


def test_an_article_that_kills_its_process_is_rejected_alone_and_order_holds() -> None:
    async def job() -> None:
        pool = Pool(2)
        try:
            engine = Engine([], [])
            work = StageWork(TOUCHY, engine, pool=pool, task_seconds=5)
            work.assign([0])
            records = [unique(f"نص {n}" if n != 9 else "نص قاتل") for n in range(20)]
            await through(work, messages(records))
            rejects = [wire.decode(Reject, m.value) for m in engine.sent if m.topic == REJECTS.name]
            assert [(r.reason, r.retryable, r.offset) for r in rejects] == [("process-died", True, 9)]
            order = [m.key for m in engine.sent if m.topic == VERDICTS.name]
            assert order == [r.article.id.encode() for n, r in enumerate(records) if n != 9]
            assert engine.committed == {0: 20}
        finally:
            pool.close()

    run(job())


def test_a_drain_settles_what_is_being_made_and_leaves_what_waits() -> None:
    async def job() -> None:
        engine = Engine([], [])
        engine.gate.clear()
        work = StageWork(DEDUPE, engine, batch=2, window=1)
        work.assign([0])
        taking = asyncio.create_task(through(work, messages(news())))
        await until(lambda: bool(engine.sent))
        drain = asyncio.create_task(work.drain(5))
        await asyncio.sleep(0.01)
        engine.gate.set()
        await drain
        assert work.held == 0
        assert 0 < engine.committed[0] < len(news())
        taking.cancel()

    run(job())


def test_giving_up_says_what_the_embedded_runtime_says() -> None:
    from pipeline.runtimes.turns import given_up

    made: Made = given_up(Stalled("took too long", reason="timeout"))
    assert made.failure is not None
    assert (made.what, made.failure.error, made.failure.retryable) == ("reject", "extraction took too long", True)
    assert make_many(DEDUPE, None, []) == []
