"""What the proxy itself answers, message by message and byte for byte."""

import json

import pytest

from in_process import Client
from pas_middleware.proxy.replies import answer, answer_bytes, failure


async def test_a_json_answer_with_headers_of_its_own():
    client = Client()
    await answer(client.send, 201, {"a": [1, "é"]}, [(b"x-own", b"1")])
    body = b'{"a": [1, "\\u00e9"]}'
    headers = [(b"content-type", b"application/json"), (b"content-length", b"20"), (b"x-own", b"1")]
    assert client.sent == [
        {"type": "http.response.start", "status": 201, "headers": headers},
        {"type": "http.response.body", "body": body},
    ]


async def test_an_answer_of_any_type():
    client = Client()
    await answer_bytes(client.send, 200, b"text/css", b"a{}")
    assert client.sent == [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/css"), (b"content-length", b"3")],
        },
        {"type": "http.response.body", "body": b"a{}"},
    ]


@pytest.mark.parametrize("status, retry", [(400, []), (428, []), (429, [b"1"]), (502, []), (503, [b"1"]), (504, [])])
async def test_a_failure_says_when_to_come_back_where_that_helps(status, retry):
    client = Client()
    await failure(client.send, status, "some_code", "it is so.", [(b"x-pas-status", b"raised")])
    names = [name for name, _ in client.headers]
    assert names == [b"content-type", b"content-length", *[b"retry-after"] * len(retry), b"x-pas-status"]
    assert [value for name, value in client.headers if name == b"retry-after"] == retry
    error = {"message": "pas proxy: it is so.", "type": "pas_proxy_error", "code": "some_code", "param": None}
    assert (client.status, json.loads(client.body)) == (status, {"type": "error", "error": error})
