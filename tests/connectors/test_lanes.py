from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from connectors import lanes as lanes_module
from connectors.lanes import PROVEN, SHARES, SLOW, SLUGGISH, UNKNOWN, Lanes, Place

QUICK = 0.1


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 10))


async def waiting(lanes: Lanes, seconds: float | None) -> asyncio.Task[Place]:
    """Somebody who asks for a place and has not got it."""
    task = asyncio.create_task(lanes.enter(seconds))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not task.done()
    return task


@pytest.mark.parametrize("seconds", [QUICK, None, SLOW * 2])
def test_each_kind_of_host_has_its_share(seconds: float | None) -> None:
    async def work() -> None:
        lanes = Lanes(16)
        inside = [await lanes.enter(seconds) for _ in range(int(16 * SHARES[_lane(seconds)]))]
        task = await waiting(lanes, seconds)
        lanes.leave(inside.pop())
        assert (await task).lane == _lane(seconds)

    run(work())


def _lane(seconds: float | None) -> int:
    return UNKNOWN if seconds is None else PROVEN if seconds <= SLOW else SLUGGISH


def test_slow_and_unknown_hosts_leave_places_for_the_quick_ones() -> None:
    async def work() -> None:
        lanes = Lanes(16)
        tasks = [asyncio.create_task(lanes.enter(seconds)) for seconds in [None, SLOW * 2] * 50]
        await asyncio.sleep(0)
        assert [(await lanes.enter(QUICK)).lane for _ in range(2)] == [PROVEN] * 2
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(work())


def test_there_is_a_place_for_everybody_even_of_one() -> None:
    async def work() -> None:
        lanes = Lanes(1)
        for seconds in (QUICK, None, SLOW * 2):
            lanes.leave(await lanes.enter(seconds))

    run(work())


def test_the_lane_that_uses_least_of_its_share_comes_first() -> None:
    async def work() -> None:
        lanes = Lanes(16)
        inside = [await lanes.enter(QUICK) for _ in range(16)]
        quick, unknown, slow = [await waiting(lanes, seconds) for seconds in (QUICK, None, SLOW * 2)]
        lanes.leave(inside.pop())
        await asyncio.sleep(0.001)
        assert (quick.done(), unknown.done(), slow.done()) == (False, True, False)
        lanes.leave(inside.pop())
        await asyncio.sleep(0.001)
        assert (quick.done(), slow.done()) == (False, True)
        lanes.leave(inside.pop())
        assert (await quick).lane == PROVEN

    run(work())


def test_who_gives_up_takes_no_place_even_if_it_was_given_just_then() -> None:
    async def work() -> None:
        lanes = Lanes(1)
        place = await lanes.enter(QUICK)
        gone, given = await waiting(lanes, QUICK), await waiting(lanes, QUICK)
        gone.cancel()
        lanes.leave(place)
        given.cancel()
        await asyncio.gather(gone, given, return_exceptions=True)
        lanes.leave(await lanes.enter(QUICK))
        assert lanes._free == 1

    run(work())


def test_a_request_that_takes_long_gives_way_only_while_somebody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "FIRST_PATIENCE", 0.05)

    async def work() -> None:
        lanes = Lanes(2)
        told: list[int] = []
        inside = [await lanes.enter(QUICK) for _ in range(2)]
        for number, place in enumerate(inside):
            place.cut = lambda number=number: told.append(number)  # type: ignore[misc]
        await asyncio.sleep(0.1)
        assert told == []
        task = await waiting(lanes, QUICK)
        await asyncio.sleep(0.03)
        assert told[:1] == [0]
        assert inside[0].was_cut
        lanes.leave(inside[0])
        assert (await task).lane == PROVEN

    run(work())


def test_slow_hosts_are_given_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "FIRST_PATIENCE", 0.01)

    async def work() -> None:
        lanes = Lanes(8)
        place = await lanes.enter(SLOW * 2)
        task = await waiting(lanes, SLOW * 2)
        await asyncio.sleep(0.1)
        assert not place.was_cut
        lanes.leave(place)
        lanes.leave(await task)

    run(work())


def test_patience_is_learnt_from_what_answers_take() -> None:
    async def work() -> None:
        lanes = Lanes(1)

        async def answers(seconds: float, times: int) -> float:
            for _ in range(times):
                lanes.leave(await lanes.enter(QUICK), answered=seconds)
            return lanes.patience

        assert await answers(0.1, 1) == lanes_module.FIRST_PATIENCE
        assert await answers(0.1, 20) == pytest.approx(0.8, abs=0.1)
        assert await answers(0.001, 900) == lanes_module.SHORTEST_PATIENCE
        assert await answers(1.5, 900) == SLOW
        assert await answers(30.0, 900) == SLOW

    run(work())
