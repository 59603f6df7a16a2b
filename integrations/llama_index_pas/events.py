"""The event that tells of every decision, through LlamaIndex's instrumentation."""

from __future__ import annotations

from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]  # re-exported, but not by name
from llama_index.core.instrumentation.events import BaseEvent

from pas_middleware import Augmentation

_dispatcher = get_dispatcher(__name__)


class PASComplementEvent(BaseEvent):
    """Tell what was decided about one query, and in which time; fired also where nothing was added."""

    complement: str
    status: str
    reason: str
    elapsed_ms: float

    @classmethod
    def class_name(cls) -> str:
        """Return the name that handlers and exporters see."""
        return "PASComplementEvent"


def tell(result: Augmentation) -> Augmentation:
    """Fire the event of a decision and return the decision."""
    event = PASComplementEvent(
        complement=result.complement, status=result.status, reason=result.reason, elapsed_ms=result.elapsed_ms
    )
    _dispatcher.event(event)
    return result
