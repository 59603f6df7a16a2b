"""Questions from the middleware's own record: real prompts, and the complements that they got or would have got."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pas_middleware.errors import ConfigError, InputError
from pas_middleware.record import read_record

from .layouts import write_jsonl

#: The arm that sends what the record holds.
LOGGED = "recorded"


def from_log(record: Path, questions: Path) -> dict[str, str]:
    """Write the record's prompts as a file of questions, and return the complement of each prompt, "" for none.

    A shadowed prompt counts with the complement that was proposed. What the guard refused would never have been sent,
    and for a prompt that sampling held back nothing was computed.
    """
    latest = {row["prompt"]: row for row in read_record(record) if row.get("prompt", "").strip()}
    if not latest:
        raise ConfigError(f"The record {record} holds no texts;", hint="let the middleware write it with texts=True.")
    complements = {prompt: _complement(row) for prompt, row in latest.items()}
    if not any(complements.values()):
        raise InputError(
            f"The record {record} holds no complement;", hint="nothing was added: there is no effect to see."
        )
    rows = (
        {"prompt": p, "category": r["reason"] or r["status"], "complement": complements[p]} for p, r in latest.items()
    )
    write_jsonl(questions, rows)
    return complements


def _complement(row: Mapping[str, Any]) -> str:
    if row["status"] == "applied":
        return str(row.get("complement", ""))
    return str(row.get("proposed", "")) if row["status"] == "shadowed" else ""
