import itertools
import json

import numpy as np
import pytest
from onnx import save

from pas_middleware import PAS, ModelCorrupt, Request, ScriptedModel, Settings
from pas_middleware.models.directory import open_directory, write_manifest
from pas_middleware.models.selector import Bank, Intent, Selector, Thresholds, Variant, softmax
from toy_models import (
    CODING_GENERAL,
    DEBUG_POINTED,
    EMAIL_POINTED,
    EMAIL_SAFE,
    EMAIL_ZH,
    INTENTS,
    SPECIAL,
    THRESHOLDS,
    TRANSLATION_SAFE,
    WORDS,
    WRITING_GENERAL,
    change_config,
    graph,
    write_json,
)

EMAIL = "Write an email to my landlord about the broken heating."


@pytest.fixture(scope="module")
def pas(toy_selector) -> PAS:
    return PAS.load(toy_selector, settings=Settings(cache_entries=0))


@pytest.fixture(scope="module")
def selector(toy_selector) -> Selector:
    return Selector(open_directory(toy_selector))


#: Each branch of the decision: the prompt, the complement, the reason where there is none.
BRANCHES = {
    "gate closed": ("Tell me the trivial thing about this email to him.", "", "no_complement_needed"),
    "intent that is left alone": ("You were so lovely to me today, my friend.", "", "no_complement_needed"),
    "sure: pointed variant": (EMAIL, EMAIL_POINTED, ""),
    "less sure: safe variant": ("Write a letter to my landlord about the broken heating.", EMAIL_SAFE, ""),
    "pointed variant in conflict": ("Write a brief email to my landlord, in two sentences.", EMAIL_SAFE, ""),
    "every variant in conflict": ("Explain the bug in my program to me in two sentences.", "", "unsure"),
    "safe variant alone": ("Explain the bug in my program to me.", DEBUG_POINTED, ""),
    "sure of the category": ("Write an essay about how winter feels in the north.", WRITING_GENERAL, ""),
    "category without general advice": ("Explain the idiom break the ice to me.", "", "unsure"),
    "unsure": ("Explain how the tides work on other moons.", "", "unsure"),
    "chinese": ("请帮我写一封信给房东，说明暖气坏了。", EMAIL_ZH, ""),
    "language without a variant": ("请解释一下我这个程序里的 bug 是怎么回事。", "", "unsure"),
}


@pytest.mark.parametrize(("prompt", "complement", "reason"), BRANCHES.values(), ids=BRANCHES)
def test_decision(pas, prompt, complement, reason):
    result = pas.augment(prompt)
    assert (result.complement, result.reason) == (complement, reason)


def test_category_makes_the_frame(pas):
    result = pas.augment("Please translate my favourite poem for me, as you know it.")
    assert result.insertion == f"\n\n[Answering note: {TRANSLATION_SAFE}]"


def test_decision_explains_itself(pas, selector):
    decision = selector.decide([Request(EMAIL, "en")])[0]
    assert (decision.intent, decision.category) == ("writing.email", "writing")
    assert decision.confidence == pytest.approx(np.exp(8) / (np.exp(8) + 5), abs=1e-6)
    assert decision.gate == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-6)
    assert (
        pas.augment(EMAIL).detail
        == decision.explain()
        == "intent writing.email 1.00, category writing 0.62, needs 0.98"
    )


def test_thresholds_decide(spoilable):
    change_config(spoilable, thresholds={"en": THRESHOLDS | {"gate": 0.99}, "zh": THRESHOLDS})
    pas = PAS.load(spoilable)
    assert pas.augment(EMAIL).reason == "no_complement_needed"
    assert pas.augment(BRANCHES["chinese"][0]).applied


def test_temperature_lowers_confidence(spoilable):
    change_config(spoilable, thresholds={"en": THRESHOLDS | {"temperature": 4.0}, "zh": THRESHOLDS})
    assert PAS.load(spoilable).augment(EMAIL).reason == "unsure"


