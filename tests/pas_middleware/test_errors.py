import pickle

import pytest

from pas_middleware import (
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
    errors,
)

#: Each error with its parent, its reason, and whether trying again can help.
TREE = [
    (ConfigError, PASError, "config", False),
    (InputError, PASError, "input", False),
    (RuntimeMissing, PASError, "runtime_missing", False),
    (ModelError, PASError, "model", False),
    (ModelNotFound, ModelError, "model_not_found", False),
    (ModelCorrupt, ModelError, "model_corrupt", False),
    (ModelIncompatible, ModelError, "model_incompatible", False),
    (AugmentationError, PASError, "model_error", True),
    (DeadlineExceeded, AugmentationError, "deadline", True),
    (QueueFull, AugmentationError, "queue_full", True),
    (GuardRejected, AugmentationError, "guard", False),
]


@pytest.mark.parametrize(("error", "parent", "reason", "retryable"), TREE, ids=lambda v: getattr(v, "__name__", None))
def test_tree(error, parent, reason, retryable):
    assert error.__bases__ == (parent,)
    raised = error("It broke;", hint="mend it.")
    assert (raised.reason, raised.hint, raised.retryable) == (reason, "mend it.", retryable)
    assert str(raised) == "It broke; mend it."


def test_tree_is_complete_and_drawn_in_the_docstring():
    defined = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert defined == {error.__name__ for error, *_ in TREE} | {"PASError"}
    drawn = {line.split("── ")[1].split()[0] for line in errors.__doc__.splitlines() if "── " in line}
    assert drawn | {"PASError"} == defined


def test_reason_of_one_error_leaves_the_class_alone():
    assert GuardRejected("No.", reason="guard_url").reason == "guard_url"
    assert GuardRejected("No.").reason == "guard"


def test_error_without_hint_has_no_trailing_space():
    assert str(PASError("It broke.")) == "It broke."


def test_errors_survive_pickling():
    error = pickle.loads(pickle.dumps(ModelCorrupt("It broke;", hint="mend it.", reason="special")))
    assert (type(error), str(error), error.hint, error.reason) == (
        ModelCorrupt,
        "It broke; mend it.",
        "mend it.",
        "special",
    )
