"""PASHook for LiteLLM's proxy, PASDeploymentHook for its SDK: one complement behind the user's text of each request."""

from __future__ import annotations

import os
from typing import Any

from litellm.integrations.custom_logger import CustomLogger

from pas_middleware import PAS, ConfigError, Settings

from .bodies import augmented, outcomes

_PROXY_HOOK = "async_pre_call_hook"


class PASHook(CustomLogger):
    """Augment what LiteLLM's proxy is asked: chat, responses, completions and messages, streamed or not, once each.

    Without `pas` it loads what PAS_MODEL, PAS_DEVICE and PAS_DEADLINE_MS in the environment say, by default pas-mini,
    and remembers no decision, since tenants share the proxy. Raises ConfigError and what PAS.load raises.
    """

    def __init__(self, pas: PAS | None = None) -> None:
        super().__init__()
        self._pas = pas or _load(cache_entries=0)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # LiteLLM looks for the hook in the class itself and passes over one that is inherited.
        if _PROXY_HOOK not in vars(cls):
            setattr(cls, _PROXY_HOOK, getattr(cls, _PROXY_HOOK))

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> dict[str, Any] | None:
        """Return the request with its user text augmented, None to leave it as it is."""
        return await augmented(self._pas, data, call_type)

    async def async_post_call_response_headers_hook(
        self, data: dict[str, Any], *args: Any, **kwargs: Any
    ) -> dict[str, str] | None:
        """Return the headers that tell the client what happened."""
        noted = outcomes(data)
        if not noted:
            return None
        return {f"x-pas-{name}": ",".join(note[name] for note in noted) for name in ("status", "reason")}


class PASDeploymentHook(CustomLogger):
    """Augment what an asynchronous call of LiteLLM's SDK asks: `litellm.callbacks = [PASDeploymentHook()]`.

    LiteLLM calls no hook of this kind for `completion` and the other synchronous functions, nor shows it arguments
    that are given by position. `pas` as for PASHook, except that decisions are remembered.
    """

    def __init__(self, pas: PAS | None = None) -> None:
        super().__init__()
        self._pas = pas or _load()

    async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> dict[str, Any] | None:
        """Return the call's arguments with the user text augmented, None to leave them as they are."""
        return await augmented(self._pas, kwargs, str(getattr(call_type, "value", call_type)))


def _load(**settings: Any) -> PAS:
    model, device, deadline = (os.environ.get(f"PAS_{name}") for name in ("MODEL", "DEVICE", "DEADLINE_MS"))
    if deadline:
        try:
            settings["deadline_ms"] = float(deadline)
        except ValueError:
            raise ConfigError(f"PAS_DEADLINE_MS is {deadline!r};", hint="give a number of milliseconds.") from None
    return PAS.load(model or None, device=device or "auto", settings=Settings(**settings))
