"""How one prompt is decided: what needs no model, the model within its limits, the guard; whole or as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import cast

from . import guard, language
from .augmentation import REASONS, Reason
from .draft import Commit, Draft
from .errors import AugmentationError, DeadlineExceeded, GuardRejected
from .framing import frame, needs_frame
from .limits import CircuitBreaker, Clock, Deadline, Worker, is_failure
from .models.base import ComplementModel, Proposal, Request
from .screening import Screen, Verdict
from .settings import Settings

_FRAME_WORDS = 2


class Pipeline:
    """Everything between a prompt and its verdict, with the state that prompts share: cache, ring, breaker, threads."""

    def __init__(self, model: ComplementModel, settings: Settings, clock: Clock) -> None:
        self.model, self.settings = model, settings
        self._clock = clock
        self._deadline_ms = settings.deadline_ms or model.info.deadline_ms
        self._max_words = min(settings.max_words, model.info.max_words)
        self._screen = Screen(model, settings)
        self._limits()
        # Loaded here, so that it costs neither the first prompt its deadline nor an event loop its breath.
        language.detect("Vorab zu laden")

    def start(self) -> None:
        """Begin anew in a forked child, where the parent's threads do not exist and its locks may be held for ever."""
        self._screen.start()
        self._limits()

    def _limits(self) -> None:
        self._breaker = CircuitBreaker(self.settings.breaker, self._clock)
        self.worker = Worker(self.model.info.threads, self.settings.queue_limit)

    def close(self) -> None:
        """Stop the threads and release the model."""
        self.worker.close()
        self.model.close()

    def remember(self, complement: str) -> None:
        """Keep a complement that was applied, to know it again."""
        self._screen.applied(complement)

    def screen(self, prompts: Sequence[str], constrained: bool) -> tuple[dict[int, Verdict], dict[int, Request]]:
        """Return the verdicts that need no model, and the requests that do, by their place among the prompts."""
        verdicts: dict[int, Verdict] = {}
        waiting: dict[int, Request] = {}
        for number, prompt in enumerate(prompts):
            try:
                screened = self._screen.decide(prompt, constrained)
            except Exception as error:  # whatever a rule trips over, the prompt still passes
                screened = self._failed(error)
            if isinstance(screened, Request):
                waiting[number] = screened
            else:
                verdicts[number] = screened
        return verdicts, waiting

    # 1) The model, within the deadline, the queue and the breaker.

    def propose(self, requests: list[Request]) -> list[Verdict]:
        """Ask the model, wait until the deadline, and judge its proposals; raises only where `on_error` says so."""
        try:
            with self._breaker.attempt(), self._asked(requests) as (future, deadline):
                # It only waits; unlike `concurrent.futures.wait` it wakes when `close` cancels.
                with suppress(TimeoutError, CancelledError):
                    future.exception(deadline.left())
                proposals = self._answers(requests, future)
        except BaseException as error:  # PanicException is one; `_failed` raises what is nobody's to swallow
            return [self._failed(error)] * len(requests)
        return [self._judge(r, p) for r, p in zip(requests, proposals, strict=True)]

    async def apropose(self, requests: list[Request]) -> list[Verdict]:
        """Do the same without blocking the event loop."""
        try:
            with self._breaker.attempt(), self._asked(requests) as (future, deadline):
                ended = asyncio.wrap_future(future)
                try:
                    await asyncio.wait([ended], timeout=deadline.left())
                finally:
                    ended.cancel()  # the result is read from `future`: an error need not be logged by this one too
                proposals = self._answers(requests, future)
        except BaseException as error:  # as above
            return [self._failed(error)] * len(requests)
        return [self._judge(r, p) for r, p in zip(requests, proposals, strict=True)]

    def stream(self, request: Request, commit: Commit) -> Iterator[str | Verdict]:
        """Ask the model and yield pieces as they come, at last the verdict."""
        texts: SimpleQueue[str | None] = SimpleQueue()
        draft = self._draft(request, commit)
        try:
            with self._breaker.attempt(), self._asked([replace(request, on_text=texts.put)]) as (future, deadline):
                future.add_done_callback(lambda _: texts.put(None))
                while (text := _next_text(texts, deadline)) is not None:
                    yield from filter(None, [draft.take(text)])
                proposal = self._answers([request], future)[0]
        except BaseException as error:  # as above; a reader who left is one, and is raised again
            yield self._cut_short(request, draft, error)
            return
        yield from self._drafted(request, draft, proposal)

    async def astream(self, request: Request, commit: Commit) -> AsyncIterator[str | Verdict]:
        """Do the same without blocking the event loop."""
        loop = asyncio.get_running_loop()
        texts: asyncio.Queue[str | None] = asyncio.Queue()

        def put(text: str | None) -> None:
            with suppress(RuntimeError):  # the loop was closed while the model still wrote
                loop.call_soon_threadsafe(texts.put_nowait, text)

        draft = self._draft(request, commit)
        try:
            with self._breaker.attempt(), self._asked([replace(request, on_text=put)]) as (future, deadline):
                future.add_done_callback(lambda _: put(None))
                while (text := await _anext_text(texts, deadline)) is not None:
                    if piece := draft.take(text):
                        yield piece
                proposal = self._answers([request], future)[0]
        except BaseException as error:  # as above; a reader who left is one, and is raised again
            yield self._cut_short(request, draft, error)
            return
        for item in self._drafted(request, draft, proposal):
            yield item

    def _draft(self, request: Request, commit: Commit) -> Draft:
        framed = needs_frame(request.prompt)
        return Draft(lambda text: self._check(request, text, framed), commit)

    def _drafted(self, request: Request, draft: Draft, proposal: Proposal) -> Iterator[str | Verdict]:
        """Yield the last piece and the verdict: what was kept while it was streamed is what is applied."""
        if proposal.reason or proposal.error is not None:
            yield self._judge(request, proposal)
            return
        try:
            yield from filter(None, [draft.end(proposal.complement.strip())])
        except GuardRejected as error:
            yield self._kept(request, proposal, self._failed(error, proposal.complement))
            return
        yield self._judge(request, replace(proposal, complement=draft.kept))

    def _cut_short(self, request: Request, draft: Draft, error: BaseException) -> Verdict:
        # Sentences that were passed on are in use already: late or failed as the rest is, they are what is applied.
        if draft.kept and is_failure(error):
            return self._judge(request, Proposal(draft.kept, cut_short=True))
        return self._failed(error)

    @contextmanager
    def _asked(self, requests: list[Request]) -> Iterator[tuple[Future[list[Proposal]], Deadline]]:
        deadline = Deadline.after(self._deadline_ms * len(requests), self._clock)
        future = self.worker.submit(lambda: self._run(requests, deadline))
        try:
            yield future, deadline
        finally:
            future.cancel()  # nobody waits any more: what has not begun need not, what has begun may stop
            deadline.cancel()

    def _run(self, requests: list[Request], deadline: Deadline) -> list[Proposal]:
        try:
            return self.model.propose(requests, deadline)
        except StopIteration as error:  # the one exception that no asyncio future can carry
            raise RuntimeError("StopIteration") from error

    def _answers(self, requests: list[Request], future: Future[list[Proposal]]) -> list[Proposal]:
        if not future.done():
            raise DeadlineExceeded(f"No complement within {self._deadline_ms:g} ms a prompt.")
        proposals = future.result()
        if len(proposals) != len(requests):
            raise AugmentationError(f"The model gave {len(proposals)} answers to {len(requests)} prompts.")
        return proposals

    def _failed(self, error: BaseException, proposed: str = "") -> Verdict:
        """Honour `on_error`: the one place where a failure is raised or becomes a reason."""
        failure = _as_failure(error)
        if self.settings.on_error == "raise":
            raise failure
        reason = failure.reason if failure.reason in REASONS else "model_error"
        return Verdict(reason=cast(Reason, reason), proposed=proposed, detail=str(failure))

    # 2) The guard, and what is put behind the prompt.

    def _judge(self, request: Request, proposal: Proposal) -> Verdict:
        try:
            if proposal.error is not None:
                return self._failed(proposal.error)
            verdict = self._guarded(request, proposal)
        except GuardRejected as error:
            verdict = self._failed(error, proposal.complement)
        except Exception as error:  # a proposal of another shape, or a fault of the guard: the prompt still passes
            return self._failed(error)
        return self._kept(request, proposal, verdict)

    def _kept(self, request: Request, proposal: Proposal, verdict: Verdict) -> Verdict:
        if not proposal.cut_short:  # asked again with more time, the model may say the whole
            self._screen.remember(request.prompt, verdict)
        return verdict

    def _guarded(self, request: Request, proposal: Proposal) -> Verdict:
        if proposal.reason:
            return Verdict(reason=proposal.reason, detail=proposal.detail)
        framed = needs_frame(request.prompt, proposal.category)
        complement = self._check(request, proposal.complement.strip(), framed)
        shown = frame(complement, request.language) if framed else complement
        return Verdict(self.settings.separator + shown, complement, "", complement, proposal.detail)

    def _check(self, request: Request, complement: str, framed: bool) -> str:
        limit = self._max_words - _FRAME_WORDS * framed
        return guard.check(complement, request.prompt, max_words=limit, prompt_language=request.language)


def _next_text(texts: SimpleQueue[str | None], deadline: Deadline) -> str | None:
    try:
        return texts.get(timeout=deadline.left())
    except Empty:
        return None


async def _anext_text(texts: asyncio.Queue[str | None], deadline: Deadline) -> str | None:
    try:
        return texts.get_nowait() if not texts.empty() else await asyncio.wait_for(texts.get(), deadline.left())
    except TimeoutError:
        return None


def _as_failure(error: BaseException) -> AugmentationError:
    """Turn what went wrong into an AugmentationError; raise what is not ours to swallow."""
    if isinstance(error, AugmentationError):
        return error
    if not is_failure(error):
        raise error
    closed = isinstance(error, CancelledError)
    what = "PAS was closed while the prompt waited." if closed else f"{type(error).__name__}: {error}"
    failure = AugmentationError(f"The augmentation failed: {what}")
    failure.__cause__ = error
    return failure
