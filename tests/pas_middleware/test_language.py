"""English and Chinese told apart from the rest, and the language of a request from that of its material."""

import json
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pas_middleware.language import detect

CASES = Path(__file__).parent / "cases" / "language.jsonl"
LATIN = ("fr", "de", "es", "pt", "it", "vi")
OTHER = ("ja", "ko", "ru", "ar")


@pytest.fixture(scope="module")
def found() -> dict:
    """Return what is detected in the prompts of each language."""
    out = defaultdict(list)
    for line in CASES.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        out[row["language"]].append(detect(row["prompt"]))
    return out


@pytest.mark.parametrize("language", ["en", "zh"])
def test_own_languages_are_known(found, language):
    assert len(found[language]) >= 100
    assert found[language].count(language) / len(found[language]) >= 0.98


def test_languages_in_latin_letters_hardly_ever_pass_for_english(found):
    codes = [code for language in LATIN for code in found[language]]
    assert len(codes) >= 360
    assert codes.count("en") / len(codes) <= 0.02
    assert "zh" not in codes


@pytest.mark.parametrize("language", OTHER)
def test_other_scripts_are_neither(found, language):
    assert len(found[language]) >= 20
    assert not {"en", "zh"} & set(found[language])


ENGLISH = "The old house at the end of the street had been empty for years, and nobody knew who owned it or why. "
CHINESE = "街道尽头的老房子已经空了好多年，没有人知道它属于谁，院子里长满了野草。"
CODE = "def mean(values):\n    for value in values:\n        print(value)\n    return sum(values) / len(values)\n"
ERROR = "TypeError: unsupported operand type(s) for +: 'int' and 'str'"
#: A request, its language, and material in the other one.
REQUESTS = [
    ("翻译成中文", "zh", ENGLISH),
    ("帮我润色一下这段话", "zh", ENGLISH),
    ("这段文字有几处错误", "zh", ENGLISH),
    ("请逐句分析", "zh", ENGLISH * 20),
    ("这段代码哪里写错了", "zh", CODE),
    ("给这段代码加注释", "zh", CODE * 10),
    ("这个报错怎么解决", "zh", ERROR),
    ("Translate this into English", "en", CHINESE),
    ("What does this mean?", "en", CHINESE),
    ("Please fix the grammar in this paragraph", "en", CHINESE * 20),
    ("Summarize the story in two sentences", "en", CHINESE),
    ("How would you reply to this message?", "en", CHINESE),
]
LAYOUTS = {
    "before, on a line": "{0}\n{1}",
    "before, apart": "{0}\n\n{1}",
    "before, in one line": "{0} {1}",
    "before, with a colon": "{0}: {1}",
    "before a fence": "{0}\n```\n{1}\n```",
    "after, on a line": "{1}\n{0}",
    "after, apart": "{1}\n\n{0}",
    "after a fence": "```\n{1}\n```\n{0}",
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("request_", "language", "material"), REQUESTS, ids=[row[0] for row in REQUESTS])
def test_request_tells_the_language_and_not_the_material(layout, request_, language, material):
    assert detect(LAYOUTS[layout].format(request_, material.strip())) == language


@pytest.mark.parametrize(
    ("prompt", "language"),
    [
        ("翻译An important paradigm of language processing consists of pretraining, which needs much data.", "zh"),
        ("An important paradigm consists of pretraining, which needs much data. 翻译成中文", "zh"),
        ("give up 是什么意思", "zh"),
        ("How come 是什么意思？", "zh"),
        ("Could you please 和 would you 哪个更礼貌", "zh"),
        ("Turn Motor () for () Rotations 属于哪个类别？", "zh"),
        ("Translate函数是否需要联网才能使用？", "zh"),
        ("The Old Man and the Sea\n这本书讲了什么", "zh"),
        ("用React写一个todo list", "zh"),
        ("nginx 502 bad gateway upstream prematurely closed connection while reading header 咋整", "zh"),
        ("What does this mean? 这句话怎么翻译", "zh"),
        ("翻译: Привет, как у тебя дела сегодня?", "zh"),
        ("How do you say 谢谢 in Cantonese?", "en"),
        ("what does 加油 mean", "en"),
        ("What does this mean: 请帮我翻译一下", "en"),
        ("Translate 我爱你，你在哪里", "en"),
        ("My name is 王芳, how do I pronounce it for Americans?", "en"),
        ("Act as a 小红书 copywriter and write me a post about sunscreen", "en"),
        ("Translate this Japanese: 日本語が話せますか", "en"),
        ("この文章を英語に翻訳してください: I love you", "ja"),
        ("123 + 456 =", "und"),
        ("", "und"),
    ],
)
def test_mixed(prompt, language):
    assert detect(prompt) == language


@given(st.text(max_size=300))
def test_any_text_has_an_answer(text):
    code = detect(text)
    assert code
    assert detect(text) == code
