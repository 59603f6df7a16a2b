"""One key in 12 places × 20 faults × 4 log levels: none of it in logs, answers, metrics, records, spans, or `pas log`.

Each run is one request to the proxy as `pas serve` builds it, in this process, with an upstream on the loopback
interface. The user's text and what the upstream says are keys' places too: their own receiver alone may see them.
"""

import base64
import gc
import json
import logging
import shutil
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from http_servers import PROMPT, Upstream, serving
from pas_middleware import (
    PAS,
    AugmentationError,
    Breaker,
    DeadlineExceeded,
    Record,
    ScriptedModel,
    Settings,
)
from pas_middleware.cli import app as cli
from pas_middleware.proxy.app import Proxy
from pas_middleware.proxy.command import build
from pas_middleware.proxy.config import ProxyConfig, Secret
from raw_http import CHAT, answering

CANARY = "Xq7Zk93pWd_canary_T4hN8mR2vL"
LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)

NOBODY = "http://127.0.0.1:1"


def shapes_of(secret: str) -> list[str]:
    """Return what would give a secret away: itself, its ends, and it encoded, wherever in a longer text it stands."""
    raw = secret.encode()
    shapes = [secret, secret[:8], secret[-8:], secret[::-1], raw.hex()]
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        shapes.append(encoded[4 if before else 0 : -2])  # the ends mix with what is beside it
    return shapes


def found_in(text: str) -> list[str]:
    return [shape for shape in shapes_of(CANARY) if shape in text]


class PanicException(BaseException):
    """Stands for pyo3's, which is known by its name alone."""


def test_a_configuration_shows_no_key():
    config = ProxyConfig("http://e", Secret(CANARY), (Secret(CANARY),))
    shown = [repr(config), str(config), f"{config!a}", str(asdict(config)), f"{config.upstream_key}"]
    assert found_in("".join(shown)) == [] and shown[0].count("***") == 2


@dataclass
class Run:
    """One request, and what is behind the proxy."""

    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    path: str = CHAT
    prompt: str = PROMPT
    fields: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    model: Callable[[str], str] = lambda said: "Check every step before you answer."
    said: str = "it is broken"  # by the model
    told: str = "it is so"  # by the upstream
    relayed: bool = False  # what the upstream tells is the client's to see
    status: int = 200
    raw: bytes | None = None  # what an upstream sends that speaks no sound HTTP
    body: Callable[[bytes], bytes] = lambda body: body
    spoil: Callable[[Proxy, Path], object] = lambda proxy, folder: None


Change = Callable[[Run], object]


def header(name: str, form: str = "{}") -> Change:
    return lambda run: run.headers.update({name: form.format(CANARY)})


def clients_key(run: Run) -> None:
    run.config["client_keys"] = (Secret(CANARY),)
    run.headers["authorization"] = f"Bearer {CANARY}"


PLACES: dict[str, Change] = {
    "the authorization": header("authorization", "Bearer {}"),
    "x-api-key": header("x-api-key"),
    "a cookie": header("cookie", "session={}"),
    "the trace's baggage": header("baggage", "key={}"),
    "the query": lambda run: setattr(run, "path", f"{run.path}?key={CANARY}"),
    "a field of the body": lambda run: run.fields.update(api_key=CANARY),
    "the name of a field": lambda run: run.fields.update({CANARY: 1}),
    "the user's text": lambda run: setattr(run, "prompt", f"{PROMPT} My key is {CANARY}."),
    "the operator's key": lambda run: run.config.update(upstream_key=Secret(CANARY)),
    "a client's key": clients_key,
    "the model's error": lambda run: setattr(run, "said", f"token {CANARY} expired"),
    "the upstream's answer": lambda run: (setattr(run, "told", f"unknown key {CANARY}"), setattr(run, "relayed", True)),
}


def upstream(**values: Any) -> Change:
    return lambda run: [setattr(run, name, value) for name, value in values.items()]


