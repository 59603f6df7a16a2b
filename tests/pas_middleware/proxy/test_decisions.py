"""What becomes of one request's body, decided in this process: the answer's headers, the body, the counts, the log."""

import json
import logging
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from starlette.datastructures import Headers
from test_shapes import cases

from http_servers import COMPLEMENT, PROMPT
from in_process import CHAT, CHAT_BODY, SKIPPED, FixedPAS, sample
from pas_middleware import PAS, DeadlineExceeded, ScriptedModel, Settings
from pas_middleware.proxy import augmenting
from pas_middleware.proxy.augmenting import Augmenter, Outcome, parse
from pas_middleware.proxy.metrics import Metrics

JSON = Headers({"content-type": "application/json"})
SPLICED = CHAT_BODY.replace(b"on the ground?", b"on the ground?\\n\\n" + COMPLEMENT.encode())


class Decider:
    """An augmenter with a model of its own, its counts, and the spans it opened."""

    def __init__(self, pas: object, monkeypatch: pytest.MonkeyPatch) -> None:
        self.metrics, self.spans = Metrics(), []
        self.augmenter = Augmenter(SimpleNamespace(pas=pas), self.metrics, 8)
        monkeypatch.setattr(augmenting, "span", self.span)

    @contextmanager
    def span(self, headers):
        marks = {}
        self.spans.append((headers, marks))
        yield lambda name, value: marks.update({name: value})

    def counted(self, status: str, reason: str, route: str = CHAT) -> float | None:
        return sample(self.metrics, "pas_augmentations_total", route=route, status=status, reason=reason)


@pytest.fixture
def decider(monkeypatch):
    return lambda *said: Decider(FixedPAS(*said), monkeypatch)


async def test_what_was_augmented_goes_on_with_the_complement(decider):
    one = decider()
    outcome = await one.augmenter.decide(CHAT, JSON, CHAT_BODY)
    assert outcome == Outcome("applied", "", 1250.0, COMPLEMENT, SPLICED)
    assert one.augmenter._engine.pas.asked == [(PROMPT, {"constrained": False})]
    assert one.spans == [(JSON, {"status": "applied", "reason": ""})]
    assert one.counted("applied", "") == 1.0 and sample(one.metrics, "pas_augment_seconds_sum") == 1.25


async def test_what_the_model_leaves_alone_goes_on_as_it_came(decider):
    one = decider(SKIPPED)
    assert await one.augmenter.decide(CHAT, JSON, CHAT_BODY) == Outcome("skipped", "unsure", 250.0, "", CHAT_BODY)
    assert one.spans == [(JSON, {"status": "skipped", "reason": "unsure"})]
    assert one.counted("skipped", "unsure") == 1.0 and sample(one.metrics, "pas_augment_seconds_sum") == 0.25


@pytest.mark.parametrize(
    "fields, constrained",
    [
        ({"response_format": {"type": "json_object"}}, True),
        ({"response_format": {"type": "text"}}, False),
        ({"response_format": {"schema": {}}}, False),  # no type: the API's default is text
        ({"response_format": "json"}, False),
        ({"guided_json": {}}, True),
        ({"guided_json": None, "structured_outputs": None}, False),
    ],
)
async def test_whether_a_format_fixes_the_answer_is_told_to_the_model(decider, fields, constrained):
    one = decider(SKIPPED)
    await one.augmenter.decide(CHAT, JSON, json.dumps(json.loads(CHAT_BODY) | fields).encode())
    assert one.augmenter._engine.pas.asked == [(PROMPT, {"constrained": constrained})]


@pytest.mark.parametrize("content", ["", [], [{"type": "image_url"}], [{"type": "text", "text": ""}], None])
async def test_a_user_who_says_nothing_costs_the_model_nothing(decider, content):
    one = decider()
    raw = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
    assert await one.augmenter.decide(CHAT, JSON, raw) == Outcome(reason="blank", body=raw)
    assert one.augmenter._engine.pas.asked == []


@pytest.mark.parametrize("route", ["/v1/completions", "/v1/responses"])
@pytest.mark.parametrize("given", [[1, 2, 3], [[1], [2]], [], ["One.", "Two."], [7], 7, {"id": "p"}, "", [""], None])
async def test_what_is_no_text_of_a_user_is_no_fault_and_costs_the_model_nothing(decider, route, given):
    one = decider()
    raw = json.dumps({"prompt": given, "input": given}).encode()
    assert await one.augmenter.decide(route, JSON, raw) == Outcome(reason="blank", body=raw)
    assert one.augmenter._engine.pas.asked == [] and sample(one.metrics, "pas_proxy_errors_total") == 0.0


