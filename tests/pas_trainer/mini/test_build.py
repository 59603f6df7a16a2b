"""A whole build on a handful of prompts: fine-tune, export, quantise, write, load, decide."""

import json
import shutil

import numpy as np
import pytest
import torch

from pas_middleware import PAS, ConfigError
from pas_middleware.models.directory import open_directory
from pas_middleware.models.selector import Bank, Intent, Selector
from pas_trainer.mini import calibration, examples, export, scoring, training
from pas_trainer.mini.examples import Example

NAMES = ("coding.general", "writing.general", "conversation.no_complement")
PROMPTS = {
    "coding.general": [
        "Why does my Python loop never end",
        "Refactor this Java class",
        "我的代码为什么报错",
        "写一个排序函数",
    ],
    "writing.general": ["Write a poem about the sea", "Draft a letter to my aunt", "写一封邮件给房东", "帮我写一首诗"],
    "conversation.no_complement": ["Thanks a lot!", "Good evening", "谢谢你", "晚上好"],
}
RECIPE = training.Recipe(epochs=6, batch=6, gate_passes=1, lr=1e-4)


def rows(split="train"):
    return [
        Example(
            prompt,
            examples.language_of(prompt),
            intent=name,
            category=name.split(".")[0],
            needs=name not in examples.LEFT_ALONE,
            kind="bank",
            split=split,
        )
        for name, prompts in PROMPTS.items()
        for prompt in prompts
    ]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    labels = training.Labels(NAMES, tuple(sorted({n.split(".")[0] for n in NAMES})))
    training.save_checkpoint(training.fit(rows(), labels, RECIPE), labels, work)
    model, labels = training.load_checkpoint(work)
    full, small = export.export_graph(model, work)
    (work / "tokenizer.json").write_text(export.tokenizer_json(model), encoding="utf-8")
    parsed = export.intents_json(labels)
    empty = Bank(parsed["categories"], [Intent.parse(row) for row in parsed["intents"]], {})
    scored = scoring.score(small, work / "tokenizer.json", rows("threshold"))
    thresholds = calibration.calibrate(scored, empty)
    export.write_directory(work / "model", small, model, labels, thresholds, {"base": "a test"})
    return work, model, full, small


def torch_scores(model, prompts):
    with torch.no_grad():
        return [part.numpy() for part in model.heads(model.embed(model.tokens(prompts)))]


def graph_scores(graph, work):
    scored = scoring.score(graph, work / "tokenizer.json", rows())
    return [e.prompt for e in scored.examples], (scored.intents, scored.categories, scored.gate)


def test_graph_gives_what_torch_gives(built):
    work, model, full, _ = built
    prompts, scores = graph_scores(full, work)
    for expected, found in zip(torch_scores(model, prompts), scores, strict=True):
        assert np.abs(expected - found).max() <= 1e-3


def test_quantised_graph_decides_alike_and_is_a_third_of_the_size(built):
    work, _, full, small = built
    (_, exact), (_, rounded) = graph_scores(full, work), graph_scores(small, work)
    assert (exact[0].argmax(1) == rounded[0].argmax(1)).mean() >= 0.9
    assert small.stat().st_size < full.stat().st_size / 3


def test_two_exports_are_byte_identical(built, tmp_path):
    _, model, _, small = built
    _, again = export.export_graph(model, tmp_path)
    assert again.read_bytes() == small.read_bytes()


def test_fit_is_reproducible(built):
    _, model, _, _ = built
    again = training.fit(rows(), training.Labels(NAMES, ("coding", "conversation", "writing")), RECIPE)
    prompts = [e.prompt for e in rows()]
    for first, second in zip(torch_scores(model, prompts), torch_scores(again, prompts), strict=True):
        assert np.abs(first - second).max() <= 1e-4


def test_it_learnt_what_it_was_shown(built):
    work, _, _, small = built
    scored = scoring.score(small, work / "tokenizer.json", rows())
    assert scored.acceptable(list(NAMES)).mean() >= 0.75


def test_directory_is_sound_and_holds_everything_in_one_graph(built):
    work, *_ = built
    directory = open_directory(work / "model")
    assert {f.name for f in (work / "model").iterdir()} == {
        "manifest.json", "pas.json", "model.onnx", "tokenizer.json", "intents.json",
    }  # fmt: skip
    assert directory.config["made"]["base"] == "a test"


def test_left_alone_intents_ship_no_complement(built):
    bank = Selector(open_directory(built[0] / "model")).bank
    by_id = {intent.id: intent for intent in bank.intents}
    assert by_id["conversation.no_complement"].skip
    assert not by_id["conversation.no_complement"].variants
    assert by_id["coding.general"].variants["en"]


def test_pas_loads_it(built):
    with PAS.load(built[0] / "model") as pas:
        result = pas.augment("Why does my Python loop never end")
    assert result.status in ("applied", "skipped")
    assert "intent" in result.detail


def test_a_word_with_a_gloss_starts_where_its_gloss_is():
    from pas_trainer.mini.encoder import glosses, new_encoder

    model = new_encoder(["翻译"], 2, 2)
    vectors = model.bert.get_input_embeddings().weight
    tokenizer = model.tokenizer
    assert tokenizer.tokenize("请翻译 hello") == ["请", "翻译", "hello"]
    ids = tokenizer(glosses()["翻译"], add_special_tokens=False)["input_ids"]
    assert torch.allclose(vectors[tokenizer.convert_tokens_to_ids("翻译")], vectors[ids].mean(0))


def test_new_texts_go_into_a_built_model_and_nothing_else_changes(built, tmp_path, monkeypatch):
    folder = shutil.copytree(built[0] / "model", tmp_path / "model")
    bank = {name: examples.bank_rows()[name] for name in NAMES}
    texts = [{"text": "Say where it is to be read aloud.", "safe": True, "avoid": []}]
    changed = {**bank["writing.general"], "complements": {"en": texts, "zh": []}, "family": "prose"}
    before = {row["id"]: row for row in json.loads((folder / "intents.json").read_text(encoding="utf-8"))["intents"]}
    monkeypatch.setattr(export, "bank_rows", lambda: bank | {"writing.general": changed})
    export.write_texts(folder)
    after = {row["id"]: row for row in json.loads((folder / "intents.json").read_text(encoding="utf-8"))["intents"]}
    assert list(after) == list(before)
    assert [name for name in after if after[name] != before[name]] == ["writing.general"]
    assert after["writing.general"]["complements"]["en"] == texts
    assert after["writing.general"]["family"] == "prose"
    open_directory(folder)  # whose digests agree with its files


def test_texts_of_another_bank_are_refused(built, tmp_path):
    folder = shutil.copytree(built[0] / "model", tmp_path / "model")
    with pytest.raises(ConfigError, match="other intents than the bank's; build it anew"):
        export.write_texts(folder)
