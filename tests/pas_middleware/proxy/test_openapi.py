"""docs/openapi.json against the proxy: made-up requests, sound and unsound, answered as the description says."""

import json
import os
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.python.asgi import get_client
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from http_servers import COMPLEMENT, PROMPT
from pas_middleware import (
    PAS,
    REASONS,
    STATUSES,
    DeadlineExceeded,
    Proposal,
    QueueFull,
    ScriptedModel,
    Settings,
    __version__,
)
from pas_middleware.proxy.app import Proxy
from pas_middleware.proxy.config import ProxyConfig, Secret

PAGE = json.loads((Path(__file__).parents[3] / "docs" / "openapi.json").read_text(encoding="utf-8"))
DESCRIBED = schemathesis.openapi.from_dict(PAGE)
PATH = "/v1/complement"
EXAMPLES = int(os.environ.get("PAS_FUZZ_EXAMPLES", "150"))
DESCRIBES = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
ACCEPTS = [*DESCRIBES, not_a_server_error, negative_data_rejection, positive_data_acceptance]


def proxy(script=COMPLEMENT, *, ready: bool = True, keys: tuple[Secret, ...] = (), **policy) -> Proxy:
    pas = PAS(ScriptedModel(script), Settings(cache_entries=0, deadline_ms=600_000, **policy))
    made = Proxy(ProxyConfig("http://127.0.0.1:1", client_keys=keys), lambda: pas)
    made.engine.pas = pas if ready else None
    return made


def varied(prompt: str) -> str | Proposal:
    """Write, decline, fail or break a rule, as the prompt's length has it."""
    answers = [COMPLEMENT, "", Proposal(reason="unsure", detail="0.2"), "See https://e.test first."]
    if len(prompt) % 5 == 4:
        raise RuntimeError("device lost")
    return answers[len(prompt) % 5]


def raising(error: Exception):
    def script(_: str) -> str:
        raise error

    return script


def asking(made: Proxy, mode: GenerationMode, checks: list, examples: int) -> set[int]:
    """Ask for made-up complements, have every answer checked, and return the status codes."""
    seen = set()
    client = get_client(made)

    # The databases of failures of all states would be one.
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(DESCRIBED[PATH]["POST"].as_strategy(generation_mode=mode), st.booleans())
    def run(case, sensible):
        if sensible and isinstance(case.body, dict) and isinstance(case.body.get("prompt"), str):
            case.body["prompt"] = f"{PROMPT} {case.body['prompt']}"  # noise alone never reaches the model
        seen.add(case.call_and_validate(session=client, app=made, checks=checks).status_code)

    run()
    return seen


def test_sound_requests_are_answered_as_described():
    assert asking(proxy(varied), GenerationMode.POSITIVE, ACCEPTS, EXAMPLES) == {200}


def test_unsound_requests_are_refused_as_described():
    assert asking(proxy(varied), GenerationMode.NEGATIVE, ACCEPTS, EXAMPLES) == {400}


STATES = {
    "no key": (lambda: proxy(keys=(Secret("one"),)), {401}),
    "not ready": (lambda: proxy(ready=False), {503}),
    "the queue is full": (lambda: proxy(raising(QueueFull("64 wait."))), {200, 429}),
    "late, on_error raise": (lambda: proxy(raising(DeadlineExceeded("late")), on_error="raise"), {200, 503}),
    "shadow": (lambda: proxy(varied, shadow=True), {200}),
}


@pytest.mark.parametrize("state", STATES)
def test_states_of_the_proxy_are_answered_as_described(state):
    make, statuses = STATES[state]
    assert asking(make(), GenerationMode.POSITIVE, DESCRIBES, EXAMPLES // 5) == statuses


@pytest.mark.parametrize(
    "path, ready, status",
    [("/healthz", True, 200), ("/readyz", True, 200), ("/readyz", False, 503), ("/metrics", True, 200)],
)
def test_what_needs_no_key_is_answered_as_described(path, ready, status):
    made = proxy(ready=ready, keys=(Secret("one"),))
    case = DESCRIBED[path]["GET"].Case()
    assert case.call_and_validate(app=made, session=get_client(made), checks=DESCRIBES).status_code == status
    headers = {"content-length": "0", "transfer-encoding": "chunked"}
    two = case.call_and_validate(app=made, session=get_client(made), checks=DESCRIBES, headers=headers)
    assert two.status_code == 400
    assert get_client(made).request("DELETE", path).status_code == status


def asked(made: Proxy, body: dict) -> schemathesis.Response:
    case = DESCRIBED[PATH]["POST"].Case(body=body, media_type="application/json")
    return case.call_and_validate(app=made, session=get_client(made), checks=DESCRIBES)


def test_too_long_a_body_and_a_fault_of_ours_are_answered_as_described():
    made = proxy()
    assert asked(made, {"prompt": "x" * 1_100_000}).status_code == 413
    made.engine.pas.aaugment = None
    assert asked(made, {"prompt": PROMPT}).status_code == 500


def test_a_stream_that_is_not_as_described_is_noticed():
    """Or the checks above would say nothing of streams."""
    made = proxy()
    assert b"event: piece" in asked(made, {"prompt": PROMPT, "stream": True}).content
    made.engine.pas.astream = lambda *_, **__: odd()
    with pytest.raises(schemathesis.core.failures.FailureGroup):
        asked(made, {"prompt": PROMPT, "stream": True})


async def odd():
    yield ""  # a piece without a text


def test_reasons_statuses_and_the_version_are_the_packages():
    schemas = PAGE["components"]["schemas"]
    assert schemas["Reason"]["enum"] == list(REASONS)
    assert schemas["Decision"]["properties"]["status"]["enum"] == list(STATUSES)
    assert PAGE["info"]["version"] == __version__