TWICE = CHAT_BODY.replace(b'"content"', b'"content": "Hello.", "content"')
DEEP = CHAT_BODY[:-1] + b', "x": ' + b"[" * 8 + b"]" * 8 + b"}"


@pytest.mark.parametrize(
    "headers, raw, reason, ms",
    [
        ({}, None, "too_long", 0.0),
        ({"x-pas": "off"}, None, "too_long", 0.0),
        ({"x-pas": "off"}, CHAT_BODY, "opted_out", 0.0),
        ({"x-pas": "OFF"}, b"{", "opted_out", 0.0),
        ({}, b"{", "unreadable", 0.0),
        ({}, DEEP, "unreadable", 0.0),
        ({}, TWICE, "unreadable", 1250.0),
        ({}, b"{}", "blank", 0.0),
    ],
)
async def test_what_is_not_augmented_goes_on_with_its_reason(decider, headers, raw, reason, ms):
    one = decider()
    outcome = await one.augmenter.decide(CHAT, Headers({"content-type": "application/json", **headers}), raw)
    assert outcome == Outcome("skipped", reason, ms, "", raw)
    assert one.counted("skipped", reason) == 1.0
    assert one.spans[0][1] == {"status": "skipped", "reason": reason}


@pytest.mark.parametrize("value", ["on", "of", "", "XXXX"])
async def test_only_off_opts_out(decider, value):
    headers = Headers({"content-type": "application/json", "x-pas": value})
    assert (await decider().augmenter.decide(CHAT, headers, CHAT_BODY)).status == "applied"


async def test_while_the_model_loads_requests_go_on(monkeypatch):
    one = Decider(None, monkeypatch)
    assert await one.augmenter.decide(CHAT, JSON, CHAT_BODY) == Outcome("skipped", "not_ready", body=CHAT_BODY)
    assert one.counted("skipped", "not_ready") == 1.0
    assert await one.augmenter.decide(CHAT, Headers({"x-pas": "off"}), b"") == Outcome(reason="opted_out", body=b"")


async def test_a_fault_of_the_proxy_costs_nobody_an_answer(decider, caplog):
    one = decider(KeyError("sk-secret"))
    with caplog.at_level(logging.DEBUG):
        outcome = await one.augmenter.decide(CHAT, JSON, CHAT_BODY)
    assert outcome == Outcome("skipped", "model_error", 0.0, "", CHAT_BODY)
    assert caplog.record_tuples == [("pas_middleware.proxy", logging.ERROR, "a request was not augmented: KeyError")]
    assert sample(one.metrics, "pas_proxy_errors_total") == 1.0 and one.counted("skipped", "model_error") == 1.0
    assert one.spans == [(JSON, {"status": "skipped", "reason": "model_error"})]


async def test_what_on_error_raises_is_raised_and_counted(decider, caplog):
    one = decider(error := DeadlineExceeded("late"))
    with pytest.raises(DeadlineExceeded) as caught, caplog.at_level(logging.DEBUG):
        await one.augmenter.decide("/v1/messages", JSON, CHAT_BODY)
    assert caught.value is error and caplog.record_tuples == []
    assert one.counted("raised", "deadline", "/v1/messages") == 1.0
    assert one.spans == [(JSON, {"status": "raised", "reason": "deadline"})]
    assert sample(one.metrics, "pas_proxy_errors_total") == 0.0


