"""A proxy with a scripted model in front of an upstream that keeps what it got, both on the loopback interface."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from http_servers import COMPLEMENT, Upstream, openai_answer, serving
from pas_middleware import PAS, Record, ScriptedModel, Settings
from pas_middleware.proxy.app import Proxy
from pas_middleware.proxy.config import ProxyConfig

Start = Callable[..., str]


@contextmanager
def upstream_served() -> Iterator[Upstream]:
    upstream = Upstream(answer=openai_answer)
    with serving(upstream) as url:
        upstream.url = url
        yield upstream


@contextmanager
def starting(upstream: Upstream) -> Iterator[Start]:
    """Give a function that starts a proxy and returns its address, once it is ready."""
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
            proxy = Proxy(ProxyConfig(**{"upstream": upstream.url, **options}), load, record)
            url = stack.enter_context(serving(proxy))
            for _ in range(10_000 if wait else 0):
                if proxy.engine.pas is not None:
                    return url
                threading.Event().wait(0.002)
            assert not wait, "the proxy did not get ready"
            return url

        yield start


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with upstream_served() as upstream:
        yield upstream


@pytest.fixture
def start(upstream: Upstream) -> Iterator[Start]:
    with starting(upstream) as start:
        yield start


@pytest.fixture
def proxy(start: Start) -> str:
    return start()


@pytest.fixture
def client(proxy: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def one_for_all() -> Iterator[tuple[httpx.Client, Upstream]]:
    with upstream_served() as upstream, starting(upstream) as start:
        with httpx.Client(base_url=start(), trust_env=False, timeout=30) as client:
            yield client, upstream


@pytest.fixture
def shared(one_for_all: tuple[httpx.Client, Upstream]) -> tuple[httpx.Client, Upstream]:
    """A client of a proxy that the module's tests share, and its upstream, which has seen nothing yet."""
    one_for_all[1].requests.clear()
    one_for_all[1].answer = openai_answer
    return one_for_all


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """What is traced meanwhile."""
    kept = InMemorySpanExporter()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        trace.set_tracer_provider(provider := TracerProvider())
    provider.add_span_processor(SimpleSpanProcessor(kept))
    yield kept
    kept.shutdown()  # a provider forgets none of its processors: what others trace is not kept any more
