"""What takes the bytes of strangers, each as a function of bytes that fails where a promise is broken.

`TARGETS` names them. `test_fuzz.py` runs them on made-up inputs, `under_atheris.py` under Atheris.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from pas_middleware import PAS, GuardRejected, ModelError
from pas_middleware.augmentation import REASONS
from pas_middleware.draft import Draft
from pas_middleware.errors import AugmentationError, ConfigError
from pas_middleware.framing import frame, needs_frame, unframed
from pas_middleware.guard import check
from pas_middleware.language import detect
from pas_middleware.models.directory import MANIFEST, open_directory, write_manifest
from pas_middleware.models.template import SLOT, PromptTokenizer, Template
from pas_middleware.models.tokenizer import clean
from pas_middleware.proxy import shapes
from pas_middleware.proxy.augmenting import parse
from pas_middleware.proxy.config import ProxyConfig
from pas_middleware.proxy.connection import Connection, _Wire
from pas_middleware.proxy.inbound import Inbound
from pas_middleware.proxy.metrics import Metrics
from pas_middleware.proxy.splice import splice
from pas_middleware.proxy.upstream import Upstream
from pas_middleware.rules import reason_to_skip
from pas_middleware.words import fits
from toy_models import write_selector

Target = Callable[[bytes], None]
JSON = Headers({"content-type": "application/json"})
#: Nothing that an input would hold by chance, with everything that JSON escapes.
INSERTION = '\n\n\u0001"\\ \u2028 \U0001f426 put behind'


def text_of(data: bytes) -> str:
    """Return a text of any bytes; what is no UTF-8 becomes lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def _first(data: bytes) -> int:
    return data[0] if data else 0


def texts_of(data: bytes) -> tuple[str, str]:
    """Return two texts, divided by the first byte that no UTF-8 has."""
    first, _, second = data.partition(b"\xff")
    return text_of(first), text_of(second)


def request_json(data: bytes) -> None:
    """Splice into a request's body; the first byte is the route."""
    route, raw = shapes.ROUTES[_first(data) % len(shapes.ROUTES)], data[1:]
    try:
        before = parse(JSON, raw, 100)
    except ValueError:
        return
    target = shapes.find(route, before)
    if target is None:
        return
    body = splice(raw, target.path, INSERTION)
    if body is None:
        assert _names_a_key_twice(raw)
        return
    assert body.replace(json.dumps(INSERTION)[1:-1].encode(), b"", 1) == raw
    after = json.loads(body)
    holder, last = _at(after, target.path[:-1]), target.path[-1]
    assert target.text.endswith(holder[last].removesuffix(INSERTION)) and holder[last].endswith(INSERTION)
    holder[last] = holder[last].removesuffix(INSERTION)
    assert json.dumps(after) == json.dumps(before)


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def _names_a_key_twice(raw: bytes) -> bool:
    twice = []
    json.loads(raw, object_pairs_hook=lambda pairs: twice.append(len(pairs) != len(dict(pairs))) or dict(pairs))
    return any(twice)


@cache
def _upstream() -> Upstream:
    return Upstream(ProxyConfig("http://127.0.0.1:9/openai/v1"), Metrics())


def request_target(data: bytes) -> None:
    """Turn the target of a request line into the upstream's."""
    target = _upstream().target(data)
    if target is None:
        return
    path = target.partition(b"?")[0]
    assert path.startswith(b"/openai/v1") and target.isascii() and not {*b"\r\n\0 "} & {*target}
    parts = unquote_to_bytes(path).replace(b"\\", b"/").split(b"/")
    assert not {b".", b".."} & {part.partition(b";")[0] for part in parts}  # some servers cut parameters off


class _Answering(asyncio.Transport):
    """Says its bytes, some at a time, as soon as it is asked anything, and hangs up."""

    def __init__(self, wire: _Wire, said: bytes, step: int) -> None:
        self._wire, self._said, self._step = wire, said, step
        wire.connection_made(self)

    def write(self, data: bytes) -> None:
        for begin in range(0, len(self._said), self._step):
            piece = self._said[begin : begin + self._step]
            self._wire.get_buffer(len(piece))[: len(piece)] = piece
            self._wire.buffer_updated(len(piece))
        self._said = b""
        self._wire.eof_received()

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    resume_reading = abort = pause_reading