def test_batch_keeps_its_order_across_lengths(pas, selector):
    words = ["email", "essay", "bug", "letter", "tides"]
    sizes = itertools.cycle([0, 40, 3, 200, 12, 90, 1])
    prompts = [f"Tell me about the {word} {'very ' * next(sizes)}much" for word in words * 9]
    alone = [selector.decide([Request(prompt, "en")])[0] for prompt in prompts]
    together = selector.decide([Request(prompt, "en") for prompt in prompts])
    for one, other in zip(alone, together, strict=True):
        assert (one.intent, one.complement, one.reason) == (other.intent, other.complement, other.reason)
        assert one.confidence == pytest.approx(other.confidence, abs=1e-5)
    assert len({one.complement for one in alone}) == 5
    assert [r.complement for r in pas.augment_batch(prompts)] == [d.complement for d in alone]


def test_nothing_asked_nothing_answered(selector):
    assert selector.decide([]) == []


def test_bank_is_recognised_at_the_end_framed_or_not(pas):
    for text in (EMAIL_POINTED, WRITING_GENERAL, EMAIL_ZH, CODING_GENERAL):
        assert pas.augment(f"Tell me about the tides.\n\n{text}").reason == "already_augmented"
        assert pas.augment(f"Tell me about the tides.\n\n[Answering note: {text}] ").reason == "already_augmented"
        assert pas.augment(f"{text} Tell me about the tides on other moons.").reason != "already_augmented"


def test_model_says_what_it_is(pas, toy_selector):
    info = pas.model
    assert (info.name, info.kind, info.version, info.languages) == ("toy", "selector", "1", ("en", "zh"))
    assert (info.deadline_ms, info.max_words, info.folder) == (5_000.0, 30, str(toy_selector))
    assert info.label == f"toy@{info.digest[:12]}" == pas.augment(EMAIL).model
    assert ScriptedModel().info.label == "scripted"


@pytest.mark.parametrize(
    ("pointed", "constraints", "chosen"),
    [
        (True, set(), "pointed"),
        (False, set(), "safe"),
        (True, {"brief"}, "safe"),
        (True, {"format"}, "pointed"),
        (True, {"brief", "count"}, ""),
    ],
)
def test_choice_among_variants(pointed, constraints, chosen):
    variants = (Variant("pointed", False, frozenset({"brief"})), Variant("safe", True, frozenset({"count"})))
    intent = Intent("a.b", "a", False, {"en": variants})
    assert intent.choose("en", frozenset(constraints), pointed) == chosen
    assert intent.choose("zh", frozenset(constraints), pointed) == ""


@pytest.mark.parametrize("left_alone", [{0}, {1, 2}], ids=["the first of three", "the two behind it together"])
def test_prompts_of_left_alone_intents_get_nothing(left_alone):
    row = {"category": "a", "complements": {"en": [{"text": "Say it.", "safe": True, "avoid": []}]}}
    intents = [Intent.parse(row | {"id": f"a.{n}", "skip": n in left_alone}) for n in range(3)]
    limits = Thresholds(**THRESHOLDS | {"intent": 0.3, "skip": 0.5})
    scores = np.array([1.0, 0.9, 0.9], dtype=np.float32)
    decision = Bank(["a"], intents, {"en": limits}).decide(Request("x", "en"), scores, np.zeros(1, np.float32), 4.0)
    assert (decision.intent, decision.reason) == ("a.0", "no_complement_needed")


@pytest.mark.parametrize(
    ("families", "logits", "complement"),
    [
        (("", "", ""), [2.0, 1.9, -9.0], ""),  # torn between two intents
        (("puzzle", "puzzle", ""), [2.0, 1.9, -9.0], "safe a"),  # whose advice serves for either
        (("puzzle", "puzzle", ""), [1.9, 2.0, -9.0], "safe b"),
        (("puzzle", "other", ""), [2.0, 1.9, -9.0], ""),
        (("puzzle", "puzzle", ""), [9.0, 1.9, -9.0], "pointed a"),
        (("puzzle", "puzzle", ""), [1.9, 2.0, 2.1], "safe b"),  # another is likelier than each, less likely than both
        (("puzzle", "", "puzzle"), [2.0, 2.1, 1.9], "safe a"),
        (("puzzle", "puzzle", ""), [1.9, 2.0, 2.6], ""),
    ],
)
def test_sure_of_the_family_alone_is_enough_for_the_safe_variant(families, logits, complement):
    none: frozenset[str] = frozenset()
    intents = [
        Intent(
            name,
            "reasoning",
            False,
            {"en": (Variant(f"pointed {name}", False, none), Variant(f"safe {name}", True, none))},
            f,
        )
        for name, f in zip("abc", families, strict=True)
    ]
    limits = Thresholds(gate=0.5, intent=0.6, pointed=0.9, category=1.1, skip=0.5, temperature=1.0)
    decision = Bank(["reasoning"], intents, {"en": limits}).decide(
        Request("How many are left?", "en"), np.array(logits), np.array([0.0]), 9.0
    )
    assert (decision.complement, decision.reason) == (complement, "" if complement else "unsure")


