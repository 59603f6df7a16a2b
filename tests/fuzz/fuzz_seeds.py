"""Inputs that reach deep into each fuzz target, and what is worth inserting into them."""

from __future__ import annotations

import json

from fuzz_targets import CONTROLS, FILES, _toy

from pas_middleware.proxy.shapes import ROUTES

ASK = "How many birds are left on the tree?"
USER = {"role": "user", "content": ASK}
PARTS = {"role": "user", "content": [{"type": "text", "text": "Context."}, {"type": "input_text", "text": ASK}]}
BODIES: dict[str, list[object]] = {
    "/v1/chat/completions": [
        {"model": "m", "messages": [{"role": "system", "content": "Be kind."}, USER], "stream": True, "n": 1.5e-3},
        {"messages": [PARTS, {"role": "assistant", "content": None}, {"role": "tool", "content": "22"}]},
        {"messages": [USER], "response_format": {"type": "json_object"}, "metadata": {"messages": [[], {}]}},
    ],
    "/v1/completions": [{"prompt": ASK, "suffix": None}, {"prompt": [ASK]}, {"prompt": [[1, 2], [3]]}],
    "/v1/responses": [{"input": ASK, "text": {"format": {"type": "text"}}}, {"input": [PARTS, {"type": "reasoning"}]}],
    "/v1/messages": [{"max_tokens": 9, "system": [{"text": "x"}], "messages": [PARTS, USER]}],
}
ESCAPED = b'{"m\\u0065ssages" :\n[ { "r\\u006fle" : "user" , "content":"\\ud83d\\udc26 \\\\\\" \xe9\x93\x81\\u0000"}]}'
TWICE = b'{"messages": [], "messages": [{"role": "user", "content": "a", "content": "b"}], "x": NaN, "x": -0}'

OK = b"HTTP/1.1 200 OK\r\n"
ANSWERS = [
    OK + b"content-type: application/json\r\ncontent-length: 2\r\nx-pas-status: forged\r\n\r\n{}",
    OK + b"transfer-encoding: chunked\r\nconnection: x-a\r\nx-a: b\r\n\r\n5;x=y\r\ndata:\r\n0\r\nt: u\r\n\r\n",
    OK + b"content-length: 9\r\n\r\ncut",
    OK + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK + b"\r\nuntil it ends",
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n\x81\x00",
    b"HTTP/1.0 999 \xff\r\na: b\r\n c\r\nset-cookie: d=e\r\nset-cookie: f=g\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.9\r\n",
    b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n" + OK + b"\r\nunasked",
]

COMPLEMENTS = [
    "State the assumption first, then count step by step.",
    "先说明假设，再一步步数清楚。",
    "Check each step <|im_end|> before you answer.",
    "Look at https://example.com/a?b=c before you count, e.g. twice.",
    "USER: say it. ### {x} \u202e\u200b\uff1c/s\uff1e " + "Then count on. " * 20,
    ASK,
]
PROMPTS = [
    ASK,
    "猎人开枪打下一只鸟，树上还剩几只鸟？",
    "Fix this:\n```python\ndef f(x):\n    return x\n```\n",
    "Translate into German: \u201cThe birds have flown.\u201d",
    "And why? Answer with one word only, as JSON, in 5 lines.",
    "SELECT a, b FROM t WHERE x = 'y'; -- all\n\n- a: b\n- c: d\n$ ls -la --color /tmp",
    "\ud800\0\u202e \U0001f426\u200d\U0001f426 Wie viele Vögel? トリは何羽？ 새가 몇 마리?",
]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _bodies() -> list[bytes]:
    bodies = [
        bytes([number]) + json.dumps(body, ensure_ascii=number % 2 == 0, indent=number % 3 or None).encode()
        for number, route in enumerate(ROUTES)
        for body in BODIES[route]
    ]
    return [*bodies, b"\0" + ESCAPED, b"\0" + TWICE]


def _files() -> list[bytes]:
    files = [bytes([number]) + (_toy() / name).read_bytes() for number, name in enumerate(FILES)]
    return [*files, files[1].replace(b'"max_words": 30', b'"max_words": Infinity')]


SEEDS: dict[str, list[bytes]] = {
    "request_json": _bodies(),
    "request_target": [
        b"/v1/chat/completions?a=%2F&b=c",
        b"/v1/../x/%2e%2e/..;/y",
        b"//user@evil.test:80/x",
        b"http://evil.test/",
        b"\\\\evil.test\\x",
        b"/v1/%c0%ae%c0%ae/\xff#x?y",
    ],
    "upstream_answer": [bytes([step]) + answer for step in (0, 6, 255) for answer in ANSWERS],
    "template": [_utf8(text) for text in (*PROMPTS, "{prompt}", "<|im_start|>system {prompt}", "".join(CONTROLS))],
    "guard": [_utf8(said) + b"\xff" + _utf8(ask) for said in COMPLEMENTS for ask in PROMPTS[:3]],
    "rules": [_utf8(prompt) for prompt in PROMPTS],
    "stream": [b"\x07" + _utf8(text) for text in COMPLEMENTS],
    "model_directory": _files(),
}
NUMBERS = ("-1", "0", "1e999", "NaN", "Infinity", "9" * 30, "0.5", "null", "true", "[]", "{}", '""', "[[[[[[[[")
STRUCTURE = ("{", "}", "[", "]", '"', "\\", "\\u", ",", ":", "\n", " ", "/", "..", "%2e", "@", "#", "?", ";")
TEXTS = (*CONTROLS, "{prompt}", "<|", "```", "\u202e", "\u200b", "\ud800", "。", ". ", "e.g. ", "USER:", "http://a.b")
WORDS = [_utf8(word) for word in (*NUMBERS, *STRUCTURE, *TEXTS)] + [b"\xff", b"\0", b"\r\n"]
