"""Errors of the package.

PASError
├── ConfigError                a setting or argument is out of range or unknown
├── InputError                 what was given to augment is not a prompt or a message list
├── RuntimeMissing             an optional package is not installed; names the extra
├── ModelError                 a model directory cannot be used
│   ├── ModelNotFound          there is no model directory at that path
│   ├── ModelCorrupt           a file is missing, altered, extra or unreadable
│   └── ModelIncompatible      a sound directory that this version or device cannot run
└── AugmentationError          one augmentation failed; passed through unless on_error="raise"
    ├── DeadlineExceeded
    ├── QueueFull
    └── GuardRejected
"""

from __future__ import annotations


class PASError(Exception):
    """Base of every error that the package raises on purpose.

    `reason` is a stable snake_case code, `hint` says what to do, `retryable` whether trying again can help.
    """

    reason: str = "error"
    retryable: bool = False

    def __init__(self, message: str, *, hint: str = "", reason: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.hint = hint
        if reason:
            self.reason = reason


class ConfigError(PASError):
    """A setting or an argument has an unusable value."""

    reason = "config"


class InputError(PASError):
    """What was given is neither a prompt nor a list of messages."""

    reason = "input"


class RuntimeMissing(PASError):
    """An optional dependency is not installed."""

    reason = "runtime_missing"


class ModelError(PASError):
    """A model directory cannot be used."""

    reason = "model"


class ModelNotFound(ModelError):
    """No model directory is at the given path."""

    reason = "model_not_found"


class ModelCorrupt(ModelError):
    """A file of a model directory is missing, altered, unexpected or unreadable."""

    reason = "model_corrupt"


class ModelIncompatible(ModelError):
    """A model directory asks for something that this version or device does not have."""

    reason = "model_incompatible"


class AugmentationError(PASError):
    """One augmentation failed; by default the prompt passes through and this is only recorded."""

    reason = "model_error"
    retryable = True


class DeadlineExceeded(AugmentationError):
    """The complement was not ready within `deadline_ms`."""

    reason = "deadline"


class QueueFull(AugmentationError):
    """More than `queue_limit` requests were already waiting for the model."""

    reason = "queue_full"


class GuardRejected(AugmentationError):
    """The model's complement broke a rule of the guard; `reason` says which."""

    reason = "guard"
    retryable = False
