"""Duplicates by words, by letters and by meaning: found, and told from what only looks like one."""

import numpy as np
import pytest

from pas_trainer.curate import near, semantic
from pas_trainer.curate.embedding import Encoder, by_letters
from pas_trainer.curate.engine import Local
from pas_trainer.curate.pairs import Pairs, remove_crowded, remove_duplicates, same_details
from pas_trainer.curate.table import Rejects, prompts_table


def pairs_of(*texts, bagging=near.words, least=0.9):
    table = prompts_table([{"id": str(i), "prompt": text} for i, text in enumerate(texts)])
    return near.near_pairs(list(texts), near.signatures(table, bagging, Local()), bagging, least)


@pytest.mark.parametrize(
    "edited",
    [
        "EXPLAIN how tides work, and why there are two a day",
        "explain how tides work and why there are two a day!!!",
        "Please explain how tides work, and why there are two a day. Thanks in advance!",
        "Why there are two a day, and explain how tides work",
    ],
)
def test_edits_of_a_prompt_are_near(edited):
    assert pairs_of("Explain how tides work, and why there are two a day.", edited).rows()[0][:2] == (1, 0)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("What is the capital of France?", "What is the capital of Spain?"),
        ("Write a sorting function in C++ for me", "Write a sorting function in C# for me"),
        ("91-33=", "91+33="),
        ("52/4=", "4/52="),
    ],
)
def test_other_questions_in_nearly_the_same_words_are_none(left, right):
    rejects = Rejects()
    remove_duplicates(rejects, pairs_of(left, right), [left, right], "near_duplicate")
    assert rejects.reasons == {}


def test_letters_find_chinese_copies():
    texts = [
        "请写一篇关于秋天落叶的散文，要求五百字左右，语言优美",
        "写一篇关于秋天落叶的散文，要求五百字左右，语言要优美",
        "请写一份关于新能源汽车的市场调查报告，要求五百字左右",
    ]
    assert [row[:2] for row in pairs_of(*texts, bagging=near.letters, least=0.75).rows()] == [(1, 0)]


def test_many_rows_in_one_bucket_still_find_their_first():
    pairs = pairs_of(*["the same few words in every row"] * 40)
    assert {later for later, earlier, _ in pairs.rows() if earlier == 0} == set(range(1, 40))


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("What should I see in Paris", "what should i see in paris?", True),
        ("What should I see in Paris", "What should I see in Rome", False),
        ("Convert 5 miles to km", "Convert 7 miles to km", False),
        ("What is 3 minus 2?", "What is 2 minus 3?", False),
        ("Add 3 eggs and then 200 g of flour to the bowl", "Add 200 g of flour to the bowl and then 3 eggs", True),
        ("Explain tides", "Tell me about tides", True),
        ("Explain tides", "Explain tides Thanks in advance", True),
        ("Explain tides", "Explain tides to Hannah", False),
        ("NAND运算符的输出条件是什么？", "AND运算符的输出条件是什么？", False),
        ("用Python写一个排序函数", "请用python写一个排序的函数", True),
    ],
)
def test_numbers_and_names_tell_questions_apart(left, right, same):
    assert same_details(left, right) is same


def test_a_copy_names_the_nearest_that_stays():
    pairs = Pairs.sorted(np.array([1, 2, 2, 3]), np.array([0, 0, 1, 1]), np.array([0.95, 0.94, 0.99, 0.99], np.float32))
    rejects = Rejects()
    remove_duplicates(rejects, pairs, ["a"] * 4, "semantic_duplicate")
    assert rejects.duplicates == {1: (0, pytest.approx(0.95)), 2: (0, pytest.approx(0.94))}


def test_a_cluster_keeps_few():
    rows = [(later, earlier) for later in range(6) for earlier in range(later)]
    later, earlier = np.array(rows).T
    rejects = Rejects()
    remove_crowded(rejects, Pairs.sorted(later, earlier, np.full(len(rows), 0.85, np.float32)), 2)
    assert rejects.reasons == dict.fromkeys((2, 3, 4, 5), "crowded")
    assert all(twin in (0, 1) for twin, _ in rejects.duplicates.values())


def test_neighbours_are_those_of_brute_force():
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(40, 64))
    vectors = np.repeat(centres, 5, 0) + 0.3 * rng.normal(size=(200, 64))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    found = semantic.neighbours(vectors, np.arange(200) * 2)
    near_ones = {(a // 2, b // 2) for a, b, _ in found.rows()}
    exact = np.asarray(vectors, np.float32) @ np.asarray(vectors, np.float32).T
    later, earlier = np.nonzero(np.tril(exact >= semantic.FLOOR + 0.005, -1))
    assert set(zip(later.tolist(), earlier.tolist(), strict=True)) <= near_ones
    assert semantic.neighbours(vectors, np.arange(200) * 2).rows() == found.rows()
    assert semantic.neighbours(vectors[:1], np.arange(1)).rows() == []


def test_of_many_vectors_nearly_all_neighbours_are_found_and_the_same_ones_again():
    rng = np.random.default_rng(4)
    groups = rng.normal(size=(2000, 1, 64)) + 0.4 * rng.normal(size=(2000, 5, 64))
    groups = (groups / np.linalg.norm(groups, axis=2, keepdims=True)).astype(np.float16)
    vectors = groups.reshape(-1, 64)
    found = semantic.neighbours(vectors, np.arange(10_000))
    close = groups.astype(np.float32) @ groups.astype(np.float32).transpose(0, 2, 1)
    group, later, earlier = np.nonzero(np.tril(close >= semantic.FLOOR + 0.005, -1))
    true = set(zip((5 * group + later).tolist(), (5 * group + earlier).tolist(), strict=True))
    known = {(later, earlier): near for later, earlier, near in found.rows()}
    assert len(true) > 15_000
    assert len(true & known.keys()) / len(true) > 0.98
    assert all(
        near == pytest.approx(float(vectors[a] @ vectors[b]), abs=0.01) for (a, b), near in [*known.items()][:50]
    )
    assert semantic.neighbours(vectors, np.arange(10_000)).rows() == found.rows()


def test_the_encoder_reads_english_and_leaves_chinese_to_letters():
    encoder = Encoder()
    texts = [
        "How do tides work?",
        "请解释一下潮汐是怎么产生的，为什么一天有两次",
        "How does the tide work?",
        "Rent law in Leeds",
    ]
    assert encoder.reads(texts).tolist() == [True, False, True, True]
    vectors = encoder.encode(texts).astype(np.float32)
    assert vectors[0] @ vectors[2] > 0.8 > vectors[0] @ vectors[3]
    letters = by_letters(["写一首诗", "写一首诗吧", "报告"]).astype(np.float32)
    assert letters[0] @ letters[1] > 0.7 > letters[0] @ letters[2]
