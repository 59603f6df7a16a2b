"""A causal LM's graph and its K/V buffers: rows are filled one at a time and decoded together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .session import onnxruntime

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, IOBinding, RunOptions

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shape:
    """Measures of a graph: K/V heads of `head_dim` in each layer, their type, how many candidates it gives."""

    layers: int
    kv_heads: int
    head_dim: int
    dtype: str
    top_k: int


@dataclass(frozen=True, slots=True)
class Top:
    """The greatest logits of each row and their ids, greatest first: two arrays of shape (rows, k)."""

    logits: Floats
    ids: Ids


class Decoder(Protocol):
    """Rows of K/V; every row begins with the template's prefix, which is computed once."""

    rows: int
    prefix: int

    def prefill(self, row: int, ids: Sequence[int], past: int, options: RunOptions) -> Top:
        """Append ids behind the `past` tokens of one row; return the candidates that follow the last."""

    def step(self, tokens: Sequence[int | None], lengths: Sequence[int]) -> Top:
        """Append one token to each of the first rows, which hold `lengths` tokens; None for a row to be left out."""

    def move(self, source: int, target: int, length: int) -> bool:
        """Copy a row of so many tokens over another; False where the device cannot."""


class FusedDecoder:
    """A graph with GroupQueryAttention: one buffer is bound as past and present, so that a step copies nothing.

    Inputs: input_ids (rows, tokens), seqlens_k (rows,) the last position of each row, total_length the longest row, and
    the buffers. Outputs: top_logits and top_ids (rows, k) of the last position.
    """

    def __init__(
        self, session: InferenceSession, shape: Shape, prefix: Sequence[int], *, rows: int, context: int, device: str
    ) -> None:
        self.rows, self.prefix = rows, len(prefix)
        self._session, self._shape, self._prefix_ids = session, shape, list(prefix)
        self._context, self._device = context, device
        self._cache = _buffers(shape, rows, context, device)
        self._values = np.empty((rows, shape.top_k), np.float32)
        self._ids = np.empty((rows, shape.top_k), np.int64)
        self._bindings: dict[tuple[int, int], IOBinding] = {}
        self._fill_prefix(0, onnxruntime().RunOptions())
        self._ready = 1

    def prefill(self, row: int, ids: Sequence[int], past: int, options: RunOptions) -> Top:
        """Append ids behind the `past` tokens of one row; return the candidates that follow the last."""
        while self._ready <= row:
            self._fill_prefix(self._ready, options)
            self._ready += 1
        return self._run(row, 1, np.array([ids], np.int64), [past + len(ids)], options)

    def _fill_prefix(self, row: int, options: RunOptions) -> None:
        if self._prefix_ids and not (row and self._copy(0, row, 0, self.prefix)):
            self._run(row, 1, np.array([self._prefix_ids], np.int64), [self.prefix], options)

    def step(self, tokens: Sequence[int | None], lengths: Sequence[int]) -> Top:
        """Append one token to each of the first rows, which hold `lengths` tokens; None for a row to be left out."""
        # It takes part all the same, its token being written behind what it holds, where the next one overwrites it.
        ids = np.array([[token or 0] for token in tokens], np.int64)
        return self._run(0, len(tokens), ids, [length + 1 for length in lengths], None)

    def move(self, source: int, target: int, length: int) -> bool:
        """Copy a row of so many tokens over another; False where the device cannot."""
        # The prefix is the same in every row and never overwritten.
        return self._copy(source, target, self.prefix, length)

    def _copy(self, source: int, target: int, start: int, stop: int) -> bool:
        if self._device != "cpu":
            return False
        for buffer in self._cache:
            buffer[target, :, start:stop] = buffer[source, :, start:stop]
        return True

    def _run(self, row: int, count: int, ids: Ids, totals: list[int], options: RunOptions | None) -> Top:
        binding = self._binding(row, count)
        seqlens, longest = np.array(totals, np.int32) - 1, np.array(max(totals), np.int32)
        # Bound anew each time: on a GPU it is the binding that copies them over.
        binding.bind_cpu_input("input_ids", np.ascontiguousarray(ids))
        binding.bind_cpu_input("seqlens_k", seqlens)
        binding.bind_cpu_input("total_length", longest)
        self._session.run_with_iobinding(binding, options)
        return Top(self._values[row : row + count].copy(), self._ids[row : row + count].copy())

    def _binding(self, row: int, count: int) -> IOBinding:
        if (row, count) not in self._bindings:
            self._bindings[row, count] = self._bind(row, count)
        return self._bindings[row, count]

    def _bind(self, row: int, count: int) -> IOBinding:
        shape, binding = self._shape, self._session.io_binding()
        size = (count, shape.kv_heads, self._context, shape.head_dim)
        for number, (past, present) in enumerate(_kv_names(shape.layers)):
            pointer = _pointer(self._cache[number], row)
            kind = np.dtype(shape.dtype).type
            binding.bind_input(past, self._device, 0, kind, size, pointer)
            binding.bind_output(present, self._device, 0, kind, size, pointer)
        for name, array in (("top_logits", self._values), ("top_ids", self._ids)):
            part = array[row : row + count]
            binding.bind_output(name, "cpu", 0, array.dtype.type, part.shape, part.ctypes.data)
        return binding


