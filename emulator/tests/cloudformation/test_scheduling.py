"""Work in the order of dependencies, and its cancellation."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_emulator.cloudformation.scheduling import MOST_AT_ONCE, Cancellation, in_order


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, set[str]]:
    names = [f"r{number}" for number in range(draw(st.integers(1, 30)))]
    return {
        name: set(draw(st.lists(st.sampled_from(names[:index]), max_size=3)) if index else ())
        for index, name in enumerate(names)
    }


@given(graphs(), st.data())
def test_work_begins_when_all_that_it_needs_is_done_and_never_for_what_needs_a_failure(
    needs: dict[str, set[str]], data: st.DataObject
) -> None:
    broken = set(data.draw(st.lists(st.sampled_from(sorted(needs)), max_size=3)))
    done: list[str] = []
    busy = most = 0

    async def work(name: str) -> bool:
        nonlocal busy, most
        assert needs[name] <= set(done)
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0)
        busy -= 1
        if name not in broken:
            done.append(name)
        return name not in broken

    failed = asyncio.run(in_order(needs, work, Cancellation(), stop_at_failure=False))
    assert most <= MOST_AT_ONCE
    expected: set[str] = set()
    for name, needed in needs.items():  # in an order in which they can be done
        if name not in broken and needed <= expected:
            expected.add(name)
    assert set(done) == expected
    assert failed == {name for name in broken if needs[name] <= expected}


def test_a_failure_ends_what_is_under_way_and_begins_nothing_more() -> None:
    begun: list[str] = []

    async def work(name: str) -> bool:
        begun.append(name)
        if name == "bad":
            return False
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return False
        return True

    cancellation = Cancellation()
    failed = asyncio.run(in_order({"slow": set(), "bad": set(), "later": {"slow"}}, work, cancellation))
    assert (failed, begun, bool(cancellation)) == ({"slow", "bad"}, ["slow", "bad"], True)


def test_a_call_is_never_ended_half_way() -> None:
    """What the call has made is noted before the work ends."""
    noted: list[str] = []

    async def scenario() -> None:
        cancellation, made = Cancellation(), asyncio.Event()

        async def call(result: str) -> str:
            cancellation.call_begins()
            try:
                await made.wait()
                return result
            finally:
                cancellation.call_ends()

        async def work(_: str) -> bool:
            try:
                noted.extend(await asyncio.gather(call("one"), call("two")))
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                noted.append("ended")
            return False

        running = asyncio.ensure_future(in_order({"r": set()}, work, cancellation))
        await asyncio.sleep(0.01)
        cancellation.cancel("enough")
        await asyncio.sleep(0.01)
        assert noted == []
        made.set()
        await running

    asyncio.run(scenario())
    assert noted == ["one", "two", "ended"]


def test_whoever_waits_for_the_work_can_be_cancelled_with_it() -> None:
    ended: list[str] = []

    async def scenario() -> None:
        async def work(name: str) -> bool:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(name)
            return True

        running = asyncio.ensure_future(in_order({"a": set(), "b": set()}, work, Cancellation()))
        await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert running.cancelled()

    asyncio.run(scenario())
    assert sorted(ended) == ["a", "b"]
