"""What an asynchronous call of LiteLLM's SDK sends with PASDeploymentHook, and what its hooks do with odd bodies."""

from collections.abc import Iterator

import litellm
import pytest

from litellm_pas import PASDeploymentHook, PASHook
from pas_middleware import PAS, ConfigError, ScriptedModel, Settings

COMPLEMENT = "Check every step before you answer."
ASK = "How do birds fly in the rain?"
GROWN = f"{ASK}\n\n{COMPLEMENT}"
CHAT = [{"role": "user", "content": ASK}]


@pytest.fixture
def scripted() -> ScriptedModel:
    return ScriptedModel(COMPLEMENT)


@pytest.fixture
def pas(scripted) -> Iterator[PAS]:
    with PAS(scripted) as engine:
        yield engine


@pytest.fixture
def target(pas, served, asked, monkeypatch) -> dict[str, str]:
    """Return the arguments that name the upstream, with the hook in place."""
    monkeypatch.setattr(litellm, "callbacks", [PASDeploymentHook(pas)])
    return {"model": "openai/scripted", "api_base": f"{served.url}/v1", "api_key": "test"}


def proxied(pas, data, call_type):
    return PASHook(pas).async_pre_call_hook(None, None, data, call_type)


async def test_chat(target, asked):
    given = [dict(message) for message in CHAT]
    answer = await litellm.acompletion(**target, messages=given)
    assert answer.choices[0].message.content == "Scripted reply."
    assert asked == [("/v1/chat/completions", {"model": "scripted", "messages": [{"role": "user", "content": GROWN}]})]
    assert given == CHAT


