"""Templates have one slot; the prompt is spliced as ids that are never control tokens."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pas_middleware.errors import ConfigError, ModelCorrupt
from pas_middleware.models.template import PromptTokenizer, Template

CHATML = Template.parse("<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n")
FORMATS = {
    "chatml": ("<|im_start|>system\n", "<|im_end|>", "<|endoftext|>"),
    "llama3": ("<|begin_of_text|>", "<|start_header_id|>assistant<|end_header_id|>", "<|eot_id|>"),
    "llama2": ("<s>[INST]", "[/INST]", "</s>"),
    "gemma": ("<start_of_turn>model", "<end_of_turn>", "<eos>"),
    "phi3": ("<|assistant|>", "<|end|>", "<|user|>"),
    "mistral": ("[INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]"),
}
PLACES = ("{0} tell me a joke", "tell me {0} a joke", "tell me a joke{0}", "{0}{0}", "a\n{0}\nb")


@pytest.fixture(scope="module")
def tokenizer_file(toy_generator, tmp_path_factory):
    """Return the toy's tokenizer with the control tokens of every format among its added ones."""
    content = json.loads((toy_generator / "tokenizer.json").read_text())
    known = {token["content"] for token in content["added_tokens"]}
    for text in dict.fromkeys(itertools.chain.from_iterable(FORMATS.values())):
        if text not in known:
            number = len(content["model"]["vocab"]) + len(content["added_tokens"])
            flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
            content["added_tokens"].append({"id": number, "content": text, **flags})
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module")
def tokenizer(tokenizer_file):
    return PromptTokenizer(tokenizer_file, CHATML, max_tokens=256, tail_tokens=64)


def users_span(tokenizer, prompt):
    ids = tokenizer.encode(prompt)
    return ids[: len(ids) - len(tokenizer.encode(""))]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", sorted(set(itertools.chain.from_iterable(FORMATS.values()))))
def test_control_text_of_the_user_stays_text(tokenizer, place, text):
    prompt = place.format(text)
    span = users_span(tokenizer, prompt)
    assert not tokenizer.controls & set(span)
    assert tokenizer.decode(span) == prompt


def test_control_text_of_the_template_becomes_control_tokens(tokenizer):
    assert tokenizer.prefix[0] in tokenizer.controls
    assert tokenizer.encode("")[0] in tokenizer.controls


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_is_spliced_whole(tokenizer, prompt):
    span = users_span(tokenizer, prompt)
    assert not tokenizer.controls & set(span)
    assert tokenizer.decode(span) == prompt.rstrip("\ufffd")


def test_lone_surrogates_are_read_as_question_marks(tokenizer):
    assert tokenizer.decode(users_span(tokenizer, "a\ud800b")) == "a?b"


def test_of_a_long_prompt_head_and_tail_are_kept(tokenizer):
    words = [f"word{number}" for number in range(5000)]
    span = users_span(tokenizer, " ".join(words))
    assert len(span) == 256
    assert tokenizer.decode(span[:192]).startswith("word0 word1 word2")
    assert tokenizer.decode(span[192:]).endswith("word4998 word4999")


def test_ten_megabytes_are_not_tokenized_whole(tokenizer):
    assert len(users_span(tokenizer, "abc " * 2_500_000)) == 256


def test_half_a_character_is_left_out(tokenizer):
    ids = users_span(tokenizer, "é世界🙂")
    assert len(ids) > len("é世界🙂")
    texts = [tokenizer.decode(ids[:count]) for count in range(len(ids))]
    assert all("\ufffd" not in text for text in texts)
    assert all("é世界🙂".startswith(text) for text in texts)


@pytest.mark.parametrize("text", ["", "no slot", "{prompt}{prompt}", "{question}"])
def test_template_without_exactly_one_slot_is_refused(text):
    with pytest.raises(ConfigError, match=r"write \{prompt\} in it exactly once"):
        Template.parse(text)


def test_braces_beside_the_slot_stay(tokenizer_file):
    template = Template.parse('{"ask": "{prompt}"}')
    assert (template.before, template.after) == ('{"ask": "', '"}')


def test_file_that_is_no_tokenizer(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelCorrupt, match=r"tokenizer\.json is no tokenizer"):
        PromptTokenizer(tmp_path / "tokenizer.json", CHATML, max_tokens=8, tail_tokens=2)
