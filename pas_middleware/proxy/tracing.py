"""A span around each augmentation where OpenTelemetry's API is installed; nothing where it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

try:
    from opentelemetry import propagate, trace
except ImportError:
    trace = None  # type: ignore[assignment]

#: Puts an attribute on the span; no attribute holds text of a prompt.
Mark = Callable[[str, str | float], None]


@contextmanager
def span(headers: Mapping[str, str]) -> Iterator[Mark]:
    """Open the span `pas.augment` as a child of what the request's `traceparent` names."""
    if trace is None:
        yield lambda name, value: None
        return
    tracer = trace.get_tracer("pas_middleware.proxy")
    # No event of an exception: its message is the model's, and can hold what nobody else is to see.
    with tracer.start_as_current_span(
        "pas.augment", propagate.extract(dict(headers)), record_exception=False, set_status_on_exception=False
    ) as current:
        yield lambda name, value: current.set_attribute(f"pas.{name}", value)