class PlainDecoder:
    """A graph that returns its K/V lengthened, as `optimum` exports any architecture; rows run one after the other.

    Inputs: input_ids, attention_mask, position_ids where the graph has them, and each layer's past; outputs:
    top_logits, top_ids and each layer's present.
    """

    def __init__(self, session: InferenceSession, shape: Shape, prefix: Sequence[int], *, rows: int) -> None:
        self.rows, self.prefix = rows, len(prefix)
        self._session, self._shape = session, shape
        self._inputs = {item.name for item in session.get_inputs()}
        self._names = _kv_names(shape.layers)
        empty = np.zeros((1, shape.kv_heads, 0, shape.head_dim), shape.dtype)
        self._start: list[Any] = [empty] * len(self._names)
        if prefix:
            _, self._start = self._run(self._start, 0, list(prefix), None)
        self._cache: list[list[Any]] = [self._start] * rows

    def prefill(self, row: int, ids: Sequence[int], past: int, options: RunOptions) -> Top:
        """Append ids behind the `past` tokens of one row; return the candidates that follow the last."""
        before = self._start if past == self.prefix else self._cache[row]
        top, self._cache[row] = self._run(before, past, list(ids), options)
        return top

    def step(self, tokens: Sequence[int | None], lengths: Sequence[int]) -> Top:
        """Append one token to each of the first rows, which hold `lengths` tokens; None for a row to be left out."""
        size = (len(tokens), self._shape.top_k)
        result = Top(np.zeros(size, np.float32), np.zeros(size, np.int64))
        for row, (token, length) in enumerate(zip(tokens, lengths, strict=True)):
            if token is not None:
                top, self._cache[row] = self._run(self._cache[row], length, [token], None)
                result.logits[row], result.ids[row] = top.logits[0], top.ids[0]
        return result

    def move(self, source: int, target: int, length: int) -> bool:
        """Let one row stand in another's place."""
        self._cache[target], self._cache[source] = self._cache[source], self._start
        return True

    def _run(self, cache: list[Any], past: int, ids: list[int], options: RunOptions | None) -> tuple[Top, list[Any]]:
        total = past + len(ids)
        feeds: dict[str, Any] = {
            "input_ids": np.array([ids], np.int64),
            "attention_mask": np.ones((1, total), np.int64),
            "position_ids": np.arange(past, total, dtype=np.int64)[None],
        }
        feeds = {name: value for name, value in feeds.items() if name in self._inputs}
        feeds |= {past_name: value for (past_name, _), value in zip(self._names, cache, strict=True)}
        outputs = ["top_logits", "top_ids", *(present for _, present in self._names)]
        logits, top_ids, *presents = self._session.run(outputs, feeds, options)
        return Top(logits, top_ids), presents


def _kv_names(layers: int) -> list[tuple[str, str]]:
    return [
        (f"past_key_values.{layer}.{part}", f"present.{layer}.{part}")
        for layer in range(layers)
        for part in ("key", "value")
    ]


def _buffers(shape: Shape, rows: int, context: int, device: str) -> list[Any]:
    size = (rows, shape.kv_heads, context, shape.head_dim)
    if device == "cpu":
        return [np.zeros(size, shape.dtype) for _ in _kv_names(shape.layers)]
    make = onnxruntime().OrtValue.ortvalue_from_shape_and_type
    return [make(size, np.dtype(shape.dtype).type, device, 0) for _ in _kv_names(shape.layers)]


def _pointer(buffer: Any, row: int) -> int:
    if isinstance(buffer, np.ndarray):
        return int(buffer[row].ctypes.data)
    size = int(np.prod(buffer.shape()[1:])) * {"tensor(float)": 4, "tensor(float16)": 2}[buffer.data_type()]
    return int(buffer.data_ptr()) + row * size
