"""PAS among threads, tasks, event loops and forked processes; and stopping when told to."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from blockbuster import blockbuster_ctx

from pas_middleware import PAS, Augmentation, ScriptedModel, Settings

QUESTION = "How many birds are left on the tree after the shot?"


def numbered(prompt: str) -> str:
    return f"Remember to mention item {prompt.split()[-1]} in the answer."


class PanicException(BaseException):
    """Named as pyo3 names the panics of Rust."""


def raising(error: BaseException) -> PAS:
    def script(prompt):
        raise error

    return PAS(ScriptedModel(script))


@pytest.mark.parametrize("error", [PanicException("index out of bounds"), MemoryError("no room"), StopIteration(3)])
def test_failures_of_every_kind_pass_the_prompt_on(error):
    for result in (raising(error).augment(QUESTION), asyncio.run(raising(error).aaugment(QUESTION))):
        assert (result.reason, result.text) == ("model_error", QUESTION)
        assert type(error).__name__ in result.detail


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError()])
def test_orders_to_stop_propagate(error):
    with pytest.raises(type(error)):
        raising(error).augment(QUESTION)
    with pytest.raises(type(error)):
        asyncio.run(raising(error).aaugment(QUESTION))


async def test_cancelled_task_is_cancelled_and_what_waited_never_runs(held):
    model = ScriptedModel(held)
    pas = PAS(model)
    running, waiting = (asyncio.create_task(pas.aaugment(f"{QUESTION} {n}")) for n in "ab")
    await held.begun()
    waiting.cancel()
    running.cancel()
    for task in (running, waiting):
        with pytest.raises(asyncio.CancelledError):
            await task
    held.release()
    assert (await pas.aaugment(QUESTION)).applied
    assert model.calls == [[f"{QUESTION} a"], [QUESTION]]


async def test_close_lets_what_waits_pass_and_later_calls_start_anew(held):
    pas = PAS(ScriptedModel(held))
    running, *waiting = (asyncio.create_task(pas.aaugment(f"{QUESTION} {n}")) for n in range(8))
    await held.begun()
    pas.close()
    for task in waiting:
        result = await task
        assert result.reason == "model_error"
        assert "closed" in result.detail
    held.release()
    assert (await running).applied
    assert pas.augment(QUESTION).applied
    pas.close()


async def test_sync_call_that_waits_when_pas_is_closed_passes(held):
    pas = PAS(ScriptedModel(held))
    running = asyncio.create_task(pas.aaugment(QUESTION))
    await held.begun()
    submitted = threading.Event()
    submit = pas._pipeline.worker.submit

    def tell(task):
        future = submit(task)
        submitted.set()
        return future

    pas._pipeline.worker.submit = tell
    waiting = asyncio.create_task(asyncio.to_thread(pas.augment, f"{QUESTION} b"))
    await asyncio.to_thread(submitted.wait)
    pas.close()
    assert "closed" in (await waiting).detail
    held.release()
    assert (await running).applied


async def test_async_failures_are_logged_by_nobody_else(held):
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    for error in (RuntimeError("broken"), StopIteration()):
        assert (await raising(error).aaugment(QUESTION)).reason == "model_error"
    pas = PAS(ScriptedModel(lambda prompt: held() + 1))
    late = asyncio.create_task(pas.aaugment(QUESTION))
    await held.begun()
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
    held.release()
    await pas.aaugment(f"{QUESTION} again")  # behind it on the only thread, so that the late one has ended
    gc.collect()
    assert complaints == []


BLOCKING = f"""
import asyncio
from blockbuster import blockbuster_ctx
from pas_middleware import PAS, ScriptedModel
pas = PAS(ScriptedModel())
async def main():
    with blockbuster_ctx():
        german = await pas.aaugment("Wie viele Vögel sitzen nach dem Schuss noch auf dem Baum?")
        english = await pas.aaugment({QUESTION!r})
    print(german.reason, english.status)
asyncio.run(main())
"""


def test_first_async_call_of_a_process_blocks_nothing():
    done = subprocess.run([sys.executable, "-c", BLOCKING], capture_output=True, text=True, encoding="utf-8")
    assert (done.stdout.split(), done.stderr) == (["unsupported_language", "applied"], "")


async def test_async_paths_block_nothing(toy_selector):
    pas = PAS.load(toy_selector)
    chat = [{"role": "user", "content": "Write an email to my landlord about the broken heating."}]
    with blockbuster_ctx():
        assert (await pas.aaugment_messages(chat)).augmentation.applied
        assert [r.applied for r in await pas.aaugment_batch(["Write an email to my aunt about her birthday."] * 3)]
        assert [piece async for piece in pas.astream("Write a letter to my aunt about her birthday.")]


UNLIMITED = Settings(deadline_ms=600_000, queue_limit=1_000_000)


def marked(worker: int, count: int) -> list[list[str]]:
    """Return prompts that nobody else asks, in turn one alone and nine at once."""
    prompts = [f"Tell me about the bird with number {worker}x{step}" for step in range(count)]
    return [prompts[i:end] for start in range(0, count, 10) for i, end in ((start, start + 1), (start + 1, start + 10))]


def own(prompts: list[str], results: list[Augmentation]) -> int:
    """Count the answers that are those to the very prompts."""
    return sum(r.text == f"{p}\n\n{numbered(p)}" for p, r in zip(prompts, results, strict=True))


def test_64_threads_never_get_the_answers_of_others():
    pas = PAS(ScriptedModel(numbered, threads=4), UNLIMITED)

    def work(worker: int) -> int:
        ask = {1: lambda prompts: [pas.augment(prompts[0])], 9: pas.augment_batch}
        return sum(own(prompts, ask[len(prompts)](prompts)) for prompts in marked(worker, 1_000))

    with ThreadPoolExecutor(64) as pool:
        assert list(pool.map(work, range(64))) == [1_000] * 64


async def test_500_tasks_never_get_the_answers_of_others():
    pas = PAS(ScriptedModel(numbered, threads=4), UNLIMITED)

    async def alone(prompts: list[str]) -> list[Augmentation]:
        return [await pas.aaugment(prompts[0])]

    async def work(worker: int) -> int:
        ask = {1: alone, 9: pas.aaugment_batch}
        return sum([own(prompts, await ask[len(prompts)](prompts)) for prompts in marked(worker, 100)])

    assert await asyncio.gather(*map(work, range(500))) == [100] * 500


FORK = f"""
import os, sys
from pas_middleware import PAS, ScriptedModel
pas = PAS(ScriptedModel())
assert pas.augment({QUESTION!r}).applied
if "held" in sys.argv:  # as if other threads were at work in the moment of the fork
    pipeline = pas._pipeline
    for part in (pipeline._screen._cache, pipeline._screen._recent, pipeline._breaker, pipeline.worker):
        part._lock.acquire()
child = os.fork()
if child == 0:
    sys.exit(0 if pas.augment("What else flies away when it hears a shot?").applied else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("locks", ["free", "held"])
def test_forked_child_works(locks):
    done = subprocess.run([sys.executable, "-c", FORK, locks], timeout=60)
    assert done.returncode == 0
