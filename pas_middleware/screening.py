"""What is decided about a prompt without a model: rules, sampling, cache, language."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from . import language, rules
from .augmentation import Reason
from .cache import LRU
from .errors import ConfigError
from .framing import unframed
from .models.base import ComplementModel, ModelInfo, Request
from .settings import Settings

#: Recent complements, by which text that was augmented already is known again. A model that generates can be
#: recognised only within this many and within one PAS object; the bank of a selector is recognised always.
_RECENT = 256


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


class Screen:
    """Decides what needs no model, and remembers what was decided and applied."""

    def __init__(self, model: ComplementModel, settings: Settings) -> None:
        self._model, self._settings = model, settings
        self._languages = _supported(settings, model.info)
        self.start()

    def start(self) -> None:
        """Begin with nothing remembered."""
        self._cache: LRU[Verdict] = LRU(self._settings.cache_entries)
        self._recent: LRU[bool] = LRU(_RECENT)

    def decide(self, prompt: str, constrained: bool) -> Verdict | Request:
        """Return the verdict on a prompt, or the request to make where it takes the model."""
        settings = self._settings
        # First, since a complement may itself read as a constraint on the answer.
        if len(prompt) <= settings.max_input_chars and self._augmented_already(prompt):
            return Verdict(reason="already_augmented")
        reason = rules.reason_to_skip(prompt, max_chars=settings.max_input_chars, constrained=constrained)
        if reason:
            return Verdict(reason=reason)
        if _share(prompt) >= settings.sample_rate:
            return Verdict(reason="sampled_out")
        known = self._cache.get(_key(prompt))
        if known is not None:
            return known.repeated()
        found = language.detect(prompt)
        if found not in self._languages:
            return Verdict(reason="unsupported_language", detail=found)
        return Request(prompt, found, settings.sampling)

    def _augmented_already(self, prompt: str) -> bool:
        recent = self._recent.keys()
        return bool(recent and unframed(prompt).endswith(recent)) or self._model.recognises(prompt)

    def remember(self, prompt: str, verdict: Verdict) -> None:
        """Keep a verdict for when the same prompt comes again."""
        self._cache.put(_key(prompt), verdict)

    def applied(self, complement: str) -> None:
        """Keep a complement that was applied, to know it again."""
        self._recent.put(complement, True)


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
