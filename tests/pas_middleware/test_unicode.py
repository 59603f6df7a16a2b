"""2,900 odd texts: every surrogate, control and direction mark, piled and joined characters, and naughty strings.

None ends a call, changes on the way, or breaks a request's JSON; none of the invisible ones leaves in a complement.
"""

import itertools
import json
import unicodedata

import pytest
from starlette.datastructures import Headers

from pas_middleware import PAS, GuardRejected, Record
from pas_middleware.guard import check
from pas_middleware.proxy import shapes
from pas_middleware.proxy.augmenting import parse
from pas_middleware.proxy.splice import splice
from pas_middleware.record import read_record

SURROGATES = [chr(number) for number in range(0xD800, 0xE000)]
CONTROLS = [chr(number) for number in (*range(0x20), *range(0x7F, 0xA0))]
DIRECTIONS = [*"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]
MARKS = [chr(number) for number in range(0x300, 0x370)]
PILED = [mark * 40 for mark in MARKS] + [f"e{''.join(MARKS[n : n + 20])}" for n in range(0, 100, 2)]
PEOPLE = ["\U0001f468", "\U0001f469", "\U0001f467", "\U0001f9d1", "\u2764\ufe0f", "\U0001f3f3\ufe0f", "\U0001f308"]
JOINED = ["\u200d".join(some) for some in itertools.product(PEOPLE, PEOPLE, PEOPLE[:3])]
PLAIN = r"""
undefined|null|None|nil|true|false|NaN|Infinity|-Infinity|0|-0|1/0|0x0|0xffffffff|1e309|-1e309|9223372036854775808|
١٢٣|一二三|१२३|1,000,000.00|1.000.000,00|½|①|𝟘|٪|$1E02|1e|--1|+|.|,|;|:|...|!!!|???|-|_|=|~|^|*|@|&|#|
'|"|''|""|`|'"'|\\|\\\\|\\n|\\u0000|\\ud800|\\x00|%00|%0d%0a|%s%n|%x|{0}|{{7*7}}|${7*7}|#{7*7}|<%= 7*7 %>|{prompt}|
<script>alert(1)</script>|<img src=x onerror=a()>|javascript:a()|<svg/onload=a>|<!--|-->|]]>|<![CDATA[x]]>|&lt;b&gt;|
x'; DROP TABLE birds; --|' OR ''='|' UNION SELECT 1 -- |$(touch /tmp/x)|`id`|; ls -la|&& true|../../../etc/passwd|
C:\\birds\\new|\\\\host\\share|file:///etc/passwd|http://a.b/?c=d&e=f#g|mailto:a@b.c|//evil.test|CON|NUL|COM1|/dev/null|
() { :; }; echo x|<!DOCTYPE a [<!ENTITY b SYSTEM "file:///x">]><a>&b;</a>|eval('1')|__proto__|constructor|toString|
é|é|ñ|Ångström|ÅÍÎÏÓÔÚ|Ø|ł|ß|ẞ|ı|İ|ŉ|ǅ|ﬁ|K|Å|ﷺ|ﬃ|㎡|Ⅷ|鳥は何羽いますか|すずめ|ｽｽﾞﾒ|새는 몇 마리|ㅅㅐ|几只鸟|幾隻鳥|𠮷|𪚥|
كم عدد الطيور|כמה ציפורים|นกกี่ตัว|กำ|पक्षी|क्ष्म|பறவை|কত পাখি|ཐོག|ពពក|ჩიტი|թռչուն|птица|ёж|πτηνό|ǆ|
Ｔｈｅ ｂｉｒｄ|𝐓𝐡𝐞 𝐛𝐢𝐫𝐝|𝕿𝖍𝖊|𝓣𝓱𝓮|𝕋𝕙𝕖|𝚃𝚑𝚎|⒯⒣⒠|🅰🅱|🇵🇹|🇵🇹🇵|👾 🙇 💁|❤️ 💔|0️⃣ 1️⃣|🐦🏽|�|𓅐|𐐷|﷽|꧁꧂|┻━┻|▓▓
"""
NAUGHTY = [word.strip("\n") for word in PLAIN.split("|") if word.strip("\n")]
FORMS = ("{}", "How many birds are {} in the tree?", 'Explain "{}" to a child.\n\n> {}', "{}{}{}")
SETS = {
    "surrogates": SURROGATES,
    "controls": CONTROLS,
    "directions": DIRECTIONS,
    "piled": PILED,
    "joined": JOINED,
    "naughty": [form.replace("{}", word) for form in FORMS for word in NAUGHTY],
}
ASK = "Write an email to my landlord about the broken heating."
EACH = pytest.mark.parametrize("name", SETS)


def test_there_are_2_900_texts_and_more():
    assert {name: len(SETS[name]) for name in ("surrogates", "controls", "directions")} == {
        "surrogates": 2_048,
        "controls": 65,
        "directions": 12,
    }
    assert len(PILED) + len(JOINED) >= 300 and len(SETS["naughty"]) >= 500
    assert len(set(itertools.chain.from_iterable(SETS.values()))) >= 2_900


@pytest.fixture(scope="module")
def toy(toy_selector):
    with PAS.load(toy_selector) as pas:
        yield pas


@EACH
def test_prompts_of_them_pass_whole_and_no_model_fails(toy, name, tmp_path):
    prompts = [f"{ASK} {text}" for text in SETS[name]] + SETS[name]
    toy.record = Record(tmp_path / "pas.jsonl", texts=True)
    results = toy.augment_batch(prompts)
    assert [r.reason for r in results if r.reason in ("model_error", "deadline", "breaker_open")] == []
    assert all(r.text.startswith(prompt) for r, prompt in zip(results, prompts, strict=True))
    assert sum(r.applied for r in results) >= len(SETS[name]) / 2
    toy.record.flush()
    assert [row["prompt"] for row in read_record(tmp_path / "pas.jsonl")] == prompts


@EACH
def test_requests_of_them_are_spliced_whole(name):
    headers = Headers({"content-type": "application/json"})
    for text, plain in itertools.product(SETS[name], (True, False)):
        if not plain and name == "surrogates":
            continue  # no UTF-8 has them
        body = {"x": text, "messages": [{"role": "user", "content": f"{text} {ASK} {text}"}], text: None}
        raw = json.dumps(body, ensure_ascii=plain).encode()
        target = shapes.find("/v1/chat/completions", parse(headers, raw, 100))
        after = json.loads(splice(raw, target.path, "\n\nCheck it."))
        assert after.pop("messages")[0]["content"] == f"{target.text}\n\nCheck it." and target.text.startswith(text)
        assert after == {"x": text, text: None}


@EACH
def test_complements_of_them_are_judged_and_nothing_invisible_leaves(name):
    for text in SETS[name]:
        try:
            passed = check(f"Check {text} each step before you answer.", ASK, max_words=30)
        except GuardRejected:
            continue
        assert not {"Cc", "Cf", "Cs", "Co", "Cn"} & {unicodedata.category(character) for character in passed}
        assert name in ("piled", "naughty", "joined")
