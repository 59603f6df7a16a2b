"""Find the user's text in the bodies that LiteLLM passes to its hooks, and put the augmented text back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pas_middleware import PAS, Augmentation

Body = dict[str, Any]

#: Where the user's text stands, by LiteLLM's name of the call. Other calls (embeddings, images) are left alone.
_FIELDS = {
    "acompletion": "messages",
    "completion": "messages",
    "anthropic_messages": "messages",
    "aanthropic_messages": "messages",
    "atext_completion": "prompt",
    "text_completion": "prompt",
    "aresponses": "input",
    "responses": "input",
}
#: Calls in which `metadata` is LiteLLM's own; in the others it is sent to the API.
_OWN_METADATA = ("acompletion", "completion", "atext_completion", "text_completion")
_MARK = "pas"


async def augmented(pas: PAS, body: Body, call_type: str) -> Body | None:
    """Return a copy of a body with its user text augmented and the outcome noted, or None to leave it as it is."""
    field = _FIELDS.get(call_type)
    if field is None or field not in body or outcomes(body):
        return None
    value, results = await _augment(pas, body[field], constrained(body))
    if not results:
        return None
    return {**body, field: value, **_marked(body, call_type, results)}


def outcomes(body: Body) -> list[dict[str, Any]]:
    """Return what was noted of a body's texts: status, reason, model and milliseconds of each."""
    for name in ("litellm_metadata", "metadata"):
        found = body.get(name)
        if isinstance(found, Mapping) and isinstance(found.get(_MARK), list):
            return list(found[_MARK])
    return []


def constrained(body: Body) -> bool:
    """Tell whether a response format fixes the form of the answer."""
    nested = (body.get(name) for name in ("text", "output_config"))
    formats = [body.get("response_format"), body.get("output_format")]
    formats += [part.get("format") for part in nested if isinstance(part, Mapping)]
    kinds = (form.get("type") if isinstance(form, Mapping) else form for form in formats)
    return any(kind not in (None, "text") for kind in kinds)


async def _augment(pas: PAS, value: object, fixed: bool) -> tuple[object, list[Augmentation]]:
    if isinstance(value, str):
        result = await pas.aaugment(value, constrained=fixed)
        return result.text, [result]
    if not isinstance(value, Sequence) or not value:
        return value, []
    if all(isinstance(text, str) for text in value):  # completions take several prompts
        results = await pas.aaugment_batch(value, constrained=fixed)
        return [result.text for result in results], results
    if any(isinstance(item, int | Sequence) for item in value):  # tokens
        return value, []
    return await _augment_chat(pas, value, fixed)


async def _augment_chat(pas: PAS, items: Sequence[Any], fixed: bool) -> tuple[object, list[Augmentation]]:
    # Calls and results of tools in Responses have no role, and answers passed back may be objects: nobody's request.
    chat = [item if _is_message(item) else {"role": ""} for item in items]
    placed = await pas.aaugment_messages(chat, constrained=fixed)
    pairs = zip(items, chat, placed.messages, strict=True)
    return [item if new is old else new for item, old, new in pairs], [placed.augmentation]


def _is_message(item: object) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get("role"), str)


def _marked(body: Body, call_type: str, results: Sequence[Augmentation]) -> Body:
    """Return the metadata with the outcomes, which LiteLLM's own loggers see; no text."""
    name = "litellm_metadata"
    if name not in body and call_type in _OWN_METADATA:
        name = "metadata"
    if not isinstance(body.get(name), Mapping):  # one that is new here would hide LiteLLM's own from it
        return {}
    notes = [
        {"status": r.status, "reason": r.reason, "model": r.model, "elapsed_ms": round(r.elapsed_ms, 3)}
        for r in results
    ]
    return {name: {**body[name], _MARK: notes}}
