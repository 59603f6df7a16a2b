"""A selector small enough to be built in a test: each score is a sum over the words of the prompt."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper, save
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordPiece

from pas_middleware.models.directory import write_manifest

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CATEGORIES = ["writing", "coding", "translation", "conversation"]

EMAIL_POINTED = "State the purpose in the first line and ask for one thing at the end."
EMAIL_SAFE = "Keep to the facts that the request gives and match its tone."
WRITING_GENERAL = "Name the reader first and keep the text to what that reader needs."
DEBUG_POINTED = "Show the line that fails and explain in two steps why it does."
CODING_GENERAL = "State which version you assume and show how to check the result."
TRANSLATION_SAFE = "Keep the names and the tone of the text as they are."
EMAIL_ZH = "先用一句话说明目的，再写清楚希望对方做什么。"


def _variant(text: str, *, safe: bool, avoid: Sequence[str] = ()) -> dict:
    return {"text": text, "safe": safe, "avoid": list(avoid)}


def _intent(name: str, *, skip: bool = False, **complements: list[dict]) -> dict:
    return {"id": name, "category": name.split(".")[0], "skip": skip, "complements": complements}


INTENTS = [
    _intent("writing.general", en=[_variant(WRITING_GENERAL, safe=True)]),
    _intent(
        "writing.email",
        en=[_variant(EMAIL_POINTED, safe=False, avoid=["brief"]), _variant(EMAIL_SAFE, safe=True)],
        zh=[_variant(EMAIL_ZH, safe=True)],
    ),
    _intent("coding.general", en=[_variant(CODING_GENERAL, safe=True)]),
    _intent("coding.debug", en=[_variant(DEBUG_POINTED, safe=True, avoid=["brief"])]),
    _intent("translation.text", en=[_variant(TRANSLATION_SAFE, safe=True)]),
    _intent("conversation.thanks", skip=True),
]
THRESHOLDS = {"gate": 0.5, "intent": 0.6, "pointed": 0.9, "category": 0.6, "skip": 0.5, "temperature": 1.0}
#: What each word adds to the logits of an intent or category, or to the gate. Unknown words add nothing.
WORDS = {
    "email": {"writing.email": 8.0},  # sure enough for the pointed variant
    "letter": {"writing.email": 3.0},  # sure enough for the safe variant alone
    "信": {"writing.email": 8.0},
    "essay": {"writing": 8.0},
    "bug": {"coding.debug": 8.0},
    "translate": {"translation.text": 8.0},
    "idiom": {"translation": 8.0, "translation.text": 1.0},  # sure of a category without general advice
    "lovely": {"conversation.thanks": 8.0},
    "trivial": {"gate": -20.0},
}


def _tokenizer() -> Tokenizer:
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def _table() -> np.ndarray:
    columns = [*(intent["id"] for intent in INTENTS), *CATEGORIES, "gate"]
    rows = [[weights.get(column, 0.0) for column in columns] for weights in WORDS.values()]
    return np.array([[0.0] * len(columns)] * len(SPECIAL) + rows, dtype=np.float32)


def graph(table: np.ndarray | None = None, gate_bias: float = 4.0) -> ModelProto:
    """Return a graph that sums the table's rows over the tokens of each prompt."""
    table = _table() if table is None else table
    sizes = [len(INTENTS), len(CATEGORIES), 1]
    bias = np.array([0.0] * (sum(sizes) - 1) + [gate_bias], dtype=np.float32)
    constants = {"table": table, "bias": bias, "sizes": np.array(sizes), "axis_1": [1], "axis_2": [2]}
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "axis_2"], ["mask_3"]),
        helper.make_node("Mul", ["rows", "mask_3"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "axis_1"], ["sums"], keepdims=0),
        helper.make_node("Add", ["sums", "bias"], ["scores"]),
        helper.make_node("Split", ["scores", "sizes"], ["intents", "categories", "gate_2"], axis=1),
        helper.make_node("Squeeze", ["gate_2", "axis_1"], ["gate"]),
    ]
    value = helper.make_tensor_value_info
    inputs = [value(name, TensorProto.INT64, ["batch", "tokens"]) for name in ("input_ids", "attention_mask")]
    outputs = [
        value("intents", TensorProto.FLOAT, ["batch", sizes[0]]),
        value("categories", TensorProto.FLOAT, ["batch", sizes[1]]),
        value("gate", TensorProto.FLOAT, ["batch"]),
    ]
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    made = helper.make_graph(nodes, "toy", inputs, outputs, initializers)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def write_selector(folder: Path) -> Path:
    """Write a valid selector into a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "kind": "selector",
        "name": "toy",
        "version": "1",
        "languages": ["en", "zh"],
        "limits": {"deadline_ms": 5_000, "max_words": 30, "max_tokens": 32, "tail_tokens": 8},
        "thresholds": {"en": THRESHOLDS, "zh": THRESHOLDS},
    }
    write_json(folder / "pas.json", config)
    write_json(folder / "intents.json", {"categories": CATEGORIES, "intents": INTENTS})
    _tokenizer().save(str(folder / "tokenizer.json"))
    save(graph(), folder / "model.onnx")
    write_manifest(folder)
    return folder


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def change_config(folder: Path, **changes: object) -> None:
    """Change fields of pas.json and make the manifest fit again; None drops a field."""
    config = json.loads((folder / "pas.json").read_text(encoding="utf-8")) | changes
    write_json(folder / "pas.json", {key: value for key, value in config.items() if value is not None})
    write_manifest(folder)