async def test_chat_streamed(target, asked):
    stream = await litellm.acompletion(**target, messages=CHAT, stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "Scripted reply."
    assert [body["messages"][0]["content"] for _, body in asked] == [GROWN]


async def test_an_answer_that_is_passed_back_may_be_an_object(target, asked):
    answer = (await litellm.acompletion(**target, messages=CHAT)).choices[0].message
    follow = {"role": "user", "content": "How do fish sleep in the deep sea?"}
    await litellm.acompletion(**target, messages=[*CHAT, answer, follow])
    assert [message["content"] for message in asked[1][1]["messages"]] == [
        ASK,
        "Scripted reply.",
        f"{follow['content']}\n\n{COMPLEMENT}",
    ]


async def test_responses_completions_and_messages(target, asked):
    await litellm.aresponses(**target, input=ASK)
    await litellm.atext_completion(**{**target, "model": "text-completion-openai/scripted"}, prompt=ASK)
    await litellm.anthropic_messages(**target, max_tokens=9, messages=CHAT)
    assert [str(body).count(COMPLEMENT) for _, body in asked] == [1, 1, 1]


async def test_each_attempt_of_a_router_has_it_once(target, served, asked, scripted):
    router = litellm.Router([{"model_name": "any", "litellm_params": target}], num_retries=1, retry_after=0)
    served.failures = 1
    await router.acompletion(model="any", messages=CHAT)
    assert [body["messages"][0]["content"] for _, body in asked] == [GROWN, GROWN]
    assert len(scripted.calls) == 1


async def test_the_proxys_hook_and_the_sdks_together_add_one(pas, target, asked):
    with PAS(ScriptedModel(COMPLEMENT)) as other:
        data = await proxied(other, {"messages": CHAT, "metadata": {}}, "acompletion")
    await litellm.acompletion(**target, **data)
    assert [body["messages"][0]["content"] for _, body in asked] == [GROWN]


async def test_the_outcome_is_in_the_metadata_without_texts(pas):
    data = await proxied(pas, {"messages": CHAT, "metadata": {"user": "a"}}, "acompletion")
    (note,) = data["metadata"].pop("pas")
    assert data["metadata"] == {"user": "a"}
    assert set(note) == {"status", "reason", "model", "elapsed_ms"}
    assert (note["status"], note["reason"], note["model"]) == ("applied", "", pas.model.label)


async def test_metadata_that_goes_to_the_api_is_left_alone(pas):
    data = await proxied(pas, {"input": ASK, "metadata": {"user": "a"}}, "aresponses")
    assert data == {"input": GROWN, "metadata": {"user": "a"}}


async def test_several_prompts_each_gain_theirs(pas, scripted):
    data = await proxied(pas, {"prompt": [ASK, "Why do cats purr at night?"]}, "atext_completion")
    assert data["prompt"] == [GROWN, f"Why do cats purr at night?\n\n{COMPLEMENT}"]
    assert sum(map(len, scripted.calls)) == 2


@pytest.mark.parametrize(
    "fixed",
    [
        {"response_format": {"type": "json_schema"}},
        {"response_format": dict},
        {"text": {"format": {"type": "json_schema"}}},
        {"output_config": {"format": {"type": "json_schema"}}},
    ],
)
async def test_a_response_format_leaves_it_alone(pas, fixed):
    data = await proxied(pas, {"messages": CHAT, "metadata": {}, **fixed}, "acompletion")
    assert data["messages"] == CHAT
    assert data["metadata"]["pas"][0]["reason"] == "already_constrained"


@pytest.mark.parametrize("fixed", [{"response_format": {"type": "text"}}, {"text": {"format": {"type": "text"}}}])
async def test_a_format_of_text_fixes_nothing(pas, fixed):
    data = await proxied(pas, {"messages": CHAT, **fixed}, "acompletion")
    assert data["messages"][0]["content"] == GROWN


@pytest.mark.parametrize(
    ("call_type", "data"),
    [
        ("aembedding", {"input": ASK}),
        ("aimage_generation", {"prompt": ASK}),
        ("acompletion", {}),
        ("acompletion", {"messages": None}),
        ("acompletion", {"messages": []}),
        ("acompletion", {"messages": {"role": "user"}}),
        ("acompletion", {"messages": [7]}),
        ("atext_completion", {"prompt": [1, 2, 3]}),
        ("atext_completion", {"prompt": [[1, 2], [3]]}),
        ("atext_completion", {"prompt": None}),
        ("None", {"messages": CHAT}),
    ],
)
async def test_other_calls_and_odd_bodies_pass(pas, scripted, call_type, data):
    assert await proxied(pas, data, call_type) is None
    assert scripted.calls == []


async def test_messages_without_a_user_pass(pas, scripted):
    chat = [{"role": "system", "content": ASK}, {"type": "function_call_output", "output": ASK}, None]
    data = await proxied(pas, {"messages": chat}, "acompletion")
    assert data["messages"] == chat
    assert scripted.calls == []


async def test_a_subclass_has_the_hook_where_litellm_looks(pas):
    class Tenants(PASHook):
        pass

    assert "async_pre_call_hook" in vars(Tenants)
    data = await Tenants(pas).async_pre_call_hook(None, None, {"messages": CHAT}, "acompletion")
    assert data["messages"][0]["content"] == GROWN


async def test_a_failing_model_passes_the_request():
    def fail(prompt):
        raise RuntimeError("broken")

    with PAS(ScriptedModel(fail)) as broken:
        data = await proxied(broken, {"messages": CHAT, "metadata": {}}, "acompletion")
    assert data["messages"] == CHAT
    assert data["metadata"]["pas"][0]["reason"] == "model_error"


def test_the_environment_names_the_model(monkeypatch):
    calls = []
    monkeypatch.setattr(PAS, "load", classmethod(lambda cls, model, **how: calls.append((model, how))))
    monkeypatch.setenv("PAS_MODEL", "models/my-pas")
    monkeypatch.setenv("PAS_DEVICE", "cpu")
    PASHook()
    monkeypatch.setenv("PAS_DEADLINE_MS", "500")
    PASDeploymentHook()
    assert calls == [
        ("models/my-pas", {"device": "cpu", "settings": Settings(cache_entries=0)}),
        ("models/my-pas", {"device": "cpu", "settings": Settings(deadline_ms=500)}),
    ]


@pytest.mark.parametrize("value", ["soon", "-1"])
def test_a_deadline_that_is_none_is_named(monkeypatch, value):
    monkeypatch.setenv("PAS_DEADLINE_MS", value)
    with pytest.raises(ConfigError, match=f"(?i)deadline_ms is .?{value}"):
        PASHook()