def test_softmax_survives_large_logits():
    probabilities = softmax(np.array([[1e4, 0.0], [-1e4, 0.0]], dtype=np.float32), 0.5)
    assert probabilities.tolist() == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    "change",
    [
        {"thresholds": None},
        {"thresholds": {"en": THRESHOLDS}},
        {"thresholds": {"en": {"gate": 0.5}, "zh": THRESHOLDS}},
        {"thresholds": {"en": THRESHOLDS | {"gate": "high"}, "zh": THRESHOLDS}},
        {"limits": []},
        {"limits": {"deadline_ms": 100}},
        {"limits": {"deadline_ms": "soon", "max_words": 30, "max_tokens": 32, "tail_tokens": 8}},
        {"languages": []},
        {"languages": 3},
    ],
    ids=str,
)
def test_malformed_config_is_refused(spoilable, change):
    change_config(spoilable, **change)
    with pytest.raises(ModelCorrupt):
        PAS.load(spoilable)


@pytest.mark.parametrize(
    "change",
    [
        {"categories": ["writing"]},
        {"intents": None},
        {"intents": INTENTS[:-1]},
        {"intents": [{"id": "writing.email"}] * len(INTENTS)},
        {"intents": [INTENTS[0] | {"complements": {"en": [{"text": "x"}]}}, *INTENTS[1:]]},
        {"intents": [INTENTS[0] | {"complements": []}, *INTENTS[1:]]},
    ],
    ids=["category", "no intents", "row too few", "no fields", "variant", "complements"],
)
def test_malformed_bank_is_refused(spoilable, change):
    bank = json.loads((spoilable / "intents.json").read_text(encoding="utf-8")) | change
    write_json(spoilable / "intents.json", bank)
    write_manifest(spoilable)
    with pytest.raises(ModelCorrupt):
        PAS.load(spoilable)


COLUMNS = len(INTENTS) + 4 + 1


def without_output(name: str):
    model = graph()
    kept = [output for output in model.graph.output if output.name != name]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    return model


def with_other_input():
    model = graph()
    model.graph.input[1].name = "token_mask"
    model.graph.node[1].input[0] = "token_mask"
    return model


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (without_output("intents"), "has no output 'intents' of width 6"),
        (without_output("categories"), "has no output 'categories' of width 4"),
        (without_output("gate"), "cannot be run"),
        (with_other_input(), "cannot be run"),
        (graph(table=np.zeros((1, COLUMNS), dtype=np.float32)), "cannot be run"),
        (graph(gate_bias=float("nan")), "no numbers"),
    ],
    ids=["intents", "categories", "gate", "input", "vocabulary", "nan"],
)
def test_model_that_cannot_serve_is_refused_at_loading(spoilable, model, said):
    save(model, spoilable / "model.onnx")
    write_manifest(spoilable)
    with pytest.raises(ModelCorrupt, match=said):
        PAS.load(spoilable)


def test_scores_that_are_no_numbers_pass_the_prompt_on(spoilable):
    table = np.zeros((len(SPECIAL) + len(WORDS), COLUMNS), dtype=np.float32)
    table[len(SPECIAL)] = np.nan  # the row of "email"
    save(graph(table), spoilable / "model.onnx")
    write_manifest(spoilable)
    result = PAS.load(spoilable).augment(EMAIL)
    assert (result.reason, result.text) == ("model_error", EMAIL)