def model(error: Callable[[str], BaseException], **settings: Any) -> Change:
    def script(said: str) -> str:
        raise error(said)

    return lambda run: (setattr(run, "model", script), run.settings.update(settings))


def saying(text: str) -> Change:
    return lambda run: setattr(run, "model", lambda said: text.format(said))


def body(change: Callable[[bytes], bytes]) -> Change:
    return lambda run: setattr(run, "body", change)


def fault_of_ours(part: Callable[[Proxy], Any], name: str) -> Change:
    """Have a part of the proxy fail with all that it was given in the message."""

    def spoil(proxy: Proxy, _: Path) -> None:
        async def fail(*given: Any, **_: Any) -> None:
            shown = [vars(each) if hasattr(each, "__dict__") else each for each in given]
            raise RuntimeError(f"{shown} {CANARY}")

        setattr(part(proxy), name, fail)

    return upstream(spoil=spoil)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"
FAULTS: dict[str, Change] = {
    "none": lambda run: None,
    "the upstream refuses": lambda run: run.config.update(upstream=NOBODY),
    "the upstream closes at once": upstream(raw=b""),
    "the upstream resets in the body": upstream(raw=HEAD + b"x" * 40),
    "the upstream speaks no HTTP": upstream(raw=b"SSH-2.0 " + CANARY.encode() + b"\r\n\r\n"),
    "the upstream is too slow": lambda run: (setattr(run, "status", 0), run.config.update(read_timeout_s=0.01)),
    "the upstream says 401": upstream(status=401),
    "the upstream redirects": upstream(status=302),
    "the model raises": model(RuntimeError),
    "the model raises, on_error raise": model(RuntimeError, on_error="raise"),
    "the model panics": model(PanicException),
    "the model is late, on_error raise": model(DeadlineExceeded, on_error="raise"),
    "the breaker opens": model(AugmentationError, breaker=Breaker(failures=1)),
    "the guard refuses a key": saying("See https://evil.test/?{} first."),
    "the body is no JSON": body(lambda body: body[:-1]),
    "the body is nested too deeply": body(lambda body: body[:-1] + b', "a":' + b"[" * 999 + b"]" * 999 + b"}"),
    "the record cannot be written": upstream(spoil=lambda _, folder: shutil.rmtree(folder)),
    "deciding fails": fault_of_ours(lambda proxy: proxy._augmenter, "decide"),
    "augmenting fails": fault_of_ours(lambda proxy: proxy.engine.pas, "aaugment"),
    "relaying fails": fault_of_ours(lambda proxy: proxy._upstream, "relay"),
}


def test_there_are_960_runs():
    assert len(PLACES) * len(FAULTS) * len(LEVELS) == 960


@pytest.fixture(autouse=True)
def quiet_client() -> None:
    for name in ("httpx", "httpcore"):  # the test's own client, not the proxy's
        logging.getLogger(name).setLevel(logging.WARNING)


@pytest.fixture(scope="module")
def sound() -> Iterator[Upstream]:
    upstream = Upstream()
    with serving(upstream) as upstream.url:
        yield upstream


@contextmanager
def behind(run: Run, sound: Upstream) -> Iterator[str]:
    """Have an upstream behave as a run wants it, and give its address."""
    if run.raw is not None:
        with answering(run.raw) as (url, _):
            yield url
        return
    told = run.told.encode()
    sound.hold = None if run.status else threading.Event()
    headers = {"x-request-id": run.told, "location": f"http://evil.test/?{run.told}"}
    sound.answer = lambda _: (run.status or 200, headers, told if run.status else [b"", told])
    yield sound.url


def own(run: Run, answer: httpx.Response) -> str:
    """Return what the proxy itself answered: what the upstream says is its client's to see."""
    if run.relayed and "pas proxy:" not in answer.text:
        return "\n".join(value for name, value in answer.headers.items() if name.startswith("x-pas"))
    return f"{answer.headers.raw}\n{answer.text}"