def upstream_answer(data: bytes) -> None:
    """Relay what an upstream answers; the first byte says in how large pieces it comes."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    async def relay() -> None:
        connection = Connection(wire := _Wire(), 1.0)
        _Answering(wire, data[1:], 1 + _first(data))
        connection._rested = asyncio.get_running_loop().time()
        _upstream()._idle.append(connection)
        scope = {"path": "/v1/x", "raw_path": b"/v1/x", "method": "GET", "headers": [], "query_string": b""}
        await _upstream().relay(Inbound(scope, receive), send, None, [(b"x-pas-status", b"skipped")])
        assert not _upstream()._idle  # it hung up

    asyncio.run(relay())
    begin, *rest = sent
    assert begin["type"] == "http.response.start" and 200 <= begin["status"] <= 999
    names = [name.lower() for name, _ in begin["headers"]]
    assert names.count(b"x-pas-status") == 1 and not {b"connection", b"transfer-encoding", b"upgrade"} & {*names}
    assert all(message["type"] == "http.response.body" for message in rest)


CONTROLS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "[INST]", "</s>", "<think>")


@cache
def _tokenizer() -> PromptTokenizer:
    letters = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(BPE(letters, []))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.add_special_tokens(list(CONTROLS[:-1]))
    tokenizer.add_tokens(list(CONTROLS[-1:]))  # atomic all the same
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(f"{folder}/tokenizer.json")
        template = Template.parse(f"<|im_start|>user\n{SLOT}<|im_end|>\n<|im_start|>assistant\n")
        return PromptTokenizer(Path(folder, "tokenizer.json"), template, max_tokens=256, tail_tokens=64)


def template(data: bytes) -> None:
    """Put a prompt into the template's slot, as ids; and read a template."""
    text, tokenizer = text_of(data), _tokenizer()
    ids = tokenizer.encode(text)
    after = tokenizer.encode("")
    span = ids[: len(ids) - len(after)]
    assert ids[len(span) :] == after and len(span) <= 256
    assert not tokenizer.controls & {*span}
    if len(clean(text).encode()) <= 256:  # a token a byte
        assert tokenizer.decode(span) == clean(text).rstrip("\ufffd")
    try:
        parsed = Template.parse(text)
    except ConfigError:
        assert text.count(SLOT) != 1
    else:
        assert parsed.before + SLOT + parsed.after == text


def guard(data: bytes) -> None:
    """Check a complement against a prompt."""
    complement, prompt = texts_of(data)
    try:
        passed = check(complement, prompt, max_words=30)
    except GuardRejected as error:
        assert error.reason in REASONS
        return
    assert passed and complement.startswith(passed) and fits(passed, 30)
    assert not any(token in passed for token in (*CONTROLS, "{", "###", "\0", "\u202e", "\u200b"))
    assert check(passed, prompt, max_words=30) == passed


def rules(data: bytes) -> None:
    """Decide a prompt without a model."""
    prompt = text_of(data)
    assert reason_to_skip(prompt, max_chars=32_768) in REASONS
    assert detect(prompt).isascii()
    needs_frame(prompt)
    assert prompt.startswith(unframed(prompt))
    assert all(unframed(frame(prompt, language)).endswith(prompt) for language in ("en", "zh"))


def stream(data: bytes) -> None:
    """Split a text that is being written into sentences, as it grows byte by byte; the first byte says how fast."""
    text, step = text_of(data[1:]), 1 + _first(data) % 16
    draft = Draft(lambda whole: check(whole, "How many birds are left?", max_words=30), "sentence")
    pieces = [draft.take(text[:end]) for end in range(0, len(text), step)]
    try:
        pieces.append(draft.end(text.strip()))
    except AugmentationError as error:
        assert error.reason in REASONS and not any(pieces)
    assert "".join(pieces) == draft.kept
    assert text.startswith(draft.kept) or text.strip().startswith(draft.kept)
    assert not draft.kept or check(draft.kept, "How many birds are left?", max_words=30) == draft.kept


@cache
def _toy() -> Path:
    return write_selector(Path(tempfile.mkdtemp(prefix="pas-fuzz-")) / "toy")


FILES = (MANIFEST, "pas.json", "intents.json", "tokenizer.json")


def model_directory(data: bytes) -> None:
    """Load a model of which one file is somebody's; the first byte says which."""
    name = FILES[_first(data) % len(FILES)]
    with tempfile.TemporaryDirectory(prefix="pas-fuzz-") as place:
        folder = Path(shutil.copytree(_toy(), Path(place) / "toy"))
        (folder / name).write_bytes(data[1:])
        if name != MANIFEST:
            write_manifest(folder)
        try:
            open_directory(folder)
            pas = PAS.load(folder)
        except ModelError:
            return
        with pas:
            prompt = "Write an email to my landlord about the broken heating."
            assert pas.augment(prompt).text.startswith(prompt)


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (request_json, request_target, upstream_answer, template, guard, rules, stream, model_directory)
}
