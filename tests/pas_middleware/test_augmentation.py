import json
from dataclasses import FrozenInstanceError

import pytest

from pas_middleware import REASONS, STATUSES, Augmentation


def test_reasons_and_statuses_are_pinned():
    assert STATUSES == ("applied", "skipped", "shadowed")
    assert REASONS == (
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
    )


def test_insertion_is_what_stands_behind_the_prompt():
    applied = Augmentation("Why?", "Why?\n\n[Note: be kind.]", "be kind.", "applied")
    assert (applied.applied, applied.insertion) == (True, "\n\n[Note: be kind.]")
    skipped = Augmentation("Why?", "Why?", reason="follow_up")
    assert (skipped.applied, skipped.insertion) == (False, "")


def test_to_dict_is_json_ready_and_complete():
    result = Augmentation("Why?", "Why?", reason="follow_up", elapsed_ms=0.5, model="toy")
    assert json.loads(json.dumps(result.to_dict())) == {
        "prompt": "Why?",
        "text": "Why?",
        "complement": "",
        "status": "skipped",
        "reason": "follow_up",
        "elapsed_ms": 0.5,
        "model": "toy",
        "proposed": "",
        "detail": "",
    }


def test_augmentation_is_frozen():
    with pytest.raises(FrozenInstanceError):
        Augmentation("a", "a").text = "b"
