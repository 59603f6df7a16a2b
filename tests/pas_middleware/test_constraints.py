"""What a prompt already fixes about its answer."""

import pytest

from pas_middleware.constraints import constraints_of, edges, fixes_bare_result

LONG = "The council met on Tuesday and spoke about both libraries of the town. " * 40
MATERIAL = "Rewrite this note:\n" + "The heating in room 12 has been broken since Monday and nobody has come. " * 3

OPEN = {
    "Explain recursion in two sentences.": {"brief", "no_material"},
    "Explain recursion briefly.": {"brief", "no_material"},
    "简单说说什么是递归": {"brief", "no_material"},
    "介绍一下牛顿，100字以内": {"brief", "no_material"},
    "Compare tea and coffee as a table.": {"format", "no_material"},
    "Write a haiku about rain": {"format", "no_material"},
    "用表格比较茶和咖啡": {"format", "no_material"},
    "关于雨的七言绝句": {"format", "no_material"},
    "Give me five names for a bakery": {"count", "no_material"},
    "List 3 reasons to walk": {"count", "no_material"},
    "给面包店起五个名字": {"count", "no_material"},
    "Why is the sky blue?": {"no_material"},
    "天为什么是蓝的": {"no_material"},
    "What is the mean of 3, 5, 8 and 13?": set(),
    MATERIAL: set(),
    LONG: set(),
}
BARE = [
    "Yes or no?",
    "JSON only.",
    "Answer in one word.",
    "Just give me the number, no explanation.",
    "只输出答案，不要解释。",
]


@pytest.mark.parametrize("prompt", OPEN, ids=lambda prompt: prompt[:40])
def test_what_leaves_the_how_open(prompt):
    assert constraints_of(prompt) == OPEN[prompt]


@pytest.mark.parametrize("constraint", BARE)
@pytest.mark.parametrize("layout", ["Is 91 prime? {0}", "{0}\nIs 91 prime?", "{0}\n\n" + LONG, LONG + "\n\n{0}"])
def test_bare_result_at_the_head_or_the_tail(layout, constraint):
    prompt = layout.format(constraint)
    assert fixes_bare_result(prompt)
    assert "bare" in constraints_of(prompt)


@pytest.mark.parametrize("constraint", BARE)
def test_bare_result_inside_long_material_is_the_materials(constraint):
    assert not fixes_bare_result(f"Summarize this mail.\n{LONG}\n{constraint}\n{LONG}")


@pytest.mark.parametrize(
    "prompt",
    [
        "Why does he answer in one word?",
        "She replies with yes or no, how do I get her to talk?",
        "In the quiz I will reply to you with one letter of A to D.",
        "老师说只回答是或否，我该怎么练口语？",
    ],
)
def test_telling_about_a_bare_answer_asks_for_none(prompt):
    assert not fixes_bare_result(prompt)


def test_edges_hold_the_head_and_the_tail():
    assert edges("short") == "short"
    read = edges("head " + "x" * 5_000 + " tail")
    assert read.startswith("head ")
    assert read.endswith(" tail")
    assert len(read) < 1_500
