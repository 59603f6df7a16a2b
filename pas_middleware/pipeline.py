"""How one prompt is decided: what needs no model, the model within its limits, the guard."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import cast

from . import guard, language, rules
from .augmentation import REASONS, Reason
from .cache import LRU
from .errors import AugmentationError, ConfigError, DeadlineExceeded, GuardRejected
from .framing import frame, needs_frame, unframed
from .limits import CircuitBreaker, Clock, Deadline, Worker, is_failure
from .models.base import ComplementModel, ModelInfo, Proposal, Request
from .settings import Settings

#: Recent complements, by which text that was augmented already is known again. A model that generates can be
#: recognised only within this many and within one PAS object; the bank of a selector is recognised always.
_RECENT = 256
_FRAME_WORDS = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about one prompt; the part of an Augmentation that can be cached."""

    insertion: str = ""
    complement: str = ""
    reason: Reason = ""
    proposed: str = ""
    detail: str = ""

    def repeated(self) -> Verdict:
        """Return the verdict as the cache gives it: a skip says that it was decided before, and why."""
        if not self.reason:
            return self
        return replace(self, reason="cached_skip", detail="; ".join(filter(None, (self.reason, self.detail))))


class Pipeline:
    """Everything between a prompt and its verdict, with the state that prompts share: cache, ring, breaker, threads."""

    def __init__(self, model: ComplementModel, settings: Settings, clock: Clock) -> None:
        self.model, self.settings = model, settings
        self._clock = clock
        self._deadline_ms = settings.deadline_ms or model.info.deadline_ms
        self._max_words = min(settings.max_words, model.info.max_words)
        self._languages = _supported(settings, model.info)
        self.start()
        # Loaded here, so that it costs neither the first prompt its deadline nor an event loop its breath.
        language.detect("Vorab zu laden")

    def start(self) -> None:
        """Begin with empty state: at first, and in a forked child, where the parent's threads do not exist."""
        self._cache: LRU[Verdict] = LRU(self.settings.cache_entries)
        self._recent: LRU[bool] = LRU(_RECENT)
        self._breaker = CircuitBreaker(self.settings.breaker, self._clock)
        self.worker = Worker(self.model.info.threads, self.settings.queue_limit)

    def close(self) -> None:
        """Stop the threads and release the model."""
        self.worker.close()
        self.model.close()

    def remember(self, complement: str) -> None:
        """Keep a complement that was applied, to know it again."""
        self._recent.put(complement, True)

    # 1) What needs no model: rules, sampling, cache, language.

    def screen(self, prompts: Sequence[str], constrained: bool) -> tuple[dict[int, Verdict], dict[int, Request]]:
        """Return the verdicts that need no model, and the requests that do, by their place among the prompts."""
        verdicts: dict[int, Verdict] = {}
        waiting: dict[int, Request] = {}
        for number, prompt in enumerate(prompts):
            try:
                screened = self._without_model(prompt, constrained)
            except Exception as error:  # whatever a rule trips over, the prompt still passes
                screened = self._failed(error)
            if isinstance(screened, Request):
                waiting[number] = screened
            else:
                verdicts[number] = screened
        return verdicts, waiting

    def _without_model(self, prompt: str, constrained: bool) -> Verdict | Request:
        # First, since a complement may itself read as a constraint on the answer.
        if len(prompt) <= self.settings.max_input_chars and self._augmented_already(prompt):
            return Verdict(reason="already_augmented")
        reason = rules.reason_to_skip(prompt, max_chars=self.settings.max_input_chars, constrained=constrained)
        if reason:
            return Verdict(reason=reason)
        if _share(prompt) >= self.settings.sample_rate:
            return Verdict(reason="sampled_out")
        known = self._cache.get(_key(prompt))
        if known is not None:
            return known.repeated()
        found = language.detect(prompt)
        if found not in self._languages:
            return Verdict(reason="unsupported_language", detail=found)
        return Request(prompt, found)

    def _augmented_already(self, prompt: str) -> bool:
        recent = self._recent.keys()
        return bool(recent and unframed(prompt).endswith(recent)) or self.model.recognises(prompt)

    # 2) The model, within the deadline, the queue and the breaker.

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

    @contextmanager
    def _asked(self, requests: list[Request]) -> Iterator[tuple[Future[list[Proposal]], Deadline]]:
        deadline = Deadline.after(self._deadline_ms * len(requests), self._clock)
        future = self.worker.submit(lambda: self._run(requests, deadline))
        try:
            yield future, deadline
        finally:
            future.cancel()  # nobody waits any more: what has not begun need not

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

    # 3) The guard, and what is put behind the prompt.

    def _judge(self, request: Request, proposal: Proposal) -> Verdict:
        try:
            verdict = self._guarded(request, proposal)
        except GuardRejected as error:
            verdict = self._failed(error, proposal.complement)
        except Exception as error:  # a proposal of another shape, or a fault of the guard: the prompt still passes
            return self._failed(error)
        self._cache.put(_key(request.prompt), verdict)
        return verdict

    def _guarded(self, request: Request, proposal: Proposal) -> Verdict:
        if proposal.reason:
            return Verdict(reason=proposal.reason, detail=proposal.detail)
        framed = needs_frame(request.prompt, proposal.category)
        complement = guard.check(
            proposal.complement.strip(),
            request.prompt,
            max_words=self._max_words - _FRAME_WORDS * framed,
            prompt_language=request.language,
        )
        shown = frame(complement, request.language) if framed else complement
        return Verdict(self.settings.separator + shown, complement, "", complement, proposal.detail)


def _supported(settings: Settings, info: ModelInfo) -> frozenset[str]:
    wanted = settings.languages or info.languages
    unknown = [code for code in wanted if code not in info.languages]
    if unknown:
        known = ", ".join(info.languages)
        raise ConfigError(f"languages has {unknown[0]!r};", hint=f"{info.name} knows {known}.")
    return frozenset(wanted)


def _key(prompt: str) -> str:
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()


def _share(prompt: str) -> float:
    """Return a prompt's place from 0 to below 1, the same in every call and process.

    A tool loop or a retry that asks again is then sampled alike, and a higher rate samples the same prompts and more.
    """
    return int(_key(prompt)[:12], 16) / 16**12


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
