"""Put a small model in front of any LLM: it appends a short complement on how to answer well, never the answer."""

from .augmentation import REASONS, STATUSES, Augmentation, AugmentedMessages
from .errors import (
    AugmentationError,
    ConfigError,
    DeadlineExceeded,
    GuardRejected,
    InputError,
    ModelCorrupt,
    ModelError,
    ModelIncompatible,
    ModelNotFound,
    PASError,
    QueueFull,
    RuntimeMissing,
)
from .models.base import ComplementModel, ModelInfo, Proposal, Request, ScriptedModel
from .pas import PAS
from .record import Record
from .settings import Breaker, Sampling, Settings

__version__ = "0.1.0"
__all__ = [
    "PAS",
    "REASONS",
    "STATUSES",
    "Augmentation",
    "AugmentationError",
    "AugmentedMessages",
    "Breaker",
    "ComplementModel",
    "ConfigError",
    "DeadlineExceeded",
    "GuardRejected",
    "InputError",
    "ModelCorrupt",
    "ModelError",
    "ModelIncompatible",
    "ModelInfo",
    "ModelNotFound",
    "PASError",
    "Proposal",
    "QueueFull",
    "Record",
    "Request",
    "RuntimeMissing",
    "Sampling",
    "ScriptedModel",
    "Settings",
    "__version__",
]
