"""What an augmentation returns: the text to send, and a record of what happened and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Status = Literal["applied", "skipped", "shadowed"]
Reason = Literal[
    "",
    "blank",
    "too_long",
    "code_only",
    "already_augmented",
    "already_constrained",
    "follow_up",
    "unsupported_language",
    "no_complement_needed",
    "unsure",
    "sampled_out",
    "shadow",
    "cached_skip",
    "deadline",
    "queue_full",
    "breaker_open",
    "model_error",
    "guard_words",
    "guard_language",
    "guard_control",
    "guard_url",
    "guard_copy",
    "guard_empty",
]
STATUSES: tuple[str, ...] = get_args(Status)
REASONS: tuple[str, ...] = get_args(Reason)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One decided augmentation.

    `text` is what to send to the LLM; it always starts with `prompt`, byte for byte. `complement` is what was added
    ("" when nothing was), `proposed` what the model wanted to add, also when it was shadowed or rejected. `detail`
    says more than `reason` where there is more to say, such as an error's message.
    """

    prompt: str
    text: str
    complement: str = ""
    status: Status = "skipped"
    reason: Reason = ""
    elapsed_ms: float = 0.0
    model: str = ""
    proposed: str = ""
    detail: str = ""

    @property
    def applied(self) -> bool:
        """Tell whether the text differs from the prompt."""
        return self.status == "applied"

    @property
    def insertion(self) -> str:
        """Return everything put behind the prompt: separator, frame and complement."""
        return self.text[len(self.prompt) :]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a JSON-ready dictionary."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class AugmentedMessages:
    """Chat messages with the last user text augmented; `messages` is the very list given when nothing changed."""

    messages: Sequence[Mapping[str, Any]]
    augmentation: Augmentation
