"""Where the embedded model lies, and how much of a prompt it reads: known without torch."""

from __future__ import annotations

from pathlib import Path

import pas_middleware

EMBEDDED = Path(pas_middleware.__file__).parent / "pas_mini"
#: Tokens kept of a long prompt: its head states the task, its tail often repeats or ends it.
MAX_TOKENS, TAIL_TOKENS = 128, 40
