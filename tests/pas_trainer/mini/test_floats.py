"""The graph as curation runs it decides as the one that ships."""

import numpy as np
import onnx

from pas_trainer.mini.embedded import EMBEDDED
from pas_trainer.mini.examples import bank_examples
from pas_trainer.mini.floats import in_floats
from pas_trainer.mini.scoring import score


def test_floats_decide_as_integers_do():
    examples = [e for e in bank_examples() if e.split == "report"][::10]
    tokenizer = EMBEDDED / "tokenizer.json"
    shipped = score(EMBEDDED / "model.onnx", tokenizer, examples)
    with in_floats(EMBEDDED / "model.onnx") as graph:
        assert "MatMulNBits" not in {node.op_type for node in onnx.load(graph).graph.node}
        floats = score(graph, tokenizer, examples)
    assert not graph.exists()
    assert floats.examples == shipped.examples
    assert (floats.categories.argmax(1) == shipped.categories.argmax(1)).mean() >= 0.98
    assert (floats.intents.argmax(1) == shipped.intents.argmax(1)).mean() >= 0.98
    assert np.abs(floats.gate - shipped.gate).max() < 0.2