async def ask(run: Run, url: str, log: Path, caplog: Any) -> dict[str, str]:
    """Make the request at every level of logging, and return what could be seen of it, by where."""
    log.parent.mkdir()
    pas = PAS(ScriptedModel(lambda _: run.model(run.said)), Settings(cache_entries=0, **run.settings))
    proxy = build(ProxyConfig(**{"upstream": url} | run.config), lambda: pas, str(log), log_texts=False)
    proxy.engine.pas, pas.record = pas, proxy.engine.record
    run.spoil(proxy, log.parent)
    chat = {"model": "m", "messages": [{"role": "user", "content": run.prompt}], **run.fields}
    seen = {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(proxy), base_url="http://proxy") as client:
        for level in LEVELS:
            caplog.set_level(level)
            with suppress(AssertionError):  # of the transport, which knows no answer that is cut
                answer = await client.post(run.path, content=run.body(json.dumps(chat).encode()), headers=run.headers)
                seen[f"the answer at {level}"] = own(run, answer)
            pas.record.flush()
            seen[f"the log at {level}"] = caplog.text
            caplog.clear()
        seen["the metrics"] = (await client.get("/metrics")).text
    seen["the record"] = "".join(file.read_text() for file in log.parent.glob("*")) if log.parent.exists() else ""
    seen["pas log"] = CliRunner().invoke(cli, ["log", str(log)]).output
    await proxy._upstream.close()
    pas.close()
    return seen


@pytest.mark.parametrize("name", FAULTS)
async def test_no_key_is_shown(name, sound, spans, caplog, capfd, tmp_path, monkeypatch):
    context = ssl.create_default_context()  # to read the certificates for each proxy takes longer than the rest
    monkeypatch.setattr(ssl, "create_default_context", lambda: context)
    hits = []
    for number, (place, put) in enumerate(PLACES.items()):
        run = Run()
        put(run)
        FAULTS[name](run)
        with behind(run, sound) as url:
            seen = await ask(run, url, tmp_path / str(number) / "pas.jsonl", caplog)
        seen["the spans"] = "".join(span.to_json() for span in spans.get_finished_spans())
        spans.clear()
        hits += [(place, where, found_in(text)) for where, text in seen.items() if found_in(text)]
    gc.collect()  # of a task that failed unseen asyncio tells only now
    assert hits == []
    assert found_in(caplog.text + "".join(capfd.readouterr())) == []


def failing(prompt: str) -> str:
    if "birds" in prompt:
        raise RuntimeError(f"token {CANARY} expired")
    return "Check every step before you answer."


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("on_error", ["passthrough", "raise"])
@pytest.mark.parametrize("down", [False, True])
def test_no_key_is_shown_by_a_real_server(start, upstream, tmp_path, caplog, level, on_error, down):
    caplog.set_level(level)
    upstream.answer = lambda _: (302, {"location": f"http://evil.test/?key={CANARY}"}, b"")
    options = {"upstream": NOBODY} if down else {}
    record = Record(tmp_path / "pas.jsonl")
    policy = Settings(cache_entries=0, on_error=on_error)
    url = start(ScriptedModel(failing), policy, record=record, upstream_key=Secret(CANARY), **options)
    seen = []
    with httpx.Client(base_url=url, trust_env=False, headers={"authorization": f"Bearer {CANARY}"}) as client:
        for path in (CHAT, "/v1/complement", f"/v1/files?key={CANARY}", f"//{CANARY}", "/v1/%2e%2e/x"):
            answer = client.post(path, json={"messages": [{"role": "user", "content": PROMPT}], "api_key": CANARY})
            seen += [str(answer.status_code), *(v for k, v in answer.headers.items() if k != "location"), answer.text]
        seen.append(client.get("/metrics").text)
    record.flush()
    seen += [caplog.text, *(file.read_text() for file in tmp_path.iterdir())]
    assert found_in("\n".join(seen)) == []
