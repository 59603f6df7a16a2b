"""A real LiteLLM proxy process, of the interpreter that has one: PAS_LITELLM_PYTHON or that of `.venv-litellm`."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PYTHON = Path(os.environ.get("PAS_LITELLM_PYTHON") or _ROOT / ".venv-litellm" / "bin" / "python")
_CONFIG = """
model_list:
  - model_name: scripted
    litellm_params: {{model: openai/scripted, api_base: "{url}/v1", api_key: test}}
  - model_name: claude
    litellm_params: {{model: anthropic/claude-sonnet-4-5, api_base: "{url}", api_key: test}}
litellm_settings:
  callbacks: ["litellm_pas.pas_hook"]
"""
KEY = "sk-test"
#: Then the process is ended, and the test shows what it had printed.
PATIENCE_S = 400


def skip_without_litellm() -> None:
    if not _PYTHON.with_name("litellm").exists():
        pytest.skip(f"no LiteLLM proxy beside {_PYTHON}; docs/litellm.md says how to install one")


def start(folder: Path, upstream_url: str, port: int, **environment: str) -> subprocess.Popen[str]:
    (folder / "config.yaml").write_text(_CONFIG.format(url=upstream_url))
    own = {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONUNBUFFERED": "1"}
    own["PAS_DEADLINE_MS"] = "60000"  # what is tested is what is sent, not how fast this machine is
    address = ["--host", "127.0.0.1", "--port", str(port)]
    return subprocess.Popen(
        [str(_PYTHON.with_name("litellm")), "--config", "config.yaml", *address],
        cwd=folder,
        env={**os.environ, **own, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def running(folder: Path, upstream_url: str) -> Iterator[str]:
    """Run the proxy and yield its address once it listens."""
    port = _free_port()
    process = start(folder, upstream_url, port)
    patience = threading.Timer(PATIENCE_S, process.kill)
    patience.start()
    try:
        _until_it_listens(process)
        patience.cancel()
        threading.Thread(target=process.communicate, daemon=True).start()  # a full pipe would stop it
        yield f"http://127.0.0.1:{port}"
    finally:
        patience.cancel()
        process.terminate()
        process.wait()


def _until_it_listens(process: subprocess.Popen[str]) -> None:
    printed = []
    for line in process.stdout or ():
        printed.append(line)
        if "Uvicorn running on" in line:
            return
    pytest.fail("the proxy ended before it listened:\n" + "".join(printed))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
