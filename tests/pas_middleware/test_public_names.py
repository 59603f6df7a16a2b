import json
import subprocess
import sys

import pas_middleware

PUBLIC = [
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
#: What only an extra or a later moment needs: frameworks, runtimes, the command line, the language identifier.
NOT_LOADED = {
    "langchain",
    "langchain_core",
    "langchain_pas",
    "litellm",
    "llama_index",
    "llama_index_pas",
    "onnx",
    "onnxruntime",
    "openai",
    "optimum",
    "pas_trainer",
    "py3langid",
    "pydantic",
    "rich",
    "sqlite3",
    "torch",
    "transformers",
    "typer",
}


def test_public_names_are_pinned():
    assert pas_middleware.__all__ == PUBLIC


def test_every_public_name_exists():
    assert [name for name in PUBLIC if not hasattr(pas_middleware, name)] == []


def test_import_loads_no_framework_and_no_runtime():
    code = "import json, sys, pas_middleware; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert "pas_middleware" in loaded
    assert loaded & NOT_LOADED == set()
