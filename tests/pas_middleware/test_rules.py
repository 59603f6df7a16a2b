"""Every rule on prompts as people type them: those it must leave alone, and near misses."""

import json
from pathlib import Path

import pytest

from pas_middleware import PAS, ScriptedModel, Settings
from pas_middleware.framing import frame
from pas_middleware.rules import is_blank, is_code_only, is_follow_up, reason_to_skip

CASES = Path(__file__).parent / "cases"
BANK = Path(__file__).parents[2] / "pas_middleware" / "pas_mini" / "intents.json"
MAX_CHARS = 32_768


def cases(rule: str) -> list:
    """Return the hand-written cases of a rule as named parameters."""
    rows = [json.loads(line) for line in (CASES / f"{rule}.jsonl").read_text(encoding="utf-8").splitlines()]
    return [pytest.param(row, id=f"{number}-{row['language']}-{row['skip']}") for number, row in enumerate(rows)]


@pytest.mark.parametrize("case", cases("blank"))
def test_blank(case):
    assert is_blank(case["prompt"]) == case["skip"]
    assert (reason_to_skip(case["prompt"], max_chars=MAX_CHARS) == "blank") == case["skip"]


@pytest.mark.parametrize("case", cases("code_only"))
def test_code_only(case):
    assert is_code_only(case["prompt"]) == case["skip"]
    assert reason_to_skip(case["prompt"], max_chars=MAX_CHARS) == ("code_only" if case["skip"] else "")


@pytest.mark.parametrize("case", cases("already_constrained"))
def test_already_constrained(case):
    reason = reason_to_skip(case["prompt"], max_chars=MAX_CHARS)
    assert reason == ("already_constrained" if case["skip"] else "")


@pytest.mark.parametrize("case", cases("follow_up"))
def test_follow_up(case):
    assert is_follow_up(case["prompt"]) == case["skip"]
    assert (reason_to_skip(case["prompt"], max_chars=MAX_CHARS) == "follow_up") == case["skip"]


@pytest.mark.parametrize("rule", ["blank", "code_only", "already_constrained", "follow_up", "already_augmented"])
def test_each_rule_has_cases_of_both_kinds_in_both_languages(rule):
    rows = [param.values[0] for param in cases(rule)]
    for skip in (True, False):
        kind = [row["language"] for row in rows if row["skip"] is skip]
        assert min(kind.count("en"), kind.count("zh")) >= 40


TEXTS = {
    "en letters": "a",
    "en words": "How many birds are left on the tree? ",
    "en question": "Why? ",
    "en lines": "Line by line.\n",
    "en code": "x = 1\n",
    "en emoji": "birds 🐦 ",
    "zh letters": "鸟",
    "zh words": "树上还剩几只鸟？",
    "zh lines": "一行一行来。\n",
    "zh mixed": "用Python写 ",
    "zh rare": "𠮷野家",
    "zh spaced": "你　好　",
}
LIMITS = (1, 2, 100, MAX_CHARS)
OVER, WITHIN = (1, 2, 1_000), (0, 1, 7)


def of_length(unit: str, length: int) -> str:
    return (unit * (length // len(unit) + 1))[:length]


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("more", OVER)
def test_too_long(name, limit, more):
    assert reason_to_skip(of_length(TEXTS[name], limit + more), max_chars=limit) == "too_long"


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("fewer", WITHIN)
def test_within_the_limit_is_not_too_long(name, limit, fewer):
    assert reason_to_skip(of_length(TEXTS[name], max(0, limit - fewer)), max_chars=limit) != "too_long"


def test_default_limit_counts_characters_and_not_bytes():
    pas = PAS(ScriptedModel("先说结论。"))
    assert pas.augment("鸟" * MAX_CHARS).reason != "too_long"
    assert pas.augment("鸟" * (MAX_CHARS + 1)).reason == "too_long"
    assert PAS(ScriptedModel(""), Settings(max_input_chars=3)).augment("鸟鸟鸟鸟").reason == "too_long"


def test_caller_says_that_the_form_is_fixed():
    assert reason_to_skip("Name a bird.", max_chars=MAX_CHARS, constrained=True) == "already_constrained"
    assert reason_to_skip("Name a bird.", max_chars=MAX_CHARS) == ""
    assert reason_to_skip(" ", max_chars=MAX_CHARS, constrained=True) == "blank"


@pytest.fixture(scope="module")
def pas():
    with PAS.load(settings=Settings(deadline_ms=60_000)) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def bank():
    intents = json.loads(BANK.read_text(encoding="utf-8"))["intents"]
    return {intent["id"]: intent["complements"] for intent in intents}


def built(case: dict, bank: dict) -> str:
    """Return the prompt of a case, which names a complement of the bank instead of quoting it."""
    if case["form"] == "none":
        return case["before"] + case["after"]
    complement = bank[case["intent"]][case["language"]][case["index"]]["text"]
    shown = {
        "plain": complement,
        "framed": frame(complement, case["language"]),
        "first half": complement[: len(complement) // 2],
    }[case["form"]]
    return case["before"] + shown + case["after"]


@pytest.mark.parametrize("case", cases("already_augmented"))
def test_already_augmented(case, pas, bank):
    prompt = built(case, bank)
    result = pas.augment(prompt)
    if case["skip"]:
        assert (result.reason, result.text) == ("already_augmented", prompt)
    else:
        assert result.reason != "already_augmented"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_complement_of_the_bank_is_known_again(language, pas, bank):
    for complements in bank.values():
        for variant in complements.get(language, ()):
            for shown in (variant["text"], frame(variant["text"], language)):
                prompt = f"How do tides work?\n\n{shown}"
                assert pas.augment(prompt).reason == "already_augmented"


def test_what_was_augmented_is_left_alone(pas):
    once = pas.augment("My landlord keeps my deposit although the flat was clean. What can I do now?")
    assert once.applied
    assert pas.augment(once.text).text == once.text
