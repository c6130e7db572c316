"""Topics that are deleted and made anew under a running worker: it sees that they are others, and begins at their
first messages."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.log import Message
from pipeline.runtimes.kafka import worker_stage
from pipeline.runtimes.kafka.stage_engine import Displaced
from tests.pipeline.kafka.worker_site import Embedded, Site
from tests.waiting import until

pytestmark = pytest.mark.kafka


def delete(site: Site, *names: str) -> None:
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(**site.cluster.common())
    try:
        ours = [name for name in admin.list_topics() if name.startswith(site.cluster.prefix)]
        admin.delete_topics([t for t in ours if not names or t.removeprefix(site.cluster.prefix) in names])
    finally:
        admin.close()


@contextmanager
def unseen(process: subprocess.Popen[str]) -> Iterator[None]:
    """The worker is not told that there is no topic for a moment: it might join its group anew."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def test_topics_made_anew_under_a_worker_are_read_from_their_first_message(
    site: Callable[[int], Site], embedded: Embedded
) -> None:
    from pipeline.log.kafka.topics import ensure_topics

    two = site(2)
    two.publish(embedded.articles[:30])
    with two.worker() as process:
        two.until("rasd.verdicts", 30)
        time.sleep(1)  # committed
        with unseen(process):
            delete(two)
            ensure_topics(two.config, wait=20)
            two.publish(embedded.articles)
        two.until("rasd.events", len(embedded.rows["rasd.events"]), 60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) == 0
    assert two.rows() == embedded.rows


def test_a_topic_between_two_stages_that_is_made_anew_is_read_from_its_first_message(
    site: Callable[[int], Site], embedded: Embedded
) -> None:
    """As long as the old one was when the worker looks: its length tells nothing."""
    from pipeline.log.kafka.topics import ensure_topics

    one = site(1)
    one.publish(embedded.articles)
    events = len(embedded.rows["rasd.events"])
    with one.worker() as process:
        one.until("rasd.events", events)
        unique: list[Message] = one.read("rasd.unique")
        time.sleep(1)
        with unseen(process):
            delete(one, "unique")
            ensure_topics(one.config, wait=20)
            one.publish_to("rasd.unique", unique)
        until(lambda: len(one.read("rasd.events")) >= 2 * events, every=0.1)  # all of them once more
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) == 0
    assert one.rows() == embedded.rows


def test_to_be_displaced_is_no_crash_however_often_it_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is frozen nine times in two minutes goes on."""
    from pipeline.flow import FLOW

    async def run() -> int:
        worker: Any = SimpleNamespace(stop=asyncio.Event(), pool_for=lambda stage: None, or_stop=lambda job: job)
        running = worker_stage.StageRunner(worker, FLOW[0])
        left = [Displaced("this process stood still for 5 s")] * 10

        async def once() -> BaseException | None:
            return left.pop() if left else None

        async def at_once(job: Any, seconds: float) -> None:
            job.close()

        monkeypatch.setattr(running, "_once", once)
        monkeypatch.setattr(running, "_brokers", lambda: asyncio.sleep(0))
        monkeypatch.setattr(worker_stage.asyncio, "wait_for", at_once)
        await running.run()
        return running.crashes

    assert asyncio.run(run()) == 10
