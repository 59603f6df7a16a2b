"""The scripted server through the official client: protocol, counts, faults."""

import json

import httpx
import openai
import pytest
from openai import OpenAI

from pas_middleware.errors import ConfigError
from pas_trainer.testing import Faults, serve
from pas_trainer.testing.golden import golden, pairs

HELLO = [{"role": "user", "content": "hi there"}]


def client(server, **settings):
    return OpenAI(base_url=server.url, api_key="k", max_retries=0, **settings)


def test_it_answers_from_a_callable_and_counts():
    with serve(lambda body: body["messages"][-1]["content"].upper()) as server:
        answer = client(server).chat.completions.create(model="scripted", messages=HELLO)
    assert answer.choices[0].message.content == "HI THERE"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 2)
    assert server.stats() == {"calls": 1, "batches": 0, "answered": 1}


def test_it_streams():
    with serve("one two three") as server:
        chunks = client(server).chat.completions.create(model="scripted", messages=HELLO, stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text.split() == ["one", "two", "three"]


def test_it_lists_its_models_and_knows_no_other():
    with serve("x", models=("a", "b")) as server:
        assert [model.id for model in client(server).models.list()] == ["a", "b"]
        with pytest.raises(openai.NotFoundError, match="does not exist"):
            client(server).chat.completions.create(model="c", messages=HELLO)
    assert server.calls == []


def test_it_lets_in_one_key_only():
    with serve("x", key="right") as server, pytest.raises(openai.AuthenticationError):
        client(server).chat.completions.create(model="scripted", messages=HELLO)


def test_it_runs_batches():
    with serve("x") as server:
        api = client(server)
        lines = [
            f'{{"custom_id": "{n}", "method": "POST", "url": "/v1/chat/completions", '
            f'"body": {{"model": "scripted", "messages": [{{"role": "user", "content": "{n}"}}]}}}}\n'
            for n in range(3)
        ]
        file = api.files.create(file=("r.jsonl", "".join(lines).encode()), purpose="batch")
        batch = api.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"of": "test"}
        )
        assert [each.metadata for each in api.batches.list()] == [{"of": "test"}]
        assert [api.batches.retrieve(batch.id).status for _ in range(2)] == ["in_progress", "completed"]
        output = api.files.content(api.batches.retrieve(batch.id).output_file_id).text
    assert [line.split('"custom_id": "')[1][0] for line in output.strip().split("\n")] == ["2", "1", "0"]
    assert len(server.answered) == 3


@pytest.mark.parametrize(
    ("fault", "error"),
    [("rate_limit", openai.RateLimitError), ("error", openai.InternalServerError), ("timeout", openai.APITimeoutError)],
)
def test_a_fault_on_request_and_then_answers(fault, error):
    with serve("x", faults=[Faults(fault, count=1)]) as server:
        api = client(server, timeout=0.2)
        with pytest.raises(error):
            api.chat.completions.create(model="scripted", messages=HELLO)
        assert api.chat.completions.create(model="scripted", messages=HELLO).choices[0].message.content == "x"
    assert server.stats() == {"calls": 2, "batches": 0, fault: 1, "answered": 1}


def test_counts_are_served_too():
    with serve("x") as server:
        client(server).chat.completions.create(model="scripted", messages=HELLO)
        assert httpx.get(server.url.removesuffix("/v1") + "/stats").json()["calls"] == 1


def test_a_share_of_the_calls_goes_wrong():
    faults = Faults.parse("timeout:5%")
    assert 30 <= sum(faults.hits(n) for n in range(1000)) <= 70
    assert [Faults.parse("html:2").hits(n) for n in range(3)] == [True, True, False]


@pytest.mark.parametrize("text", ["storm:5", "timeout", "timeout:x", "html:x%"])
def test_an_unknown_fault_is_named(text):
    with pytest.raises(ConfigError):
        Faults.parse(text)


def test_golden_answers_are_the_pairs():
    pair = next(iter(pairs().values()))
    asked = [{"role": "user", "content": f"<prompt>\n{pair['prompt']}\n</prompt>"}]
    assert json.loads(golden({"messages": asked})) == {"complement": pair["complement"]}
    assert golden({"messages": [{"role": "user", "content": "something else"}]}).startswith("First settle")
