"""Errors of paid work.

PASError
├── EndpointError    the endpoint answers nobody: wrong key, unknown model, no API at that address, nothing there
├── RowFailed        one row got no answer this time; it is asked again in the next run
└── BudgetReached    the next call could cost more than is left of `max_usd`
"""

from __future__ import annotations

from pas_middleware.errors import PASError


class EndpointError(PASError):
    """The endpoint cannot be used as configured; nothing more is asked of it."""

    reason = "endpoint"


class RowFailed(PASError):
    """One row has no answer after all retries; the others go on."""

    reason = "row_failed"
    retryable = True


class BudgetReached(PASError):
    """The next call could cost more than is left."""

    reason = "budget"
    retryable = True
