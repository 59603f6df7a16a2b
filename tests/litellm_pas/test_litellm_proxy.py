"""What leaves a real LiteLLM proxy with `litellm_pas.pas_hook`: the complement exactly once, and nothing else new."""

import subprocess
from collections.abc import Iterator

import anthropic
import httpx
import litellm_proxy
import openai
import pytest
from litellm_upstream import REPLY

ASK = "Plan a weekend in Lisbon with two kids"
CHAT = [{"role": "user", "content": ASK}]


@pytest.fixture(scope="module")
def proxy(served, tmp_path_factory) -> Iterator[str]:
    litellm_proxy.skip_without_litellm()
    with litellm_proxy.running(tmp_path_factory.mktemp("litellm"), served.url) as url:
        yield url


@pytest.fixture
def client(proxy) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{proxy}/v1", api_key=litellm_proxy.KEY, max_retries=0) as one:
        yield one


@pytest.fixture
def claude(proxy) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=proxy, api_key=litellm_proxy.KEY, max_retries=0) as one:
        yield one


def test_chat(client, asked, insertion):
    system = {"role": "system", "content": "Be kind."}
    raw = client.chat.completions.with_raw_response.create(model="scripted", messages=[system, *CHAT])
    assert raw.parse().choices[0].message.content == REPLY
    grown = {"role": "user", "content": ASK + insertion}
    assert asked == [("/v1/chat/completions", {"model": "scripted", "messages": [system, grown]})]
    assert (raw.headers["x-pas-status"], raw.headers["x-pas-reason"]) == ("applied", "")


def test_chat_streamed(client, asked, insertion):
    stream = client.chat.completions.create(model="scripted", messages=CHAT, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == REPLY
    assert [body["messages"] for _, body in asked] == [[{"role": "user", "content": ASK + insertion}]]


def test_parts_gain_one_part(client, asked, insertion):
    parts = [{"type": "text", "text": ASK}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
    client.chat.completions.create(model="scripted", messages=[{"role": "user", "content": parts}])
    ((_, body),) = asked
    assert body["messages"][0]["content"] == [*parts, {"type": "text", "text": insertion}]


def test_responses_of_a_text(client, asked, insertion):
    assert client.responses.create(model="scripted", input=ASK).output_text == REPLY
    assert [(path, body["input"]) for path, body in asked] == [("/v1/responses", ASK + insertion)]


def test_responses_of_items(client, asked, insertion):
    part = {"type": "input_text", "text": ASK}
    call = {"type": "function_call", "call_id": "c1", "name": "find", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c1", "output": "Nothing found."}
    client.responses.create(model="scripted", input=[{"role": "user", "content": [part]}, call, result])
    ((_, body),) = asked
    grown = {"role": "user", "content": [part, {"type": "input_text", "text": insertion}]}
    assert body["input"] == [grown, call, result]


def test_completions(client, asked, insertion):
    assert client.completions.create(model="scripted", prompt=ASK).choices[0].text == REPLY
    assert [(path, body["prompt"]) for path, body in asked] == [("/v1/completions", ASK + insertion)]


def test_messages(claude, asked, insertion):
    answer = claude.messages.create(model="claude", max_tokens=9, messages=CHAT)
    assert answer.content[0].text == REPLY
    ((path, body),) = asked
    assert path == "/v1/messages"
    assert set(body) <= {"model", "max_tokens", "messages", "stream"}
    assert body["messages"] == [{"role": "user", "content": ASK + insertion}]


def test_messages_to_an_openai_model(claude, asked, insertion):
    answer = claude.messages.create(model="scripted", max_tokens=9, messages=CHAT)
    assert answer.content[0].text == REPLY
    ((_, body),) = asked
    assert str(body).count(_shown(insertion)) == 1
    assert _shown(ASK + insertion) in str(body)


def test_tool_results_are_not_the_users_text(claude, asked, insertion):
    call = {"type": "tool_use", "id": "t1", "name": "find", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "Nothing found."}
    turns = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    tools = [{"name": "find", "description": "Finds.", "input_schema": {"type": "object", "properties": {}}}]
    claude.messages.create(model="claude", max_tokens=9, messages=[*CHAT, *turns], tools=tools)
    ((_, body),) = asked
    assert _shown(ASK + insertion) in str(body["messages"][0])
    assert str(body).count(_shown(insertion)) == 1


def test_what_is_left_alone(client, asked):
    client.embeddings.create(model="scripted", input=ASK, encoding_format="float")
    client.chat.completions.create(model="scripted", messages=CHAT, response_format={"type": "json_object"})
    client.completions.create(model="scripted", prompt=[1, 2, 3])
    (_, embedded), (_, constrained), (_, tokens) = asked
    assert embedded["input"] in (ASK, [ASK])
    assert constrained["messages"] == CHAT
    assert tokens["prompt"] == [1, 2, 3]


def test_the_headers_say_why_nothing_was_added(client, asked):
    greeting = [{"role": "user", "content": "Hello!"}]
    raw = client.chat.completions.with_raw_response.create(model="scripted", messages=greeting)
    assert asked[0][1]["messages"] == greeting
    assert (raw.headers["x-pas-status"], raw.headers["x-pas-reason"]) == ("skipped", "no_complement_needed")


def test_without_a_key_nothing_passes(proxy, asked):
    answer = httpx.post(f"{proxy}/v1/chat/completions", json={"model": "scripted", "messages": CHAT}, timeout=60)
    assert answer.status_code == 401
    assert asked == []


def test_a_model_that_is_not_there_ends_the_start(tmp_path):
    litellm_proxy.skip_without_litellm()
    process = litellm_proxy.start(tmp_path, "http://127.0.0.1:9", 0, PAS_MODEL="no/such/model")
    try:
        printed, _ = process.communicate(timeout=litellm_proxy.PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode != 0
    assert "ModelNotFound" in printed
    assert "no/such/model" in printed


def _shown(text: str) -> str:
    """Return a text as it stands in the repr of what holds it."""
    return repr(text)[1:-1]
