"""A proxy with a scripted model in front of an upstream that keeps what it got, both on the loopback interface."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from http_servers import Upstream, openai_answer, serving
from pas_middleware import PAS, Record, ScriptedModel, Settings
from pas_middleware.proxy.app import Proxy
from pas_middleware.proxy.config import ProxyConfig

COMPLEMENT = "Check every step before you answer."
PROMPT = "10 birds in a tree, one is shot dead, how many are on the ground?"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream(answer=openai_answer)
    with serving(upstream) as url:
        upstream.url = url
        yield upstream


Start = Callable[..., str]


@pytest.fixture
def start(upstream: Upstream) -> Iterator[Start]:
    """Start a proxy and return its address, once it is ready."""
    with ExitStack() as stack:

        def start(
            model: object = None,
            settings: Settings | None = None,
            *,
            record: Record | None = None,
            load: Callable[[], PAS] | None = None,
            wait: bool = True,
            **options: object,
        ) -> str:
            settings = settings or Settings(cache_entries=0)
            load = load or (lambda: PAS(model or ScriptedModel(COMPLEMENT), settings))
            config = ProxyConfig(**{"upstream": upstream.url, **options})
            proxy = Proxy(config, load, record)
            url = stack.enter_context(serving(proxy))
            while wait and proxy.engine.pas is None:
                threading.Event().wait(0.002)
            return url

        yield start


@pytest.fixture
def proxy(start: Start) -> str:
    return start()


@pytest.fixture
def client(proxy: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy, trust_env=False, timeout=30) as client:
        yield client
