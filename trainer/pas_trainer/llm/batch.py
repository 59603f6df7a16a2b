"""Answers that come later: what would be asked is collected, goes out as request files, and comes back in any order.

A request file has OpenAI's batch format, a line each: {"custom_id", "method", "url", "body"}. An answer is a line of an
OpenAI output file, or, filled in by hand or by another model, {"custom_id", "answer": "the text"}.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .answer import Answer, Messages
from .client import Client
from .endpoint import Endpoint
from .store import Key

#: The most that OpenAI takes in one file: 50,000 requests, 200 MB.
_MOST_LINES, _MOST_BYTES = 50_000, 190_000_000


class Pending(Exception):
    """The answer is not there yet; the request for it is noted."""


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask."""

    key: Key
    endpoint: Endpoint
    messages: Messages

    @property
    def custom_id(self) -> str:
        """Return the name that comes back with the answer."""
        key = self.key
        text = json.dumps([key.row, key.stage, key.config, key.attempt])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def line(self) -> str:
        """Return its line of a request file."""
        body = self.endpoint.body(self.messages)
        line = {"custom_id": self.custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}
        return json.dumps(line, ensure_ascii=False) + "\n"


class Collector:
    """Answers from the store; what is not there is noted as a request."""

    def __init__(self, client: Client, requests: list[Request]) -> None:
        self._client, self._requests = client, requests

    def ask(self, row: str, stage: str, messages: Messages, *, attempt: int = 0) -> Answer:
        """Return the answer, or raise Pending."""
        key = Key(row, stage, self._client.endpoint.digest(messages), attempt)
        answer = self._client.store.get(key)
        if answer is None:
            self._requests.append(Request(key, self._client.endpoint, messages))
            raise Pending
        return answer


def files_of(requests: Sequence[Request]) -> Iterator[tuple[Endpoint, list[Request], str]]:
    """Yield contents of request files: one endpoint's model each, none larger than what is taken."""
    for endpoint in dict.fromkeys(request.endpoint for request in requests):
        part, lines, size = list[Request](), list[str](), 0
        for request in requests:
            if request.endpoint != endpoint:
                continue
            line = request.line()
            if part and (len(part) >= _MOST_LINES or size + len(line.encode()) > _MOST_BYTES):
                yield endpoint, part, "".join(lines)
                part, lines, size = [], [], 0
            part.append(request)
            lines.append(line)
            size += len(line.encode())
        yield endpoint, part, "".join(lines)


def write_requests(client: Client, requests: Sequence[Request], folder: Path) -> list[Path]:
    """Write request files for somebody to fill in; the store knows from now on what each custom_id means."""
    folder.mkdir(parents=True, exist_ok=True)
    client.store.expect([(r.custom_id, r.key, r.endpoint) for r in requests])
    written = []
    for endpoint, _, content in files_of(requests):
        digest = hashlib.sha256(content.encode()).hexdigest()[:12]
        model = "".join(c if c.isalnum() or c in ".-" else "-" for c in endpoint.model)
        file = folder / f"requests-{model}-{digest}.jsonl"
        file.write_text(content, encoding="utf-8")
        written.append(file)
    return written


@dataclass(slots=True)
class Filled:
    """What answer files held: answers kept, requests that failed, and the places of lines that are neither."""

    kept: int = 0
    failed: int = 0
    unknown: int = 0
    broken: list[str] = field(default_factory=list)


def read_answers(client: Client, folder: Path) -> Filled:
    """Read every answer in a folder's .jsonl files into the store; each goes to its row by custom_id alone."""
    filled = Filled()
    for file in sorted(folder.glob("*.jsonl")):
        take_answers(client, file.read_text(encoding="utf-8", errors="replace"), file.name, filled)
    return filled


def take_answers(client: Client, text: str, where: str, filled: Filled) -> None:
    """Read the lines of one answer file into the store."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            _take(client, json.loads(line), filled)
        except (ValueError, KeyError, TypeError, AttributeError):
            filled.broken.append(f"{where}, line {number}")


def _take(client: Client, line: Mapping[str, Any], filled: Filled) -> None:
    if "body" in line:
        return  # a request that lies in the same folder
    expected = client.store.expected(line["custom_id"])
    if expected is None:
        filled.unknown += 1
        return
    answer = _answer_of(line)
    if answer is None:
        filled.failed += 1
        return
    cost = answer.input_tokens * expected.usd_input + answer.output_tokens * expected.usd_output
    if client.store.put(expected.key, answer, cost):
        client.budget.settle(0.0, cost)
    filled.kept += 1


def _answer_of(line: Mapping[str, Any]) -> Answer | None:
    if "answer" in line:
        text = line["answer"]
        # A complement or verdict may be given as the object itself.
        return Answer(text if isinstance(text, str) else json.dumps(text, ensure_ascii=False))
    response = line.get("response")
    if line.get("error") or not response or response.get("status_code") != 200:
        return None
    return Answer.parse(response["body"])
