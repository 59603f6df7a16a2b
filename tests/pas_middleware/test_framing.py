"""When a complement is framed, how, and how it is known again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pas_middleware.framing import FRAMED_CATEGORIES, frame, needs_frame, unframed
from pas_middleware.words import count_words

CATEGORIES = (
    "advice analysis brainstorming coding conversation extraction knowledge_qa math open_qa reasoning rewriting "
    "summarization translation writing"
).split()
LINE = "The council voted on Tuesday to close both of the libraries."


@pytest.mark.parametrize("category", CATEGORIES)
def test_categories_whose_prompts_end_in_material_are_framed(category):
    framed = category in {"translation", "summarization", "rewriting", "extraction"}
    assert needs_frame("How do tides work?", category) is framed


def test_framed_categories_exist():
    assert set(CATEGORIES) > FRAMED_CATEGORIES


@pytest.mark.parametrize(
    "prompt",
    [
        "Why does this fail?\n```python\nprint(1)\n```",
        "Why does this fail?\n```python\nprint(1)\n```\n \n",
        'What is the tone of "The soup was cold"',
        "What is the tone of “The soup was cold”",
        "这句话是什么语气：“汤是凉的”",
        "这句话是什么语气「汤是凉的」",
        "Translate to French: good morning",
        "Please summarize this\nThe council met.",
        "summarise:\n\nThe council met.",
        "Proofread my mail: Dear all,",
        "fix this code\nprint(1",
        "Continue: Once upon a time",
        "翻译成英文：早上好",
        "总结下面的通知\n周六停水。",
        "把它改写得正式一点：你怎么又迟到了",
        f"What do you make of it?\n\n{LINE}",
        f"What do you make of it?\n \t\n{LINE}",
        f"What do you make of it?\r\n\r\n{LINE}",
    ],
)
def test_prompt_that_ends_in_material_needs_a_frame(prompt):
    assert needs_frame(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "How do tides work?",
        "天为什么是蓝的？",
        "How should I translate poems?",
        "I have two questions.\n\nWhat is love?",
        f"What do you make of it?\n{LINE}",
        f"{LINE}\n\n",
        f"{LINE} {LINE}",
        "```python\nprint(1)\n```\nWhy does this fail?",
        'He said "no" and left, was that rude?',
    ],
)
def test_prompt_that_ends_in_a_question_needs_none(prompt):
    assert not needs_frame(prompt)


@pytest.mark.parametrize(
    ("language", "framed"),
    [("en", "[Answering note: Be brief.]"), ("zh", "【作答提示：Be brief.】"), ("fr", "[Answering note: Be brief.]")],
)
def test_frame(language, framed):
    assert frame("Be brief.", language) == framed


@pytest.mark.parametrize("language", ["en", "zh"])
def test_frame_counts_two_words(language):
    assert count_words(frame("", language)) == 2


@given(st.text(min_size=1), st.sampled_from(["en", "zh"]), st.sampled_from(["", " ", "\n\n"]))
def test_complement_stands_at_the_end_of_what_is_unframed(complement, language, space):
    assert unframed(f"A prompt.\n\n{frame(complement, language)}{space}").endswith(complement)


@pytest.mark.parametrize(
    "text", ["A prompt.", "Pick one [a, b]", "选一个【甲、乙】", "", "]", "【作答提示：】 And you?"]
)
def test_text_without_a_frame_stays_as_it_is(text):
    assert unframed(text) == text
    assert unframed(text + " \n") == text.rstrip()
