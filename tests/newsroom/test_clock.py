from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from connectors.newsroom.clock import SimulatedClock, WatchedTime

WEEK = 7 * 86_400.0


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(main(), timeout=10)

    asyncio.run(limited())


def test_a_week_of_sleep_passes_at_once_and_in_order(tmp_path: Path) -> None:
    clock = SimulatedClock(tmp_path / "clock", start=1000.0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, when: float) -> None:
        await clock.sleep_until(when)
        woken.append((name, clock.now()))

    async def main() -> None:
        await asyncio.gather(sleeper("late", 1000 + WEEK), sleeper("soon", 1001.5), sleeper("past", 3.0))

    begin = time.monotonic()
    run(main)
    assert woken == [("past", 1000.0), ("soon", 1001.5), ("late", 1000 + WEEK)]
    assert time.monotonic() - begin < 1.0


def test_it_stands_still_while_a_thread_is_working(tmp_path: Path) -> None:
    clock = SimulatedClock(tmp_path / "clock", start=0.0)
    seen: list[float] = []
    begun = threading.Event()

    def heavy() -> None:
        with clock.working():
            begun.set()
            time.sleep(0.05)
            seen.append(clock.now())

    async def main() -> None:
        thread = threading.Thread(target=heavy)
        thread.start()
        begun.wait()
        await clock.sleep_until(100.0)
        assert clock.now() == 100.0
        thread.join()

    run(main)
    assert seen == [0.0]


def test_a_chain_of_callbacks_is_finished_before_time_moves(tmp_path: Path) -> None:
    clock = SimulatedClock(tmp_path / "clock", start=0.0)
    times: list[float] = []

    async def main() -> None:
        asleep = asyncio.ensure_future(clock.sleep_until(5.0))
        queue: asyncio.Queue[int] = asyncio.Queue(1)

        async def consume() -> None:
            for _ in range(500):
                await queue.get()
                times.append(clock.now())

        reader = asyncio.ensure_future(consume())
        for i in range(500):
            await queue.put(i)
        await reader
        await asleep

    run(main)
    assert set(times) == {0.0}


def test_it_stands_still_during_work_that_waits_for_a_socket(tmp_path: Path) -> None:
    clock = SimulatedClock(tmp_path / "clock", start=0.0)
    served: list[float] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        await asyncio.sleep(0.03)
        served.append(clock.now())
        writer.write(b"done\n")
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        asleep = asyncio.ensure_future(clock.sleep_until(9.0))
        with clock.working():
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"go\n")
            assert await reader.readline() == b"done\n"
            assert clock.now() == 0.0
            writer.close()
        await asleep
        assert clock.now() == 9.0
        server.close()

    run(main)
    assert served == [0.0]


def test_a_cancelled_sleeper_wakes_nobody(tmp_path: Path) -> None:
    clock = SimulatedClock(tmp_path / "clock", start=0.0)

    async def main() -> None:
        first = asyncio.ensure_future(clock.sleep_until(10.0))
        await asyncio.sleep(0)
        first.cancel()
        await clock.sleep_until(20.0)

    run(main)
    assert (clock.now(), clock.jumps) == (20.0, 1)


def test_it_serves_one_loop_after_another_even_if_the_first_ended_asleep(tmp_path: Path) -> None:
    clock = SimulatedClock(tmp_path / "clock", start=0.0)

    async def cut_short() -> None:
        asleep = asyncio.ensure_future(clock.sleep_until(50.0))
        await asyncio.sleep(0)
        assert not asleep.done()

    async def main() -> None:
        await clock.sleep_until(100.0)

    asyncio.run(cut_short())
    run(main)
    assert clock.now() == 100.0


def test_the_next_process_goes_on_at_the_time_of_the_file_and_others_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    first = SimulatedClock(file, start=100.0)
    watched = WatchedTime(file)

    async def main() -> None:
        await first.sleep_until(250.25)

    run(main)
    assert watched() == 250.25
    again = SimulatedClock(file, start=0.0)
    assert again.now() == 250.25
    again.pass_time(5.0)
    assert watched() == 255.25
