"""The page for Prometheus: every family with its name, kind, sentence and labels, and what workers share."""

import pytest
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families

from pas_middleware.proxy.metrics import SHARED, Metrics

FAMILIES = {
    "pas_augmentations": ("counter", "What was decided."),
    "pas_augment_seconds": ("histogram", "Time of an augmentation."),
    "pas_upstream_responses": ("counter", "Answers by class; none: no answer."),
    "pas_client_aborts": ("counter", "Requests that their client left."),
    "pas_upstream_cuts": ("counter", "Answers that the upstream broke off."),
    "pas_refused": ("counter", "Requests that the proxy refused."),
    "pas_proxy_errors": ("counter", "Faults of the proxy itself."),
    "pas_in_flight": ("gauge", "Requests under way."),
}
BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]


def counted() -> Metrics:
    metrics = Metrics()
    metrics.augmentations.labels("/v1/x", "skipped", "blank").inc()
    metrics.seconds.observe(0.003)
    metrics.upstream.labels("2xx").inc(2)
    metrics.aborted.inc(3)
    metrics.cut.inc(4)
    metrics.refused.labels("key").inc(5)
    metrics.errors.inc(6)
    metrics.in_flight.inc(7)
    return metrics


def read(metrics: Metrics) -> tuple[dict[str, tuple[str, str]], dict[tuple[str, ...], float]]:
    """Return the families and the samples of a page; when a count began is nobody's business."""
    kind, text = metrics.page()
    assert kind.startswith(b"text/plain; version=") and kind.endswith(b"charset=utf-8")
    # This parser names a counter without its _total.
    families = [f for f in text_string_to_metric_families(text.decode()) if not f.name.endswith("_created")]
    samples = {
        (s.name, *(f"{k}={v}" for k, v in sorted(s.labels.items()))): s.value for f in families for s in f.samples
    }
    return {f.name: (f.type, f.documentation) for f in families}, samples


def expected() -> dict[tuple[str, ...], float]:
    buckets = {
        ("pas_augment_seconds_bucket", f"le={bound}"): float(bound >= 0.003)
        for bound in [*BOUNDS, "+Inf"]
        if bound != "+Inf"
    }
    return buckets | {
        ("pas_augment_seconds_bucket", "le=+Inf"): 1.0,
        ("pas_augment_seconds_count",): 1.0,
        ("pas_augment_seconds_sum",): 0.003,
        ("pas_augmentations_total", "reason=blank", "route=/v1/x", "status=skipped"): 1.0,
        ("pas_upstream_responses_total", "code=2xx"): 2.0,
        ("pas_client_aborts_total",): 3.0,
        ("pas_upstream_cuts_total",): 4.0,
        ("pas_refused_total", "code=key"): 5.0,
        ("pas_proxy_errors_total",): 6.0,
        ("pas_in_flight",): 7.0,
    }


def test_the_page_of_one_worker(monkeypatch):
    monkeypatch.delenv(SHARED, raising=False)
    assert read(counted()) == (FAMILIES, expected())


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Have the counts of workers in files, as where several share a port."""
    monkeypatch.setenv(SHARED, str(tmp_path))
    return tmp_path


def test_the_page_of_several_workers_adds_up_what_each_counted(monkeypatch, folder):
    for worker in (1, 2):
        monkeypatch.setattr(values, "ValueClass", values.MultiProcessValue(lambda worker=worker: worker))
        last = counted()
    families, samples = read(last)
    assert families.keys() == FAMILIES.keys()
    assert samples == {key: 2 * value for key, value in expected().items()}


def test_the_requests_of_a_worker_that_is_gone_are_not_under_way(monkeypatch, folder):
    from prometheus_client.multiprocess import mark_process_dead

    for worker in (1, 2):
        monkeypatch.setattr(values, "ValueClass", values.MultiProcessValue(lambda worker=worker: worker))
        last = counted()
    mark_process_dead(1)
    assert read(last)[1][("pas_in_flight",)] == 7.0
