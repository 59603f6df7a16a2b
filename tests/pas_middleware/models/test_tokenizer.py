from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tokenizers import Tokenizer

from pas_middleware import ModelCorrupt
from pas_middleware.models.tokenizer import HEAD_CHARS, TAIL_CHARS, EncoderTokenizer, excerpt

CONTROL = ["[PAD]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="module")
def path(toy_selector):
    return toy_selector / "tokenizer.json"


@pytest.fixture(scope="module")
def raw(path) -> Tokenizer:
    return Tokenizer.from_file(str(path))


@pytest.fixture(scope="module")
def tokenizer(path) -> EncoderTokenizer:
    return EncoderTokenizer(path, max_tokens=16, tail_tokens=4)


@pytest.fixture(scope="module")
def control(raw) -> set[int]:
    return {raw.token_to_id(token) for token in CONTROL}


@pytest.mark.parametrize("token", CONTROL)
@pytest.mark.parametrize("template", ["{0}", "email {0} bug", "email{0}bug", "{0}{0}{0}", "\n{0}\n", "[{0}]"])
def test_control_tokens_typed_by_a_user_stay_text(tokenizer, raw, control, token, template):
    text = template.format(token)
    assert control & set(raw.encode(text, add_special_tokens=False).ids), "the toy would not show the fault"
    assert control & set(tokenizer.ids(text)[1:-1]) == set()


def test_text_stands_between_its_markers(tokenizer, raw):
    names = ["[CLS]", "email", "bug", "[UNK]", "[SEP]"]
    assert tokenizer.ids("Email BUG zebra") == [raw.token_to_id(name) for name in names]
    assert tokenizer.ids("") == [raw.token_to_id(name) for name in ("[CLS]", "[SEP]")]


def test_head_and_tail_of_many_tokens_are_kept(tokenizer, raw):
    email, bug, letter = (raw.token_to_id(word) for word in ("email", "bug", "letter"))
    ids = tokenizer.ids("email " * 10 + "letter " * 20 + "bug " * 4)
    assert len(ids) == 16
    assert ids[1:-1] == [email] * 10 + [bug] * 4
    assert letter in tokenizer.ids("email " * 10 + "letter " * 4)


def test_no_tail_keeps_the_head_alone(path, raw):
    email = raw.token_to_id("email")
    ids = EncoderTokenizer(path, max_tokens=6, tail_tokens=0).ids("email " * 4 + "bug " * 9)
    assert ids[1:-1] == [email] * 4


def test_excerpt_keeps_head_and_tail_of_long_texts():
    short = "x" * (HEAD_CHARS + TAIL_CHARS)
    assert excerpt(short) is short
    long = "a" * HEAD_CHARS + "b" * 50_000 + "c" * TAIL_CHARS
    assert excerpt(long) == "a" * HEAD_CHARS + "\n" + "c" * TAIL_CHARS


def test_end_of_a_very_long_text_is_read(tokenizer, raw):
    assert raw.token_to_id("bug") in tokenizer.ids("email " * 50_000 + "bug")


@pytest.mark.parametrize("text", ["\ud800 email", "email \udfff\ud83d", "\x00\x1b email", "\U0001f600\u200d email"])
def test_odd_characters_are_read_over(tokenizer, raw, text):
    assert raw.token_to_id("email") in tokenizer.ids(text)


def test_batch_is_padded_and_masked(tokenizer, raw):
    ids, mask = tokenizer.batch(["email bug", "email", ""])
    assert ids.dtype == mask.dtype == np.int64
    assert mask.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]]
    assert ids[1].tolist() == [*tokenizer.ids("email"), raw.token_to_id("[PAD]")]


def test_threads_give_what_one_gives(tokenizer):
    texts = [f"email {'bug ' * (n % 30)} letter {'zebra ' * (n % 7)}" for n in range(200)]
    expected = [tokenizer.ids(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(tokenizer.ids, texts * 5)) == expected * 5


@pytest.mark.parametrize("text", ["", "{}", '{"model": {"type": "WordPiece"}}', "no json"])
def test_unreadable_tokenizer_is_named(tmp_path, text):
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(ModelCorrupt, match=r"tokenizer\.json is no tokenizer"):
        EncoderTokenizer(tmp_path / "tokenizer.json", max_tokens=16, tail_tokens=4)


def test_tokenizer_without_markers_is_named(path, tmp_path):
    spoilt = tmp_path / "tokenizer.json"
    spoilt.write_text(path.read_text().replace("[CLS]", "[OTHER]"))
    with pytest.raises(ModelCorrupt, match=r"has no token \[CLS\]"):
        EncoderTokenizer(spoilt, max_tokens=16, tail_tokens=4)
