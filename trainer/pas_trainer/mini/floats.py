"""The selector's graph for many prompts at once, where the arithmetic that is best for one is not the fastest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

#: The byte that stands for zero: the exporter's quantisation is symmetric.
_ZERO = 128


@contextmanager
def in_floats(graph: Path) -> Iterator[Path]:
    """Yield a copy of a graph whose 8-bit matrices are floats: on AVX2, two thirds of the time for a batch."""
    # Imported here: it takes a while, and the command starts without it.
    import onnx
    from onnx import numpy_helper

    model = onnx.load(graph)
    weights = {weight.name: weight for weight in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "MatMulNBits":
            name = node.input[1]
            matrix = numpy_helper.from_array(_matrix(node, weights), name)
            weights[name].CopyFrom(matrix)
            node.CopyFrom(onnx.helper.make_node("MatMul", [node.input[0], name], node.output, name=node.name))
    with TemporaryDirectory() as folder:
        onnx.save(model, Path(folder) / graph.name)
        yield Path(folder) / graph.name


def _matrix(node: NodeProto, weights: Mapping[str, TensorProto]) -> NDArray[np.float32]:
    """Return the weights of a node, of shape (inputs, outputs): they are kept as (outputs, blocks, bytes)."""
    from onnx import numpy_helper

    raw, scales = (numpy_helper.to_array(weights[name]) for name in node.input[1:3])
    blocks = (raw.astype(np.float32) - _ZERO) * scales.reshape(*raw.shape[:2], 1)
    inputs = next(attribute.i for attribute in node.attribute if attribute.name == "K")
    return np.ascontiguousarray(blocks.reshape(len(raw), -1)[:, :inputs].T)
