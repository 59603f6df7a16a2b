"""That heavy work is spread over turns of the event loop, in order, and that nothing waits for those who left."""

import asyncio

import pytest

from pas_middleware.proxy.turns import Turns


class Watch:
    """Counts the turns of the loop, and notes in which one each task went on."""

    def __init__(self, each: int) -> None:
        self.turns, self.turn, self.went = Turns(each), 0, []

    async def goes(self, name: int) -> None:
        await self.turns.take()
        self.went.append((name, self.turn))

    async def run(self, tasks: list[asyncio.Task]) -> None:
        while not all(task.done() for task in tasks):
            self.turn += 1
            await asyncio.sleep(0)


@pytest.mark.parametrize("each", [1, 3, 16])
async def test_so_many_go_on_in_a_turn_in_the_order_of_asking(each):
    watch = Watch(each)
    await watch.run([asyncio.ensure_future(watch.goes(n)) for n in range(40)])
    assert [name for name, _ in watch.went] == list(range(40))
    in_turns = [turn for _, turn in watch.went]
    assert max(in_turns.count(turn) for turn in set(in_turns)) == each
    assert len(set(in_turns)) == -(-40 // each)


async def test_few_never_wait():
    watch = Watch(16)
    for n in range(3):
        await watch.goes(n)
    assert watch.went == [(0, 0), (1, 0), (2, 0)]


async def test_one_who_asks_again_stands_behind_those_who_wait():
    watch = Watch(1)

    async def thrice(name: int) -> None:
        for _ in range(3):
            await watch.goes(name)

    await watch.run([asyncio.ensure_future(thrice(n)) for n in range(3)])
    assert [name for name, _ in watch.went][1:7] == [0, 1, 2, 0, 1, 2]  # the very first found nobody waiting


async def test_who_left_takes_no_place():
    watch = Watch(1)
    tasks = [asyncio.ensure_future(watch.goes(n)) for n in range(4)]
    await asyncio.sleep(0)
    for left in (1, 2):
        tasks[left].cancel()
    await watch.run(tasks)
    assert [name for name, _ in watch.went] == [0, 3]
    assert watch.went[1][1] <= 3
