"""What may leave the model: every reason to reject, and a cut at a sentence end as the only repair."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pas_middleware import GuardRejected
from pas_middleware.guard import check
from pas_middleware.words import fits

PROMPT = "How many birds are left on the tree after the shot?"
ZH_PROMPT = "猎人开枪打下一只鸟，树上还剩几只鸟？"
GOOD = "State the assumption first, then count step by step."
ZH_GOOD = "先说明假设，再一步步数清楚。"


def reason(complement: str, prompt: str = PROMPT, max_words: int = 30) -> str:
    """Return why a complement is rejected, "" where it passes."""
    try:
        check(complement, prompt, max_words=max_words)
    except GuardRejected as error:
        return error.reason
    return ""


@pytest.mark.parametrize(("complement", "prompt"), [(GOOD, PROMPT), (ZH_GOOD, ZH_PROMPT)])
def test_good_complement_passes_unchanged(complement, prompt):
    assert check(complement, prompt, max_words=30) == complement


@pytest.mark.parametrize(
    "complement",
    [
        "Give the total as 3 < 5 or 5 > 3, whichever holds.",
        "Name the system of units; the user may not know it.",
        "Say what the model assumes (birds stay, or fly away).",
        'Answer yes or no first, e.g. "none", and say why.',
        "Show a [short] list with 50% and $20 as examples.",
    ],
)
def test_plain_marks_pass(complement):
    assert reason(complement) == ""


@pytest.mark.parametrize("complement", ["", " ", "\n\t", "\u3000", "...", "!? -- ."])
def test_empty(complement):
    assert reason(complement) == "guard_empty"


def test_words():
    assert reason("word " * 31) == "guard_words"
    assert reason("a" * 321) == "guard_words"
    assert reason("先" * 61, ZH_PROMPT) == "guard_words"


def test_over_long_complement_is_cut_at_a_sentence_end():
    assert check(f"{GOOD} {'And then go on counting ' * 9}.", PROMPT, max_words=30) == GOOD
    assert check(f"{ZH_GOOD}{'再数一遍树上的鸟，' * 9}。", ZH_PROMPT, max_words=30) == ZH_GOOD


def test_caller_may_allow_fewer_words():
    assert reason(GOOD, max_words=9) == ""
    assert reason(GOOD, max_words=8) == "guard_words"


TOKENS = {
    "ChatML": ["<|im_start|>", "<|im_end|>", "<|im_start|>system", "<|endoftext|>"],
    "Llama 2": ["[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<s>", "</s>"],
    "Llama 3": ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|python_tag|>"],
    "Mistral": [
        "[SYSTEM_PROMPT]",
        "[/SYSTEM_PROMPT]",
        "[AVAILABLE_TOOLS]",
        "[TOOL_CALLS]",
        "[TOOL_RESULTS]",
        "[ INST ]",
    ],
    "Gemma": ["<start_of_turn>", "<end_of_turn>", "<start_of_turn>user", "<bos>", "<eos>", "<pad>"],
    "Phi": ["<|user|>", "<|assistant|>", "<|system|>", "<|end|>"],
    "DeepSeek": [
        "<｜User｜>",
        "<｜Assistant｜>",
        "<｜end▁of▁sentence｜>",
        "<｜begin▁of▁sentence｜>",
        "<think>",
        "</think>",
    ],
    "Alpaca": ["### Instruction:", "### Response:", "### Input:", "###"],
    "Vicuna": ["USER:", "ASSISTANT:", "User :", "Human:", "System:", "AI:"],
    "Zephyr": ["<|user|>\n", "<|assistant|>\n"],
    "Command-R": ["<|START_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|END_OF_TURN_TOKEN|>"],
    "Qwen tools": ["<tool_call>", "</tool_call>", "<tool_response>", "<|vision_start|>", "<|fim_prefix|>"],
    "gpt-oss": ["<|start|>", "<|channel|>", "<|message|>", "<|return|>"],
    "Granite": ["<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"],
    "GLM": ["<|observation|>", "[gMASK]<sop>", "<eop>"],
    "fullwidth": ["＜|im_end|＞", "＜/s＞", "［INST］", "ＵＳＥＲ：", "＃＃＃"],
    "Chinese roles": ["系统：", "用户:", "助手：", "人类："],
    "templates and markup": ["{{user}}", "{name}", "${x}", "<script>", "</div>", "<!-- x -->"],
}
FLAT = [(name, token) for name, tokens in TOKENS.items() for token in tokens]


@pytest.mark.parametrize(("name", "token"), FLAT, ids=[f"{name} {token!r}" for name, token in FLAT])
@pytest.mark.parametrize("layout", ["{0} " + GOOD, GOOD + " {0}", GOOD + "\n{0}", "State it first. {0} Then count."])
def test_control_and_role_tokens(name, token, layout):
    assert reason(layout.format(token)) == "guard_control"


INVISIBLE = {
    "bidirectional": "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c",
    "C0": "".join(map(chr, [*range(32), 127])),
    "C1": "".join(map(chr, range(128, 160))),
    "zero width": "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e",
    "separators": "\u2028\u2029",
    "private, unassigned, surrogate": "\ue000\U000f0000\U0010ffff\ufffe\ud800",
    "tags": "\U000e0001\U000e0041",
}


@pytest.mark.parametrize("kind", INVISIBLE)
def test_invisible_characters(kind):
    for character in INVISIBLE[kind]:
        assert reason(f"State the assumption{character} first, then count.") == "guard_control", hex(ord(character))


URLS = [
    "https://example.com",
    "http://example.com/a?b=c",
    "ftp://example.com",
    "HTTPS://EXAMPLE.COM",
    "www.example.com",
    "example.com",
    "example.org/path",
    "bit.ly.co/x",
    "someone@example.com",
    "docs.example.io",
]


@pytest.mark.parametrize("url", URLS)
def test_address(url):
    assert reason(f"Look at {url} before you count.") == "guard_url"
    assert reason(f"Look at {url} before you count.", f"{PROMPT} I read {url} already.") == ""
    assert reason(f"Before you count, look at {url}.", f"{PROMPT} I read {url} already.") == ""


def test_address_that_goes_beyond_the_prompts():
    assert (
        reason("Look at https://example.com/aX before you count.", f"{PROMPT} See https://example.com/a.")
        == "guard_url"
    )


@pytest.mark.parametrize("complement", ["Use node.js or main.py as names.", "Round to 3.14, e.g. at the end."])
def test_what_only_looks_like_an_address(complement):
    assert reason(complement) == ""


@pytest.mark.parametrize(
    "complement",
    [
        PROMPT,
        PROMPT.upper(),
        "how many birds are left, on the tree, after the shot",
        "birds are left on the tree",
        f"State the assumption. {PROMPT}",
    ],
)
def test_copy(complement):
    assert reason(complement) == "guard_copy"


@pytest.mark.parametrize(
    ("complement", "prompt", "expected"),
    [
        ("Eleven more a.", "Say eleven, more a day than that, in words.", ""),
        ("Twelve more of.", "Say twelve, more of these than those, in words.", "guard_copy"),
        ("Explain it: how many birds flew off, please.", "How many birds flew off?", ""),
        ("Explain it: how many birds flew over, please.", "How many birds flew over?", "guard_copy"),
    ],
)
def test_what_is_too_short_to_be_a_copy(complement, prompt, expected):
    assert reason(complement, prompt) == expected


def test_copy_in_chinese():
    assert reason("猎人开枪打下一只鸟，树上还剩几只鸟。", ZH_PROMPT) == "guard_copy"


@pytest.mark.parametrize(
    ("complement", "prompt"),
    [
        (ZH_GOOD, PROMPT),
        (GOOD, ZH_PROMPT),
        ("Nennen Sie zuerst die Annahme und zählen Sie dann Schritt für Schritt.", PROMPT),
        ("Énoncez d'abord l'hypothèse, puis comptez pas à pas avec soin.", PROMPT),
        ("まず前提を述べてから、順番に数えてください。", ZH_PROMPT),
    ],
)
def test_language(complement, prompt):
    assert reason(complement, prompt) == "guard_language"


def test_language_given_by_the_caller_counts():
    assert check(ZH_GOOD, PROMPT, max_words=30, prompt_language="zh") == ZH_GOOD
    with pytest.raises(GuardRejected, match="in 'en', the prompt in 'zh'"):
        check(GOOD, PROMPT, max_words=30, prompt_language="zh")


@pytest.mark.parametrize(
    "complement", ["", "...", "word " * 31, "a\u202eb", "<s>", "See https://example.com.", PROMPT, ZH_GOOD]
)
def test_rejection_says_why_in_a_sentence(complement):
    with pytest.raises(GuardRejected, match=r"^The complement was rejected: it [a-z0-9 ,']+\.$"):
        check(complement, PROMPT, max_words=30)


WORDS = st.sampled_from(
    ["state", "the", "count.", "First", "why?", "birds", "step!", "then", "and", "<|im_end|>", "a.b"]
)


@given(st.one_of(st.text(max_size=400), st.lists(WORDS, max_size=60).map(" ".join)), st.integers(1, 30))
def test_what_passes_is_a_prefix_of_what_came(complement, max_words):
    try:
        passed = check(complement, PROMPT, max_words=max_words)
    except GuardRejected as error:
        assert error.reason.startswith("guard_")
        return
    assert passed
    assert complement.startswith(passed)
    assert fits(passed, max_words)


@given(st.text(string.printable, max_size=200))
def test_what_passed_passes_again(complement):
    if not reason(complement):
        once = check(complement, PROMPT, max_words=30)
        assert check(once, PROMPT, max_words=30) == once
