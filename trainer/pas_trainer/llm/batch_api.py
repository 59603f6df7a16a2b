"""The Batch API as an engine: submit, poll, fetch. A batch that was paid for is found again after a crash."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence

import openai
from openai import OpenAI
from openai.types import Batch

from .batch import Filled, Request, files_of, take_answers
from .client import Client
from .errors import BudgetReached, EndpointError

_RUNNING = ("validating", "in_progress", "finalizing", "cancelling")
_MARK = "pas_requests"


class BatchApi:
    """One endpoint's `/v1/batches`."""

    def __init__(
        self,
        client: Client,
        *,
        poll_s: float = 30.0,
        say: Callable[[str], object] = lambda text: None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        endpoint = client.endpoint
        self._client, self._poll_s, self._say, self._sleep = client, poll_s, say, sleep
        self._api = OpenAI(base_url=endpoint.base_url, api_key=endpoint.key(), timeout=endpoint.timeout_s)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def finish(self) -> None:
        """Fetch what batches of an earlier run have brought."""
        for name in self._client.store.open_batches(self._client.endpoint.base_url):
            self._fetch(name)

    def run(self, requests: Sequence[Request]) -> int:
        """Submit requests, wait for the answers and keep them; return how many came. Stops at the budget."""
        affordable, reserved = self._afford(requests)
        kept = 0
        try:
            for _, part, content in files_of(affordable):
                self._client.store.expect([(r.custom_id, r.key, r.endpoint) for r in part])
                kept += self._fetch(self._submit(content)).kept
        finally:
            self._client.budget.settle(reserved, 0.0)
        return kept

    def _afford(self, requests: Sequence[Request]) -> tuple[list[Request], float]:
        taken, reserved = list[Request](), 0.0
        for request in requests:
            most = request.endpoint.most_usd(request.messages) * request.endpoint.batch_price
            try:
                self._client.budget.reserve(most)
            except BudgetReached:
                if not taken:
                    raise
                break
            taken.append(request)
            reserved += most
        return taken, reserved

    def _submit(self, content: str) -> str:
        digest = hashlib.sha256(content.encode()).hexdigest()
        store, base_url = self._client.store, self._client.endpoint.base_url
        try:
            # Killed between making a batch and noting it: it is there, under our mark.
            name = next(
                (each.id for each in self._api.batches.list() if (each.metadata or {}).get(_MARK) == digest), ""
            )
            if not name or store.knows_batch(name):
                file = self._api.files.create(file=("requests.jsonl", content.encode()), purpose="batch")
                name = self._api.batches.create(
                    input_file_id=file.id,
                    endpoint="/v1/chat/completions",
                    completion_window="24h",
                    metadata={_MARK: digest},
                ).id
        except openai.OpenAIError as error:
            raise _unusable(base_url, error) from None
        store.note_batch(name, base_url, "open")
        return name

    def _fetch(self, name: str) -> Filled:
        filled = Filled()
        try:
            batch = self._wait(name)
            for file in (batch.output_file_id, batch.error_file_id):
                if file:
                    take_answers(self._client, self._api.files.content(file).text, name, filled)
        except openai.OpenAIError as error:
            raise _unusable(self._client.endpoint.base_url, error) from None
        self._client.store.note_batch(name, self._client.endpoint.base_url, "done")
        self._say(f"batch {name}: {batch.status}, {filled.kept} answers, {filled.failed} failed")
        return filled

    def _wait(self, name: str) -> Batch:
        while (batch := self._api.batches.retrieve(name)).status in _RUNNING:
            counts = batch.request_counts
            self._say(f"batch {name}: {batch.status}" + (f", {counts.completed}/{counts.total}" if counts else ""))
            self._sleep(self._poll_s)
        return batch


def _unusable(base_url: str, error: openai.OpenAIError) -> EndpointError:
    status = f" ({error.status_code})" if isinstance(error, openai.APIStatusError) else ""
    return EndpointError(
        f"{base_url} cannot be used through /v1/batches{status}: {type(error).__name__}.",
        hint="Check base_url and key, use --batch-out and --batch-in, or leave --batch away; answers so far are kept.",
        reason="batch",
    )
