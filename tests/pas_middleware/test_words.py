"""Counting words, and cutting at a sentence end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pas_middleware.words import MAX_CHARS, MAX_WORDS, count_words, cut_at_sentence, fits

COUNTS = {
    "": 0,
    "...!?": 0,
    "one": 1,
    "one two": 2,
    "one-two": 2,
    "don't": 2,
    "3.14": 2,
    "snake_case": 2,
    "a, b; c.": 3,
    "naïve café": 2,
    "\U0001f426 bird": 1,
    "鸟": 0.5,
    "先说结论。": 2,
    "先说结论，再举例": 3.5,
    "用Python写": 2,
    "用 Python 3 写": 3,
    "カタカナ": 2,
    "𠮷": 0.5,
    "한국어 단어": 2,
    "word " * 30: 30,
}


@pytest.mark.parametrize("text", COUNTS)
def test_count_words(text):
    assert count_words(text) == COUNTS[text]


def test_limits_of_the_project():
    assert (MAX_WORDS, MAX_CHARS) == (30, 320)


def test_what_fits():
    assert fits("word " * 30, 30)
    assert not fits("word " * 31, 30)
    assert fits("a" * 320, 30)
    assert not fits("a" * 321, 30)
    assert fits("字" * 60, 30)
    assert not fits("字" * 61, 30)


@pytest.mark.parametrize(
    ("text", "max_words", "cut"),
    [
        ("One two. Three four.", 4, "One two. Three four."),
        ("One two. Three four.", 3, "One two."),
        ("One two! Three four? Five.", 4, "One two! Three four?"),
        ("One two three four.", 3, ""),
        ("One two three four", 3, ""),
        ("Say “yes.” Then stop here.", 3, "Say “yes.”"),
        ("Round to 3.14 or 2.72 here. Then more and more.", 9, "Round to 3.14 or 2.72 here."),
        ("Use files, e.g. logs. Then read all of them.", 6, "Use files, e.g. logs."),
        ("Ask Dr. Wu. Then go on.", 4, "Ask Dr. Wu."),
        ("Ask Dr. Wu.", 2, ""),
        ("先说结论。再举例子。", 3, "先说结论。"),
        ("先说结论！“好吗？”再举例子。", 4, "先说结论！“好吗？”"),
        ("先说结论，再举例子。", 3, ""),
    ],
)
def test_cut(text, max_words, cut):
    assert cut_at_sentence(text, max_words) == cut


@pytest.mark.parametrize("length", [319, 320, 321])
def test_mark_at_the_edge_of_the_characters_ends_a_sentence_only_inside(length):
    sentence = "a" * (length - 1) + "."
    assert cut_at_sentence(f"{sentence} And more.", 30) == (sentence if length <= MAX_CHARS else "")


def test_point_before_the_edge_of_the_characters_is_seen_with_what_follows():
    assert cut_at_sentence("a" * 319 + ".5 and more than that.", 30) == ""


@given(st.text(st.sampled_from("ab. !?。！’”\n字3"), max_size=400), st.integers(1, 30))
def test_cut_is_a_prefix_that_fits_and_ends_a_sentence(text, max_words):
    cut = cut_at_sentence(text, max_words)
    assert text.startswith(cut)
    assert fits(cut, max_words)
    if cut != text and cut:
        assert cut.rstrip("’”")[-1] in ".!?。！？"


@given(st.text(max_size=60), st.text(max_size=60))
def test_count_grows_by_parts(first, second):
    assert count_words(f"{first} {second}") == count_words(first) + count_words(second)
