"""The official clients and the frameworks, unchanged but for their base URL, through the proxy."""

import json

import anthropic
import openai
import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from llama_index.core.llms import CustomLLM
from pydantic import BaseModel

from http_servers import COMPLEMENT, PROMPT

SENT = f"{PROMPT}\n\n{COMPLEMENT}"
MESSAGES = [{"role": "user", "content": PROMPT}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
IMAGE = "data:image/png;base64,iVBORw0KGgo="


class Birds(BaseModel):
    birds: int


@pytest.fixture
def sent(shared):
    """Return what the upstream got of the last request."""
    return lambda: json.loads(shared[1].requests[-1].body)


@pytest.fixture
def gpt(shared):
    with openai.OpenAI(base_url=f"{shared[0].base_url}/v1", api_key="sk-1", max_retries=0) as client:
        yield client


@pytest.fixture
async def agpt(shared):
    async with openai.AsyncOpenAI(base_url=f"{shared[0].base_url}/v1", api_key="sk-1", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(shared):
    with anthropic.Anthropic(base_url=str(shared[0].base_url), api_key="sk-2", max_retries=0) as client:
        yield client


@pytest.fixture
async def aclaude(shared):
    async with anthropic.AsyncAnthropic(base_url=str(shared[0].base_url), api_key="sk-2", max_retries=0) as client:
        yield client


def test_openai_chat(gpt, sent, shared):
    answer = gpt.chat.completions.create(model="m", messages=MESSAGES)
    assert answer.choices[0].message.content == '{"birds": 0}'
    assert sent()["messages"] == [{"role": "user", "content": SENT}]
    assert shared[1].requests[-1].header("authorization") == "Bearer sk-1"


async def test_openai_chat_async(agpt, sent):
    answer = await agpt.chat.completions.create(model="m", messages=MESSAGES)
    assert answer.choices[0].message.content == '{"birds": 0}'
    assert sent()["messages"][0]["content"] == SENT


def test_openai_stream(gpt, sent):
    chunks = list(gpt.chat.completions.create(model="m", messages=MESSAGES, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "None at all."
    assert sent()["messages"][0]["content"] == SENT


async def test_openai_stream_async(agpt, sent):
    stream = await agpt.chat.completions.create(model="m", messages=MESSAGES, stream=True)
    assert "".join([c.choices[0].delta.content or "" async for c in stream]) == "None at all."
    assert sent()["messages"][0]["content"] == SENT


def test_openai_headers_say_what_happened(gpt):
    raw = gpt.chat.completions.with_raw_response.create(model="m", messages=MESSAGES)
    assert (raw.headers["x-pas-status"], raw.parse().choices[0].finish_reason) == ("applied", "stop")
    off = {"x-pas": "off"}
    raw = gpt.chat.completions.with_raw_response.create(model="m", messages=MESSAGES, extra_headers=off)
    assert raw.headers["x-pas-reason"] == "opted_out"


def test_openai_tool_loop_is_augmented_alike_each_time(gpt, sent):
    answer = gpt.chat.completions.create(model="m", messages=MESSAGES, tools=[TOOL])
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "weather"
    assert (first := sent())["tools"] == [TOOL]
    result = {"role": "tool", "tool_call_id": call.id, "content": "22 degrees"}
    history = [*MESSAGES, answer.choices[0].message.model_dump(exclude_none=True), result]
    gpt.chat.completions.create(model="m", messages=history, tools=[TOOL])
    assert sent()["messages"][0] == first["messages"][0] == {"role": "user", "content": SENT}
    assert sent()["messages"][1:] == history[1:]


def test_openai_image(gpt, sent):
    parts = [{"type": "text", "text": PROMPT}, {"type": "image_url", "image_url": {"url": IMAGE}}]
    gpt.chat.completions.create(model="m", messages=[{"role": "user", "content": parts}])
    assert sent()["messages"][0]["content"] == [{"type": "text", "text": SENT}, parts[1]]


def test_openai_structured_output_is_left_to_its_schema(gpt, sent):
    answer = gpt.chat.completions.parse(model="m", messages=MESSAGES, response_format=Birds)
    assert answer.choices[0].message.parsed == Birds(birds=0)
    assert sent()["messages"] == MESSAGES


def test_openai_responses(gpt, sent):
    assert gpt.responses.create(model="m", input=PROMPT).output_text == '{"birds": 0}'
    assert sent()["input"] == SENT
    assert gpt.responses.parse(model="m", input=PROMPT, text_format=Birds).output_parsed == Birds(birds=0)
    assert sent()["input"] == PROMPT


async def test_openai_responses_stream_async(agpt, sent):
    events = [event async for event in await agpt.responses.create(model="m", input=MESSAGES, stream=True)]
    assert [e.delta for e in events if e.type == "response.output_text.delta"] == ["None."]
    assert sent()["input"] == [{"role": "user", "content": SENT}]


def test_openai_completions_and_embeddings(gpt, sent):
    assert gpt.completions.create(model="m", prompt=PROMPT).choices[0].text == "None."
    assert sent()["prompt"] == SENT
    assert gpt.embeddings.create(model="m", input=PROMPT, encoding_format="float").data[0].embedding == [0.5, 0.25]
    assert sent()["input"] == PROMPT


@pytest.mark.parametrize("status, error", [(429, openai.RateLimitError), (401, openai.AuthenticationError)])
def test_openai_errors_are_the_upstreams(gpt, shared, status, error):
    body = json.dumps({"error": {"message": "the upstream's words", "type": "t", "code": "c"}}).encode()
    shared[1].answer = lambda _: (status, {"content-type": "application/json"}, body)
    with pytest.raises(error, match="the upstream's words"):
        gpt.chat.completions.create(model="m", messages=MESSAGES)
    assert len(shared[1].requests) == 1


def test_anthropic_messages(claude, sent, shared):
    answer = claude.messages.create(model="m", max_tokens=9, messages=MESSAGES)
    assert answer.content[0].text == "None."
    assert sent()["messages"] == [{"role": "user", "content": SENT}]
    assert shared[1].requests[-1].header("authorization") == "Bearer sk-2"


async def test_anthropic_messages_async(aclaude, sent):
    answer = await aclaude.messages.create(model="m", max_tokens=9, messages=MESSAGES)
    assert answer.content[0].text == "None."
    assert sent()["messages"][0]["content"] == SENT


def test_anthropic_stream(claude, sent):
    with claude.messages.stream(model="m", max_tokens=9, messages=MESSAGES) as stream:
        assert "".join(stream.text_stream) == "None."
    assert sent()["messages"][0]["content"] == SENT


async def test_anthropic_stream_async(aclaude, sent):
    async with aclaude.messages.stream(model="m", max_tokens=9, messages=MESSAGES) as stream:
        assert "".join([text async for text in stream.text_stream]) == "None."
    assert sent()["messages"][0]["content"] == SENT


def test_anthropic_tools_and_images(claude, sent):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    message = {"role": "user", "content": [image, {"type": "text", "text": PROMPT}]}
    tools = [{"name": "weather", "input_schema": PARAMETERS}]
    answer = claude.messages.create(model="m", max_tokens=9, messages=[message], tools=tools)
    assert sent()["messages"][0]["content"] == [image, {"type": "text", "text": SENT}]
    used = answer.content[1]
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": used.id, "content": "22 degrees"}]}
    said = {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]}
    claude.messages.create(model="m", max_tokens=9, messages=[message, said, result], tools=tools)
    assert sent()["messages"][0]["content"][1]["text"] == SENT
    assert sent()["messages"][1:] == [said, result]


def test_langchain(shared, sent):
    llm = ChatOpenAI(model="m", base_url=f"{shared[0].base_url}/v1", api_key="sk-1", max_retries=0)
    assert llm.invoke([HumanMessage(PROMPT)]).content == '{"birds": 0}'
    assert sent()["messages"][0]["content"] == SENT
    assert "".join(chunk.content for chunk in llm.stream(PROMPT)) == "None at all."
    assert sent()["messages"][0]["content"] == SENT


def test_llama_index(shared, sent):
    from llama_index.core import Document, SummaryIndex
    from llama_index.core.llms import CompletionResponse, LLMMetadata

    url = f"{shared[0].base_url}/v1"

    class Remote(CustomLLM):
        """An LLM of LlamaIndex over the official client, as its users write them."""

        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata()

        def complete(self, prompt, formatted=False, **kwargs):
            with openai.OpenAI(base_url=url, api_key="sk-1", max_retries=0) as client:
                answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": prompt}])
            return CompletionResponse(text=answer.choices[0].message.content)

        def stream_complete(self, prompt, formatted=False, **kwargs):
            raise NotImplementedError

    index = SummaryIndex.from_documents([Document(text="All birds fly off at a shot.")])
    answer = index.as_query_engine(llm=Remote()).query(PROMPT)
    assert answer.response == '{"birds": 0}'
    got = sent()["messages"][0]["content"]
    assert "All birds fly off at a shot." in got and COMPLEMENT in got[got.index(PROMPT) :]
