"""What is counted for Prometheus; no label holds anything that a client wrote."""

from __future__ import annotations

import os

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
#: Where workers put their counts for each other, as prometheus-client wants it.
SHARED = "PROMETHEUS_MULTIPROC_DIR"


class Metrics:
    """The counts of one worker; `page` shows those of all."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.augmentations = Counter(
            "pas_augmentations", "What was decided.", ["route", "status", "reason"], registry=registry
        )
        self.seconds = Histogram("pas_augment_seconds", "Time of an augmentation.", buckets=_SECONDS, registry=registry)
        self.upstream = Counter(
            "pas_upstream_responses", "Answers by class; none: no answer.", ["code"], registry=registry
        )
        self.aborted = Counter("pas_client_aborts", "Requests that their client left.", registry=registry)
        self.cut = Counter("pas_upstream_cuts", "Answers that the upstream broke off.", registry=registry)
        self.refused = Counter("pas_refused", "Requests that the proxy refused.", ["code"], registry=registry)
        self.errors = Counter("pas_proxy_errors", "Faults of the proxy itself.", registry=registry)
        self.in_flight = Gauge("pas_in_flight", "Requests under way.", registry=registry, multiprocess_mode="livesum")

    def page(self) -> tuple[bytes, bytes]:
        """Return the page's content type and text."""
        registry = self._registry
        if os.environ.get(SHARED):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return CONTENT_TYPE_LATEST.encode(), generate_latest(registry)