@pytest.mark.parametrize(
    "outcome, asked, headers",
    [
        (Outcome(), {}, [(b"x-pas-status", b"skipped"), (b"x-pas-reason", b""), (b"x-pas-ms", b"0.0")]),
        (
            Outcome("applied", "", 12.345, "secret"),
            {"x-pas-show": "Complement"},
            [(b"x-pas-status", b"applied"), (b"x-pas-reason", b""), (b"x-pas-ms", b"12.3")],
        ),
        (
            Outcome("applied", "", 1234.56, "a A0-_~ ,.;:!?'()/\r\n%é\"&"),
            {"x-pas-show": "complement"},
            [
                (b"x-pas-status", b"applied"),
                (b"x-pas-reason", b""),
                (b"x-pas-ms", b"1234.6"),
                (b"x-pas-complement", b"a A0-_~ ,.;:!?'()%2F%0D%0A%25%C3%A9%22%26"),
            ],
        ),
        (
            Outcome("skipped", "unsure"),
            {"x-pas-show": "complement"},
            [
                (b"x-pas-status", b"skipped"),
                (b"x-pas-reason", b"unsure"),
                (b"x-pas-ms", b"0.0"),
                (b"x-pas-complement", b""),
            ],
        ),
    ],
)
def test_the_headers_that_say_what_happened(outcome, asked, headers):
    assert outcome.headers(Headers(asked)) == headers


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        " Application/JSON ;",
        "application/json; charset=utf-8",
        'application/json;Charset = "UTF-8"',
        "application/json;charset=UTF-8",
    ],
)
def test_json_that_is_read(kind):
    assert parse(Headers({"content-type": kind}), '{"a": "é"}'.encode(), 8) == {"a": "é"}
    sent_plain = Headers({"content-type": kind, "content-encoding": "identity"})
    assert parse(sent_plain, b"[1]", 8) == [1]


NO_JSON, PACKED, DEEPLY = "it is no application/json in UTF-8", "it is compressed", "it is nested too deeply"


@pytest.mark.parametrize(
    "headers, raw, said",
    [
        ({}, b"{}", NO_JSON),
        ({"content-type": ""}, b"{}", NO_JSON),
        ({"content-type": "text/plain"}, b"{}", NO_JSON),
        ({"content-type": "application/jsonl"}, b"{}", NO_JSON),
        ({"content-type": "application/json; charset=utf-16"}, b"{}", NO_JSON),
        ({"content-type": "application/json; charset=utf-8; q=1"}, b"{}", NO_JSON),
        ({"content-type": "application/json; q=1"}, b"{}", NO_JSON),
        ({"content-type": "text/plain; charset=utf-8"}, b"{}", NO_JSON),
        ({"content-type": "application/json", "content-encoding": "gzip"}, b"{}", PACKED),
        ({"content-type": "application/json", "content-encoding": "identity, gzip"}, b"{}", PACKED),
        ({"content-type": "application/json"}, b"[" * 100_000, DEEPLY),
        ({"content-type": "application/json"}, b"[" * 9 + b"]" * 9, DEEPLY),
        ({"content-type": "application/json"}, b'{"a":' * 9 + b"1" + b"}" * 9, DEEPLY),
        ({"content-type": "application/json"}, b'[1, {"a": [], "b": {"c": [[[[[[]]]]]]}}]', DEEPLY),
    ],
)
def test_what_is_not_read_and_why(headers, raw, said):
    with pytest.raises(ValueError) as caught:
        parse(Headers(headers), raw, 8)
    assert str(caught.value) == said and caught.value.__cause__ is None


@pytest.mark.parametrize("raw", [b"", b"{", b"{}{}", b"\xff", b'{"a": "\xff"}', "{}".encode("utf-16")])
def test_what_is_no_json(raw):
    with pytest.raises(ValueError):
        parse(JSON, raw, 8)


@pytest.mark.parametrize(
    "raw, levels",
    [
        (b"1", 0),
        (b'"[[[["', 0),
        (b"[]", 1),
        (b"{}", 1),
        (b"[1, 2, [3]]", 2),
        (b'{"a": [1], "b": {"c": [2]}}', 3),
        (b'[{"a": 1}, [[[]], 2]]', 4),
        (b"[[], [], [], [[]]]", 3),
    ],
)
def test_how_deep_a_document_is(raw, levels):
    assert parse(JSON, raw, levels) == json.loads(raw)
    if levels:
        with pytest.raises(ValueError, match="deeply"):
            parse(JSON, raw, levels - 1)


@pytest.fixture(scope="module")
def scripted():
    with PAS(ScriptedModel(COMPLEMENT), Settings(cache_entries=0)) as pas:
        yield Augmenter(SimpleNamespace(pas=pas), Metrics(), 100)


@pytest.mark.parametrize("path, marked", list(cases()))
async def test_a_complement_comes_behind_the_last_user_text_alone(scripted, path, marked):
    outcome = await scripted.decide(path, JSON, marked.replace(b"@@", b""))
    assert outcome.body == marked.replace(b"@@", b"\\n\\n" + COMPLEMENT.encode())
    assert (outcome.status, outcome.complement) == (("applied", COMPLEMENT) if b"@@" in marked else ("skipped", ""))
