"""Request shapes of the four routes, compared byte for byte: `@@` stands where the complement is to appear.

A body without `@@` has to go on exactly as it came.
"""

import json

import pytest

from http_servers import COMPLEMENT, PROMPT

CHAT, TEXT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"
HERE = f"{PROMPT}@@"
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
CALL = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a": "x"}'}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "birds", "schema": {"type": "object"}}}


def user(content: object, **more: object) -> dict:
    return {"role": "user", "content": content, **more}


def said(role: str, content: object = "Earlier words.", **more: object) -> dict:
    return {"role": role, "content": content, **more}


def text(content: str, kind: str = "text", **more: object) -> dict:
    return {"type": kind, "text": content, **more}


def chat(*messages: object, **more: object) -> tuple[str, dict]:
    return CHAT, {"model": "m", "messages": list(messages), **more}


def claude(*messages: object, **more: object) -> tuple[str, dict]:
    return MESSAGES, {"model": "m", "max_tokens": 9, "messages": list(messages), **more}


def responses(given: object, **more: object) -> tuple[str, dict]:
    return RESPONSES, {"model": "m", "input": given, **more}


SHAPES = {
    # Chat completions.
    "one message": chat(user(HERE)),
    "system first": chat(said("system"), user(HERE)),
    "developer first": chat(said("developer"), user(HERE)),
    "system last": chat(user(HERE), said("system")),
    "earlier turns": chat(user("Hello."), said("assistant"), user(HERE)),
    "the same words twice": chat(user(PROMPT), said("assistant"), user(HERE)),
    "prefilled answer": chat(user(HERE), said("assistant", "There are")),
    "user with a name": chat(user(HERE, name="ann")),
    "one text part": chat(user([text(HERE)])),
    "two text parts": chat(user([text("Some context."), text(HERE)])),
    "text then image": chat(user([text(HERE), IMAGE])),
    "image then text": chat(user([IMAGE, text(HERE)])),
    "text between images": chat(user([IMAGE, text(HERE), IMAGE])),
    "image alone": chat(user([IMAGE])),
    "audio part": chat(user([text(HERE), {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}])),
    "file part": chat(user([{"type": "file", "file": {"file_id": "f1"}}, text(HERE)])),
    "tool result last": chat(
        user(HERE), said("assistant", None, tool_calls=[CALL]), said("tool", "22", tool_call_id="t1")
    ),
    "function result last": chat(user(HERE), said("assistant", None), said("function", "22", name="f")),
    "tools": chat(user(HERE), tools=[TOOL], tool_choice="auto"),
    "parallel tools off": chat(user(HERE), tools=[TOOL], parallel_tool_calls=False),
    "stream": chat(user(HERE), stream=True, stream_options={"include_usage": True}),
    "n, logprobs, seed": chat(user(HERE), n=3, logprobs=True, top_logprobs=5, seed=7),
    "sampling": chat(user(HERE), temperature=0, top_p=1.0, stop=["\n"], max_completion_tokens=5),
    "unknown fields": chat(user(HERE, extra={"content": PROMPT}), extra_body={"messages": []}, foo=None),
    "content in metadata": chat(user(HERE), metadata={"messages": PROMPT, "content": PROMPT}),
    "fields before the messages": (CHAT, {"content": PROMPT, "tools": [TOOL], "messages": [user(HERE)]}),
    "plain text format": chat(user(HERE), response_format={"type": "text"}),
    "JSON mode": chat(user(PROMPT), response_format={"type": "json_object"}),
    "JSON schema": chat(user(PROMPT), response_format=SCHEMA),
    "guided decoding": chat(user(PROMPT), guided_choice=["none", "one"]),
    "odd role": chat(said("wizard"), user(HERE)),
    "empty user text": chat(user("")),
    "blank user text": chat(user(" \n\t")),
    "no user": chat(said("system"), said("assistant")),
    "no messages": chat(),
    "messages of another type": (CHAT, {"messages": PROMPT}),
    "a message that is none": chat("hello", 7, None, user(HERE)),
    "a role that is none": chat({"role": 7, "content": PROMPT}, user(HERE)),
    "content that is none": chat(user(HERE), user(None)) and chat(user(7)),
    "a part that is none": chat(user([7, None, text(HERE), {"type": "text"}, {"type": "text", "text": 7}])),
    "quotes and escapes": chat(user('Explain "a\\b" and C:\\new\\table to a child, with {"x": [1]} in mind.@@')),
    "line ends": chat(user(f"Some context.\r\n\t{HERE}")),
    "emoji and joiners": chat(user(f"\U0001f468\u200d\U0001f469\u200d\U0001f467 {HERE}")),
    "Chinese around": chat(said("system", "请用中文"), user(HERE), metadata={"键": "值"}),
    "a NUL": chat(user(f"a\x00b {HERE}")),
    "line separators": chat(user(f"a\u2028b\u2029c {HERE}")),
    "a very long history": chat(*[user("Hello. " * 50), said("assistant", "Hi. " * 50)] * 100, user(HERE)),
    "already constrained": chat(user("How many birds are left? Answer with one word only.")),
    "code alone": chat(user("def f(x):\n    return x + 1\n")),
    "too long": chat(user("word " * 10_000)),
    # Completions.
    "prompt": (TEXT, {"model": "m", "prompt": HERE}),
    "prompt first": (TEXT, {"prompt": HERE, "model": "m", "max_tokens": 5}),
    "one prompt in a list": (TEXT, {"model": "m", "prompt": [HERE]}),
    "two prompts": (TEXT, {"model": "m", "prompt": [PROMPT, PROMPT]}),
    "tokens": (TEXT, {"model": "m", "prompt": [1, 2, 3]}),
    "lists of tokens": (TEXT, {"model": "m", "prompt": [[1, 2], [3]]}),
    "fill in the middle": (TEXT, {"model": "m", "prompt": PROMPT, "suffix": "end"}),
    "echo and best_of": (TEXT, {"model": "m", "prompt": HERE, "echo": True, "best_of": 2, "suffix": None}),
    "streamed completion": (TEXT, {"model": "m", "prompt": HERE, "stream": True}),
    # Responses.
    "input text": responses(HERE),
    "instructions": responses(HERE, instructions="Be kind.", previous_response_id="r0"),
    "input message": responses([user(HERE)]),
    "typed input message": responses([user(HERE, type="message")]),
    "input_text part": responses([user([text(HERE, "input_text")])]),
    "input_text and image": responses([user([text(HERE, "input_text"), {"type": "input_image", "image_url": "https://e/x"}])]),
    "function output last": responses(
        [user(HERE), {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
         {"type": "function_call_output", "call_id": "c", "output": "22"}]
    ),
    "reasoning item last": responses([user(HERE), {"type": "reasoning", "id": "r", "summary": []}]),
    "item reference": responses([{"type": "item_reference", "id": "i"}]),
    "earlier output": responses([user("Hello."), said("assistant", [text("Hi.", "output_text")]), user(HERE)]),
    "output text is not the user's": responses([said("assistant", [text(PROMPT, "output_text")])]),
    "text format": responses(HERE, text={"format": {"type": "text"}, "verbosity": "low"}),
    "responses schema": responses(PROMPT, text={"format": {"type": "json_schema", "name": "b", "schema": {}}}),
    "responses tools": responses(HERE, tools=[{"type": "web_search"}], stream=True),
    "no input": (RESPONSES, {"model": "m", "prompt": {"id": "p1", "variables": {"x": PROMPT}}}),
    # Messages.
    "claude": claude(user(HERE)),
    "claude with system": claude(user(HERE), system=[text("Be kind.", cache_control={"type": "ephemeral"})]),
    "claude blocks": claude(user([text("Some context."), text(HERE, cache_control={"type": "ephemeral"})])),
    "claude image": claude(user([{"type": "image", "source": {"type": "base64", "data": "AA=="}}, text(HERE)])),
    "claude document": claude(user([{"type": "document", "source": {"type": "text", "data": PROMPT}}, text(HERE)])),
    "claude tool result alone": claude(
        user(HERE), said("assistant", [{"type": "tool_use", "id": "t", "name": "f", "input": {"text": PROMPT}}]),
        user([{"type": "tool_result", "tool_use_id": "t", "content": [text(PROMPT)]}]),
    ),
    "claude tool result and words": claude(
        user("Hello."), said("assistant"), user([{"type": "tool_result", "tool_use_id": "t"}, text(HERE)])
    ),
    "claude prefill": claude(user(HERE), said("assistant", "{")),
    "claude thinking": claude(user(HERE), thinking={"type": "enabled", "budget_tokens": 1024}, stream=True),
    "claude schema": claude(user(PROMPT), output_config={"format": {"type": "json_schema", "schema": {}}}),
}  # fmt: skip

RAW = {
    "spaces everywhere": b'\r\n\t{ "messages" :\n[ { "content" : "%s" , "role" : "user" } ]\t}\n',
    "escaped letters": b'{"m\\u0065ssages": [{"role": "\\u0075ser", "content": "\\u0048i. %s"}]}',
    "a pair of surrogates": b'{"messages": [{"role": "user", "content": "\\ud83d\\udc26 %s"}]}',
    "numbers kept as written": b'{"temperature": 1.00e-0, "seed": -0, "messages": [{"role": "user", "content": "%s"}]}',
    "UTF-8 as it is": '{"键": "值€\U0001f426", "messages": [{"role": "user", "content": "é: %s"}]}'.encode(),
    "slashes escaped": b'{"url": "http:\\/\\/e\\/", "messages": [{"content": "\\/\\/ %s", "role": "user"}]}',
    "a key twice elsewhere": b'{"a": 1, "a": 2, "messages": [{"role": "user", "content": "%s"}]}',
}
TWICE = {
    "messages twice": b'{"messages": [], "messages": [{"role": "user", "content": "%s"}]}',
    "content twice": b'{"messages": [{"role": "user", "content": "Hello.", "content": "%s"}]}',
}


def cases():
    for name, (path, body) in SHAPES.items():
        for number, options in enumerate([{}, {"ensure_ascii": False, "indent": 1}]):
            yield pytest.param(
                path, json.dumps(body, **options).encode(), id=f"{name}-{'indented' if number else 'plain'}"
            )
    for name, raw in RAW.items():
        yield pytest.param(CHAT, raw.replace(b"%s", HERE.encode()), id=name)
    for name, raw in TWICE.items():
        yield pytest.param(CHAT, raw.replace(b"%s", PROMPT.encode()), id=name)


def test_there_are_at_least_80_shapes():
    assert len(SHAPES) + len(RAW) + len(TWICE) >= 80


@pytest.mark.parametrize("path, marked", list(cases()))
def test_only_the_last_user_text_changes(shared, path, marked):
    client, upstream = shared
    raw = marked.replace(b"@@", b"")
    answer = client.post(path, content=raw, headers={"content-type": "application/json"})
    (got,) = upstream.requests
    assert got.body == marked.replace(b"@@", b"\\n\\n" + COMPLEMENT.encode())
    assert got.header("content-length") == str(len(got.body))
    assert answer.headers["x-pas-status"] == ("applied" if b"@@" in marked else "skipped")
