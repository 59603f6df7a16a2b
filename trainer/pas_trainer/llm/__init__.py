"""Paid work on many rows through an OpenAI-compatible endpoint: no answer is lost, none is paid for twice."""

from .answer import Answer
from .client import Client
from .endpoint import Endpoint, Estimate
from .errors import BudgetReached, EndpointError, RowFailed
from .ledger import Budget
from .rows import each
from .store import Store, Totals
from .structured import Parsed, Rejection, ask_json, read_object

__all__ = [
    "Answer",
    "Budget",
    "BudgetReached",
    "Client",
    "Endpoint",
    "EndpointError",
    "Estimate",
    "Parsed",
    "Rejection",
    "RowFailed",
    "Store",
    "Totals",
    "ask_json",
    "each",
    "read_object",
]
