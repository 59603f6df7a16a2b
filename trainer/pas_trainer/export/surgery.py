"""What is changed in a raw graph, so that a step moves little and copies nothing.

Fused graphs: the lengths of the rows come in as inputs instead of being counted from a mask of ones. Plain graphs: the
head runs for the last position alone. Both: the greatest logits leave the graph, not all of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from pas_middleware.errors import ConfigError

TOP_K = 64
#: Above so many bytes the weights go to a file beside the graph: it is mapped, where a graph is read and copied, so
#: that half the memory and half the time do for opening it. (Protobuf ends at 2 GB anyway.)
_INLINE = 100_000_000


def operate(raw: Path, out: Path, style: str, vocabulary: int, *, halve_embedding: bool) -> int:
    """Write the graph that the runtime wants; return how many candidates it gives."""
    model = onnx.load(str(raw), load_external_data=True)
    if style == "fused":
        _lengths_as_inputs(model)
        if halve_embedding:
            _embedding_in_half(model)
    else:
        _last_position_only(model)
    top_k = min(TOP_K, vocabulary)
    _top_instead_of_logits(model, top_k)
    _prune(model)
    _save(model, out)
    return top_k


def _lengths_as_inputs(model: ModelProto) -> None:
    """Replace what the builder computes of attention_mask by the inputs seqlens_k and total_length."""
    graph = model.graph
    attention = [node for node in graph.node if node.op_type == "GroupQueryAttention"]
    if not attention:
        raise ConfigError("The builder made a graph without GroupQueryAttention;", hint="this model is not supported.")
    for node in attention:
        node.input[5], node.input[6] = "seqlens_k", "total_length"
    _drop(graph.input, "attention_mask")
    graph.input.append(helper.make_tensor_value_info("seqlens_k", TensorProto.INT32, ["batch_size"]))
    graph.input.append(helper.make_tensor_value_info("total_length", TensorProto.INT32, []))


def _embedding_in_half(model: ModelProto) -> None:
    """Keep the embedding table in 16 bits where the matrices have 8 or fewer: a row is widened when it is read."""
    graph = model.graph
    for node in graph.node:
        table = next((i for i in graph.initializer if i.name == node.input[0]), None) if node.input else None
        if node.op_type != "Gather" or table is None or table.data_type != TensorProto.FLOAT or len(table.dims) != 2:
            continue
        half = numpy_helper.from_array(numpy_helper.to_array(table).astype("float16"), table.name)
        table.CopyFrom(half)
        wide = node.output[0]
        node.output[0] = f"{wide}/half"
        place = list(graph.node).index(node)
        graph.node.insert(place + 1, helper.make_node("Cast", [node.output[0]], [wide], to=TensorProto.FLOAT))
        return


def _last_position_only(model: ModelProto) -> None:
    """Let the head see the last position alone; a head that is no product is left to see all."""
    graph = model.graph
    head = next(node for node in graph.node if "logits" in node.output)
    if head.op_type != "MatMul":
        return
    place = list(graph.node).index(head)
    graph.initializer.append(numpy_helper.from_array(_int64([-1]), "pas/last"))
    graph.node.insert(place, helper.make_node("Gather", [head.input[0], "pas/last"], ["pas/hidden"], axis=1))
    head.input[0] = "pas/hidden"


def _top_instead_of_logits(model: ModelProto, top_k: int) -> None:
    """End the graph in top_logits (float32) and top_ids of the last position, greatest first."""
    graph = model.graph
    names = {"start": [-1], "end": [2**31 - 1], "axis": [1], "k": [top_k]}
    graph.initializer.extend(numpy_helper.from_array(_int64(value), f"pas/{name}") for name, value in names.items())
    graph.node.extend(
        [
            helper.make_node("Slice", ["logits", "pas/start", "pas/end", "pas/axis"], ["pas/row"]),
            helper.make_node("Squeeze", ["pas/row", "pas/axis"], ["pas/flat"]),
            helper.make_node("Cast", ["pas/flat"], ["pas/wide"], to=TensorProto.FLOAT),
            helper.make_node("TopK", ["pas/wide", "pas/k"], ["top_logits", "top_ids"], axis=-1, largest=1, sorted=1),
        ]
    )
    _drop(graph.output, "logits")
    graph.output.append(helper.make_tensor_value_info("top_logits", TensorProto.FLOAT, ["batch_size", top_k]))
    graph.output.append(helper.make_tensor_value_info("top_ids", TensorProto.INT64, ["batch_size", top_k]))


def _prune(model: ModelProto) -> None:
    """Drop nodes, weights and shapes that nothing needs any more."""
    graph = model.graph
    needed = {output.name for output in graph.output}
    kept: list[NodeProto] = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed.update(name for name in node.input if name)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    for weights in [w for w in graph.initializer if w.name not in needed]:
        graph.initializer.remove(weights)
    del graph.value_info[:]


def _save(model: ModelProto, out: Path) -> None:
    # Not ByteSize(), which fails where it is above what protobuf holds.
    if sum(len(weights.raw_data) for weights in model.graph.initializer) < _INLINE:
        onnx.save(model, str(out))
        return
    onnx.save(model, str(out), save_as_external_data=True, location=f"{out.name}.data", convert_attribute=False)
    out.with_name(f"{out.name}.data").chmod(out.stat().st_mode)  # onnx leaves it to its owner alone


def _drop(values: object, name: str) -> None:
    for value in [v for v in values if v.name == name]:  # type: ignore[attr-defined]
        values.remove(value)  # type: ignore[attr-defined]


def _int64(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)
