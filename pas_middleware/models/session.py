"""onnxruntime sessions: imported late, without telemetry, on the device asked for."""

from __future__ import annotations

import ctypes
import importlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ModelCorrupt, ModelIncompatible, RuntimeMissing

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

DEVICES = ("auto", "cpu", "cuda", "tensorrt")
#: The execution providers of a device, each running what those before it cannot.
_PROVIDERS = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    "tensorrt": ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
}


def onnxruntime() -> ModuleType:
    """Import onnxruntime; raises RuntimeMissing naming the extras where no flavour of it is installed."""
    # From 1.29 on it would write a device id and an event database into the user's cache folder.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        module = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise RuntimeMissing(
            "onnxruntime is not installed;",
            hint='run `pip install "pas-middleware[cpu]"` (or `[cuda]` on an NVIDIA GPU, never both).',
        ) from error
    if not hasattr(module, "InferenceSession"):  # the remains of two flavours in one folder import as an empty package
        raise RuntimeMissing(
            "onnxruntime is installed but broken;",
            hint='uninstall onnxruntime and onnxruntime-gpu, then run `pip install "pas-middleware[cpu]"`.',
        )
    return module


def check_device(device: str) -> None:
    """Raise ConfigError for a device that is none of those known."""
    if device not in DEVICES:
        raise ConfigError(f"device is {device!r};", hint=f"use one of {', '.join(DEVICES)}.")


class CpuSession:
    """A model opened on the CPU; a forked child opens it anew, since onnxruntime's threads stay with the parent."""

    def __init__(self, path: Path, threads: int) -> None:
        self._path, self._threads = path, threads
        self._lock = threading.Lock()
        self._session: InferenceSession | None = _open_on_cpu(path, threads)
        _OPEN.add(self)

    @property
    def outputs(self) -> dict[str, Sequence[int | str | None]]:
        """Return the shapes of the outputs by name."""
        return {output.name: output.shape for output in self._opened().get_outputs()}

    def run(self, names: Sequence[str], feeds: dict[str, NDArray[np.int64]]) -> list[NDArray[np.float32]]:
        """Run the model once and return the named outputs."""
        arrays: list[NDArray[np.float32]] = self._opened().run(names, feeds)
        return arrays

    def _opened(self) -> InferenceSession:
        if self._session is None:
            with self._lock:
                self._session = self._session or _open_on_cpu(self._path, self._threads)
        return self._session

    def _forked(self) -> None:
        keep_for_ever(self._session)
        self._session, self._lock = None, threading.Lock()


_OPEN: WeakSet[CpuSession] = WeakSet()


def _start_anew() -> None:
    for session in list(_OPEN):
        session._forked()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_start_anew)


def keep_for_ever(thing: object) -> None:
    """Give an object a reference that nobody drops.

    In a forked child, destroying the parent's session would wait for ever for threads that the child does not have.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def open_session(path: Path, device: str, threads: int) -> tuple[InferenceSession, str]:
    """Open a generator's graph; return the session and where it runs: "cpu", "cuda" or "tensorrt".

    "auto" takes CUDA where it is there. Raises RuntimeMissing where a GPU was asked for and cannot be used.
    """
    wanted = "cuda" if device == "auto" else device
    if wanted != "cpu" and _has(_PROVIDERS[wanted][0]):
        session = _open(path, threads, _PROVIDERS[wanted])
        # onnxruntime goes on with the CPU, with a warning alone, where a provider's libraries do not load.
        if session.get_providers()[0] == _PROVIDERS[wanted][0]:
            return session, wanted
    if device in ("cuda", "tensorrt"):
        raise RuntimeMissing(
            f"{device} was asked for and cannot be used: no GPU, driver, library or onnxruntime-gpu;",
            hint='run `pip install "pas-middleware[cuda]"` in an environment without onnxruntime, or use device="cpu".',
        )
    return _open(path, threads, _PROVIDERS["cpu"]), "cpu"


def _has(provider: str) -> bool:
    runtime = onnxruntime()
    if provider not in runtime.get_available_providers():
        return False
    # Finds the libraries of the wheels nvidia-*; those of the system are found without it.
    runtime.preload_dlls(directory="")
    return True


def _open_on_cpu(path: Path, threads: int) -> InferenceSession:
    return _open(path, threads, _PROVIDERS["cpu"])


def _open(path: Path, threads: int, providers: list[str]) -> InferenceSession:
    runtime = onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin between nodes win a fifth; once the run is over they cost the application its cores.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        session: InferenceSession = runtime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's errors share no base class below Exception
        if "NOT_IMPLEMENTED" in str(error):
            raise ModelIncompatible(f"{path} needs an operator that onnxruntime lacks: {error}") from error
        raise ModelCorrupt(f"{path} is no model that onnxruntime can open: {error}") from error
    return session
