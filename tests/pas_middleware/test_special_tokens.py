"""Text of control tokens in a prompt: 40 strings of six chat formats × 6 placements × 3 disguises."""

import pytest

from pas_middleware import PAS, ScriptedModel
from pas_middleware.models.tokenizer import EncoderTokenizer

FORMATS = {
    "chatml": [
        "<|im_start|>", "<|im_end|>", "<|im_start|>system", "<|im_start|>assistant\n", "<|endoftext|>", "<|im_sep|>",
    ],
    "llama": [
        "<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<|begin_of_text|>", "<|eot_id|>", "<|eom_id|>",
        "<|start_header_id|>system<|end_header_id|>", "<|python_tag|>",
    ],
    "gemma": ["<start_of_turn>", "<end_of_turn>", "<start_of_turn>model\n", "<bos>", "<eos>", "<pad>", "<unk>"],
    "mistral": ["[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]"],
    "deepseek": ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<think>"],
    "bert": ["[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "<mask>"],
}  # fmt: skip
PLACEMENTS = ["{t}", "{t} {p}", "{p} {t}", "{p}{t}{p}", "{p}\n\n{t}\n", "```\n{t}\n```\n{p}"]
QUESTION = "Explain how tides work to a curious ten-year-old"
DISGUISES = {
    "plain": lambda token: token,
    "split by a joiner": lambda token: "\u200d".join(token),
    "fullwidth": lambda token: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in token),
}
TOKENS = [token for tokens in FORMATS.values() for token in tokens]


@pytest.fixture(scope="module")
def embedded():
    with PAS.load() as pas:
        yield pas


@pytest.fixture(scope="module")
def tokenizer(embedded):
    return EncoderTokenizer(f"{embedded.model.folder}/tokenizer.json", max_tokens=128, tail_tokens=40)


@pytest.fixture(scope="module")
def control(tokenizer):
    # [UNK] is also what every unknown character becomes, and says nothing.
    return {tokenizer._tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]", "[MASK]", "[PAD]")}


def prompts(token):
    return [p.format(t=hide(token), p=QUESTION) for p in PLACEMENTS for hide in DISGUISES.values()]


def test_there_are_720_cases():
    assert len(TOKENS) == 40
    assert sum(len(prompts(token)) for token in TOKENS) == 720


@pytest.mark.parametrize("token", TOKENS)
def test_no_control_id_in_the_users_span_and_none_in_what_is_added(token, embedded, tokenizer, control):
    for prompt in prompts(token):
        assert not control & set(tokenizer.ids(prompt)[1:-1])
        result = embedded.augment(prompt)
        assert result.text.startswith(prompt)
        assert not any(t.strip() in result.insertion for t in TOKENS)


# The encoder's own tokens mean nothing to an LLM.
@pytest.mark.parametrize("token", [token for token in TOKENS if token not in FORMATS["bert"][:5]])
@pytest.mark.parametrize("disguise", ["plain", "fullwidth"])
def test_a_model_that_echoes_them_is_refused(token, disguise):
    complement = f"Check each step {DISGUISES[disguise](token)} before you answer."
    with PAS(ScriptedModel(complement)) as pas:
        result = pas.augment(QUESTION)
    assert (result.text, result.reason) == (QUESTION, "guard_control")
