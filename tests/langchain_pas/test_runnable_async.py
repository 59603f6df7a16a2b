"""Async calls keep off the event loop, and asynchronous callbacks run in it."""

import asyncio
import threading

import pytest
from blockbuster import BlockingError, blockbuster_ctx
from langchain_core.callbacks import AsyncCallbackHandler

from langchain_pas import PASRunnable
from pas_middleware import PAS, ScriptedModel

COMPLEMENT = "Check every step before you answer."
ASK = "How do birds fly in the rain?"
TOLD = f"{ASK}\n\n{COMPLEMENT}"


class LoopRecorder(AsyncCallbackHandler):
    def __init__(self):
        self.seen = []

    async def on_chain_start(self, *args, **kwargs):
        self.seen.append(("start", asyncio.get_running_loop()))

    async def on_custom_event(self, *args, **kwargs):
        self.seen.append(("custom", asyncio.get_running_loop()))

    async def on_chain_end(self, *args, **kwargs):
        self.seen.append(("end", asyncio.get_running_loop()))


@pytest.mark.parametrize("method", ["ainvoke", "abatch"])
async def test_async_callbacks_run_in_the_callers_loop(pas, method):
    recorder = LoopRecorder()
    argument = [ASK] if method == "abatch" else ASK
    await getattr(pas, method)(argument, {"callbacks": [recorder]})
    loop = asyncio.get_running_loop()
    assert recorder.seen == [("start", loop), ("custom", loop), ("end", loop)]


@pytest.mark.parametrize("method", ["ainvoke", "abatch"])
async def test_the_loop_runs_on_while_the_model_thinks(method):
    loop_ran, thinking = threading.Event(), threading.Event()

    def think(_):
        thinking.set()
        return COMPLEMENT if loop_ran.wait(5) else ""

    runnable = PASRunnable(pas=PAS(ScriptedModel(think)))
    task = asyncio.create_task(getattr(runnable, method)([ASK] if method == "abatch" else ASK))
    await asyncio.to_thread(thinking.wait, 5)
    loop_ran.set()
    assert await task == ([TOLD] if method == "abatch" else TOLD)


@pytest.mark.parametrize("method", ["ainvoke", "abatch"])
async def test_the_model_is_loaded_off_the_loop(monkeypatch, loads, method):
    loader = PAS.load
    threads = []

    def load(*args, **kwargs):
        threads.append(threading.current_thread())
        return loader(*args, **kwargs)

    monkeypatch.setattr(PAS, "load", load)
    await getattr(PASRunnable(), method)([ASK] if method == "abatch" else ASK)
    assert len(threads) == 1 and threads[0] is not threading.main_thread()


async def test_nothing_blocks_the_loop(pas, spy, recorder):
    def write_to_disk(_):
        with open("/dev/null", "w") as file:
            file.write("blocks")

    chain = pas | spy()
    with blockbuster_ctx():
        with pytest.raises(BlockingError):  # the net holds
            write_to_disk(None)
        await chain.ainvoke(ASK, {"callbacks": [recorder]})
        await chain.abatch(["How do bats fly in the dark?", "Why is it cold on mountains?"])
        assert [chunk async for chunk in chain.astream([("human", "Why does ice float on water?")])]
        assert [event async for event in chain.astream_events("What makes a good pillow?", version="v2")]
    assert len(recorder.custom()) == 1


async def test_a_first_load_does_not_block_the_loop(loads):
    with blockbuster_ctx():
        assert await PASRunnable().ainvoke(ASK) == TOLD
    assert len(loads) == 1


async def test_cancellation_reaches_the_caller(recorder):
    release, thinking = threading.Event(), threading.Event()

    def think(_):
        thinking.set()
        release.wait(5)
        return COMPLEMENT

    task = asyncio.create_task(PASRunnable(pas=PAS(ScriptedModel(think))).ainvoke(ASK, {"callbacks": [recorder]}))
    await asyncio.to_thread(thinking.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    assert recorder.kinds() == ["start", "error"]
