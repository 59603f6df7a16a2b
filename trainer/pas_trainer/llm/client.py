"""Ask an OpenAI-compatible endpoint: from the store where it was asked before, else over the network, and kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import openai
from openai import OpenAI

from pas_middleware.errors import ConfigError

from .answer import Answer, Messages, Problem
from .endpoint import Endpoint
from .errors import EndpointError, RowFailed
from .ledger import Budget
from .pace import Pace, growing, retry_after
from .store import Key, Store

#: A 400 that is about the row and not about the configuration: an answer of its own, and not billed.
_OF_THE_ROW: dict[str, Problem] = {
    "content_filter": "refused",
    "content_policy_violation": "refused",
    "context_length_exceeded": "too_long",
}


class Client:
    """One endpoint's model, its answers kept in a store and paid for from a budget; safe in many threads."""

    def __init__(
        self, endpoint: Endpoint, store: Store, budget: Budget | None = None, pace: Pace | None = None
    ) -> None:
        self.endpoint, self.store = endpoint, store
        self.budget = budget or Budget(store)
        if self.budget.max_usd is not None and not endpoint.is_priced:
            raise ConfigError(
                f"max_usd is set, and the prices of {endpoint.model!r} are not known;",
                hint="give usd_per_million_input and usd_per_million_output.",
            )
        self._pace = pace or Pace()
        # Retries are ours: a 429 is to hold all threads back, and each call is noted before it is made.
        self._api = OpenAI(
            base_url=endpoint.base_url, api_key=endpoint.key(), timeout=endpoint.timeout_s, max_retries=0
        )

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def ask(self, row: str, stage: str, messages: Messages, *, attempt: int = 0) -> Answer:
        """Return the answer to messages; `stage` names the step and its round, `attempt` the repeated asking.

        Raises EndpointError (nobody would get an answer), RowFailed (this row got none), BudgetReached.
        """
        key = Key(row, stage, self.endpoint.digest(messages), attempt)
        return self.store.get(key) or self._ask(key, messages)

    def has(self, row: str, stage: str, messages: Messages, *, attempt: int = 0) -> bool:
        """Tell whether the answer is in the store."""
        return self.store.get(Key(row, stage, self.endpoint.digest(messages), attempt)) is not None

    def _ask(self, key: Key, messages: Messages) -> Answer:
        failures = limited = 0
        while True:
            self._pace.enter()
            try:
                return self._call(key, messages)
            except openai.RateLimitError as error:
                self._wait_for_quota(error, limited)
                limited += 1
            except (openai.APITimeoutError, openai.InternalServerError, openai.APIConnectionError, ValueError) as error:
                if failures >= self.endpoint.retries:
                    raise self._gave_up(error) from None
                self._wait_after(error, failures)
                failures += 1

    def _call(self, key: Key, messages: Messages) -> Answer:
        """Make one call: money is set aside and the flight noted before, the answer kept with what it cost after."""
        most = self.endpoint.most_usd(messages)
        self.budget.reserve(most)
        spent = 0.0
        try:
            flight = self.store.depart(key, most)
            try:
                answer = self._fetch(messages)
            except (openai.APIError, EndpointError, ValueError) as error:
                if may_be_billed(error):
                    spent = most
                    raise
                self.store.unbilled(flight)
                answer = self._answer_of(error)
            spent = self.endpoint.usd(answer.input_tokens, answer.output_tokens)
            self.store.put(key, answer, spent, flight)
        finally:
            self.budget.settle(most, spent)
        self._pace.answered()
        return answer

    def _fetch(self, messages: Messages) -> Answer:
        create: Callable[..., Any] = self._api.chat.completions.with_raw_response.create
        raw = create(**self.endpoint.body(messages))
        text = raw.http_response.text
        if text.lstrip()[:1] == "<" or "text/html" in raw.headers.get("content-type", ""):
            raise EndpointError(
                f"{self.endpoint.base_url} returned a web page, not an answer;",
                hint="check base_url: it mostly ends in /v1.",
                reason="html",
            )
        body = json.loads(text)
        if not isinstance(body, dict):
            raise ValueError("it is no object")
        return Answer.parse(body)

    def _answer_of(self, error: Exception) -> Answer:
        """Return what an error says about the row alone, else raise what it says about the endpoint."""
        if isinstance(error, openai.BadRequestError) and (problem := _OF_THE_ROW.get(error.code or "")):
            return Answer("", problem)
        raise self._refusal(error) or error from None

    def _refusal(self, error: Exception) -> EndpointError | RowFailed | None:
        endpoint = self.endpoint
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            # Not the endpoint's own words: some repeat a part of the key.
            return EndpointError(
                f"{endpoint.base_url} refused the key ({error.status_code});",
                hint=f"check the environment variable {endpoint.key_env}.",
                reason="wrong_key",
            )
        if isinstance(error, openai.NotFoundError):
            return EndpointError(
                f"{endpoint.base_url} does not know the model {endpoint.model!r} (404);",
                hint="check model, and base_url: it mostly ends in /v1.",
                reason="unknown_model",
            )
        if isinstance(error, openai.APIStatusError) and error.status_code < 500 and error.status_code != 429:
            return RowFailed(
                f"{endpoint.base_url} refused the request ({error.status_code}, {error.code or 'no code'}"
                f"{f', parameter {error.param}' if error.param else ''}).",
                hint="Where it is max_tokens or temperature, set max_tokens_name or temperature: null.",
                reason="bad_request",
            )
        return None

    def _wait_for_quota(self, error: openai.RateLimitError, times: int) -> None:
        if error.code == "insufficient_quota" or self._pace.silent_s() > self.endpoint.patience_s:
            raise EndpointError(
                f"{self.endpoint.base_url} lets no more calls through (429, {error.code or 'no code'});",
                hint="look at the account's quota, or lower concurrency, and run again: what was paid for is kept.",
                reason="rate_limited",
            ) from None
        asked = retry_after(error.response.headers)
        self._pace.shut(growing(times) if asked is None else asked)

    def _wait_after(self, error: Exception, failures: int) -> None:
        asked = retry_after(error.response.headers) if isinstance(error, openai.InternalServerError) else None
        if asked is None:
            self._pace.back_off(failures)
        else:
            # A 503 that says when to come back is about the endpoint, not about this call.
            self._pace.shut(asked)

    def _gave_up(self, error: Exception) -> EndpointError | RowFailed:
        tries = f"in {self.endpoint.retries + 1} attempts"
        if isinstance(error, openai.APITimeoutError):
            return RowFailed(f"No answer within {self.endpoint.timeout_s:g} s {tries}.", reason="timeout")
        if isinstance(error, openai.APIConnectionError):
            return EndpointError(
                f"{self.endpoint.base_url} cannot be reached {tries};",
                hint="check base_url and that the server runs, and run again: what was paid for is kept.",
                reason="endpoint_down",
            )
        if isinstance(error, openai.InternalServerError):
            return RowFailed(f"The endpoint failed ({error.status_code}) {tries}.", reason="server_error")
        return RowFailed(f"The endpoint's answer is not a chat completion {tries}.", reason="malformed_response")


def may_be_billed(error: Exception) -> bool:
    """Tell whether a call that failed so may have been answered, and paid for, on the other side."""
    if isinstance(error, openai.APIStatusError | EndpointError):
        return False
    return not isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout)
