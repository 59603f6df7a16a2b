"""What a prompt already fixes about its answer: read by the rules and by the choice among variants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

#: Names a complement's variant can avoid: a short answer, the bare result, a fixed form, a fixed number of items,
#: and no material to work on.
Constraint = Literal["brief", "bare", "format", "count", "no_material"]

# 1) The bare result: phrases that forbid everything beside it. Every repeat is bounded, so that no pattern scans far.

_SAY = "(?:output|return|respond|reply|answer|print|give|provide|write|say|send|show|produce|emit|tell)"
_RESULT = (
    "(?:json|yaml|csv|xml|code|sql|html|css|latex|regex|regexp|command|query|statement|schema|number|digits?|integer|"
    "figure|names?|answer|result|letters?|translation|list|titles?|values?|year|date|city|country|label|category|score|"
    "fraction|symbol|function|string|url|path|formula|expression|option|choice|verdict|output|subject line|table|haiku|"
    "tweet|diagram|y/n|yes or no|true or false|(?:(?:first|last|opening) )?line|[a-d] or [b-e])"
)
_ANY_RESULT = (
    rf"(?:{_RESULT}|words?|sentence|text|script|body|version|poem|email|message|fields?)\b(?! (?:that|i|we|is)\b)"
)
_THE = r"(?:(?:the|a|an|one|that|this|your|its|valid|raw|plain|single|exact|\d{1,3}) ){0,3}(?:\w{1,20} ){0,2}"
_WITH = "(?:(?:with|in|as|to|me|back|us) ){0,2}"
_ONLY = "(?:only|just|solely|strictly|nothing but)"
_WORD = "(?:word|letter|number|digit|character|emoji)"
_YES = r"[\"'\u201c]?(?:yes|true|y|1)\b[\"'\u201d]?\s?(?:or|/|,)\s?[\"'\u201c]?(?:no|false|n|0)\b"
_YES_OR_NO = "(?:just |simply )?(?:yes or no|true or false|yes/no|y/n)(?: only| please)?"
_NO = "(?:no|without(?: any)?|skip(?: all| the)?|omit(?: any| all)?|zero)(?: further| extra| additional| other| any)?"
_EXTRAS = (
    "(?:explanations?|explaining|commentary|preamble|prose|(?:extra|other|additional) (?:text|words|output|content)|"
    "intro|introduction|chit-?chat|small talk)"
)
#: Not what somebody else does: "I don't explain well".
_DO_NOT = r"(?<!\bi )(?<!\bwe )(?<!they )(?<!you )\b(?:do not|don'?t)"
_BEGIN = r"(?:^|(?<=[.,;:!?(\n\u2014-])|(?<=[.,;:!?)\n\u2014-] )|(?<=\band )|(?<=\bplease ))"
_END = r"(?=\s?(?:[.,;:!?)\n\u2014-]|$|(?:please|pls|no|or|and|just|at all|ever)\b))"
#: "Selling nothing else", "she has eaten nothing else", not after "need" and "then"; what _TOLD knows is not repeated.
_NOT_IN_A_STORY = (
    r"(?<!ing )(?<![^e]ed )(?<![^h]en )(?<!\bis )(?<!\bare )(?<!\bwas )(?<!\bwere )(?<!\bhas )(?<!\bhave )(?<!\bhad )"
    r"(?<!\bate )(?<!\beats )(?<!\bsold )(?<!\bsells )(?<!\bbought )(?<!\btook )(?<!\bknows )"
)

_BARE_EN = {
    "say only": rf"\b{_SAY} {_WITH}{_ONLY} {_WITH}{_THE}(?:{_ANY_RESULT}|[\"'\u201c])",
    "only say": rf"\b(?:only|just) {_SAY} {_WITH}{_THE}{_ANY_RESULT}",
    "say one of": rf"\b{_SAY} (?:only |just )?(?:with )?(?:exactly |only )?one of\b",
    "only the result": rf"{_BEGIN}{_ONLY} (?:the|that|one|its?|an?|valid|raw) (?:\w{{1,20}} ){{0,2}}{_ANY_RESULT}",
    "result only": rf"(?<!based on the )(?<!from the )(?<!using the )\b{_RESULT} only{_END}",
    "one word": rf"{_BEGIN}(?:in )?(?:one|a single|exactly one) (?:word|letter)(?: only| answer)?"
    r"(?: please| pls)?(?=\s?(?:[.,:;!?)]|$|no\b))",
    "in one word": r"(?<!start )(?<!begin )(?<!end )\b(?:in|with|as) "
    rf"(?:an? single|one|exactly one|just one|only one|exactly two) {_WORD}s?\b",
    "one-word answer": rf"\b(?:one|single)[- ]{_WORD} (?:answer|reply|response)\b",
    "answer yes or no": rf"\b(?:{_SAY}|just|simply)(?: (?:me|only|just|with|either)){{0,3}} {_YES}",
    "yes or no": rf"(?:^|(?<=[?.!,:;\n] )|(?<=[?.!,:;\n])){_YES_OR_NO}\s?(?:[:,.(]|[?!]?\s{{0,3}}$)",
    "no extras": rf"\b{_NO} {_EXTRAS}{_END}",
    "nothing else": rf"{_NOT_IN_A_STORY}\b(?:nothing (?:else|more|besides|outside)|nothing before or after)\b"
    r"(?=\s?(?:[.,:;!?)\n]|$|- |->))",
    "do not explain": rf"{_DO_NOT} (?:explain|elaborate|comment|justify)\b"
    r"(?=\s?(?:[.,;:!?)\n]|$|(?:and|or|it|anything|your|why|the (?:changes|code|answer))\b))",
    "do not add": rf"{_DO_NOT} (?:add|include|write|output|say|return|give|provide|type) (?:me )?"
    r"(?:anything|any (?:other|extra|additional|text|explanations?|commentary)|explanations?|commentary)\b",
    "exactly this": r"\b(?:write|repeat|output) exactly (?:this|these|the following)\b|\brepeat exactly\b",
    "valid format": rf"\b(?:{_SAY} {_WITH}(?:only )?{_THE}|(?:must|should) be )(?:valid|raw|strict|pure) (?:json|"
    rf"yaml|csv|xml)\b",
}  # fmt: skip

_RESULT_ZH = (
    "(?:结果|答案|代码|数字?|译文|翻译|json|sql|yaml|csv|名字?|列表|标题|题目|结论|公式|字母|选项|正文|成品|年份|"
    "单词|词语?|拼音|地名|城市|国名|"
    "人名|句子|[这那]句|[这那一]一?行|文本|命令|语句|表达式|表格|分数|符号|编号|函数|成语|写法|译法|内容|下句|得分|"
    "正则)"
)
_EXTRAS_ZH = (
    "(?:解释|说明|过程|废话|解析|注释|理由|点评|评论|开场白|开头语|客套|寒暄|前言|多余(?:的?(?:话|文字|内容))?|别的|"
    "其[他它](?:内容|文字|东西|话)?|任何(?:内容|文字|字|话))"
)
_NOT_ZH = "(?<!要)(?:不要|不用|不需要|不需|无需|无须|别|不必|勿|不准|不许|不得|禁止|不)"
_ADDING_ZH = "(?:再|有|加|给|写|附上?|带|做|作|输出|出现|任何|额外|的|跟我|添加|包含|多){0,5}"
_END_ZH = "(?=[，。！；、：）,.!;:)\\s]|$|或|和|也|直接|思路|复杂度|原因)"
_ONLY_ZH = "(?<!不)(?:只|仅)(?:需要?|要|用|准|许|可以?)?你?"
_BARE_ZH = {
    "say only": f"{_ONLY_ZH}(?:输出|返回|回答|回复|回|答|填|打印(?=[结内变])|打(?=[√×对错勾]))"
    "(?![了过着我他她起]|不(?![带含要得]))",
    "give only": f"(?:{_ONLY_ZH}|光)(?:给出?|写|说|报|保留|交|发)[我出]?[^，。：了过着]{{0,7}}?{_RESULT_ZH}",
    "want only": f"(?<!不)[只仅](?:需要?|想?要)[^，。：！就能会我你他]{{0,6}}?{_RESULT_ZH}",
    "straight": f"(?<![能要许可是别不])直接(?:给出?|输出|返回|回答|报|说|写|出)(?:我|"
    f"一下)?[^，。：]{{0,6}}?{_RESULT_ZH}",
    "no extras": f"{_NOT_ZH}{_ADDING_ZH}{_EXTRAS_ZH}{_END_ZH}",
    "nothing else": "(?:别的|其[他它余]|多余)的?(?:内容|文字|话|东西|字)?(?:都|一律|一概|一个字)?[也都]?"
    "(?:不要|别|不用|不许|不写|不说|不必|勿)(?!动|改|变|管|碰)",
    "say nothing else": "(?:不要|别)再?(?:说|写|加|输出)(?:别的|其他)|外，?(?:不要|别|不得|不)(?:输出|写|说|加|"
    "有)?任何",
    "one word": "[一两二]个(?:字|词|单词|数字|字母|emoji)来?(?:回答|作答|概括|答复|回复|形容|总结|描述|就够|即可|就行)",
    "yes or no": "(?<!我)(?:回答|回复|答)我?[“\"「']?(?:是|对|能|会|可以|有|要|真)[”\"」']?(?:或者?|还是|/|、)[“\"「']?"
    "(?:否|不是|不对|错|不能|不会|不可以|没有|不要|假)",
    "format": "(?:以|用|按照?)(?:如下|以下|下面)?的?(?:合法的?|纯|标准)?\\s?(?:json|csv|yaml|xml)\\s?(?:格式)?"
    "(?:返回|输出|给出|作答|回答)(?=[，。；：,.:;\\s]|$)",
    "template": "(?:只|仅|严格)按照?[^，。\n]{1,20}(?:填写|回答|作答|输出)",
}  # fmt: skip
_BARE = [re.compile(pattern, re.I | re.M) for pattern in (*_BARE_EN.values(), *_BARE_ZH.values())]
_ONLY_WORDS = ("only", "just", "solely", "strictly", "nothing but")
_WORD_WORDS = ("word", "letter", "number", "digit", "character", "emoji")
#: What a phrase cannot do without, one of: most prompts have none of it, and to look costs a hundredth of the pattern.
_NEEDS = {
    "say only": _ONLY_WORDS,
    "only say": ("only", "just"),
    "say one of": ("one of",),
    "only the result": _ONLY_WORDS,
    "result only": ("only",),
    "one word": ("word", "letter"),
    "in one word": _WORD_WORDS,
    "one-word answer": _WORD_WORDS,
    "yes or no": ("yes", "true", "y/n"),
    "nothing else": ("nothing",),
    "do not explain": ("do not", "don't", "dont"),
    "do not add": ("do not", "don't", "dont"),
    "exactly this": ("exactly",),
    "valid format": ("valid", "raw", "strict", "pure"),
}
_BARE_NEEDS = [_NEEDS.get(name, ("",)) for name in _BARE_EN]

#: Words before such a phrase that tell about an answer like it, or ask how to get one, instead of asking for one.
_TOLD = re.compile(
    r"\b(?:how (?:do|can|to|should|would|could|does)|why (?:do|does|did|is|are)|does|did|there(?:'s| is| was)|answers|"
    r"answered|answering|replies|replied|says|said|speaks|responds|returns|i have|i've|i know|we have|"
    r"if (?:he|she|they|it|i)|i(?:'ll| will| would) (?:answer|reply|respond))\b|"
    "怎么(?:让|才|能|做|使)|怎样|如何|为什么|为啥|(?<!其)[他她](?!们的)|老师|孩子|领导|老板|同事|客服|"
    "男友|女友|朋友|老公|老婆|总是|老是|能不能",
    re.I,
)
_CLAUSE_END = re.compile("[.!?;:,\n，。！？；：]")

# 2) What leaves the how open: lengths, forms, numbers of items.

_FEW = r"(?:\d{1,5}|a|one|two|three|four|five|ten|twenty|a few|a couple of)"
_LENGTH = "(?:words?|sentences?|lines?|characters?|chars|bullets?|points?)"
_SHORT = "(?:answer|reply|explanation|summary|description|definition|overview|note|message|text)"
_BRIEF = (
    r"\b(?:in|within|under|max(?:imum)?|at most|up to|no more than|exactly|fewer than|less than|about|around|"
    r"only)\s{1,3}"
    rf"{_FEW}\s{{0,3}}(?:-\s?\d{{1,5}}\s?)?(?:short |simple |brief )?{_LENGTH}\b",
    r"\b(?:briefly|in brief|in short|one[- ]liner|one[- ]sentence|tl;?dr|in a nutshell|be (?:very )?(?:brief|short|"
    r"concise)|"
    rf"keep it (?:very )?(?:short|brief|simple)|quick(?:ly)?[,:]|concise(?:ly)?|short and|a sentence|(?:short|brief|"
    rf"quick) {_SHORT})\b",
    r"\b\d{1,5}\s{0,3}(?:words?|sentences?|lines?|characters?)\b",
    "[一两几三123][句行]话?|(?:简单|简短|简要|简明|简洁|扼要|简略|大概|一句)[地的]?(?:说|讲|介绍|概括|总结|回答|解释|"
    "描述|说明|扼要|一?下|明了)?|"
    "长话短说|[\\d一二三四五六七八九十百两]{1,6}\\s?个?[字词句行](?:以内|左右|之内|以下)?",
)
_FORMAT = (
    r"\b(?:json|yaml|csv|xml|html|latex|markdown|table|bullet(?:ed)? (?:points?|list)|bullets|numbered list|haiku|"
    r"sonnet|"
    r"limerick|acrostic|tanka|template|format|schema|columns?|headings?|regex|flow ?chart|mermaid|diagram|outline)\b",
    "表格|列表|格式|json|模板|大纲|提纲|思维导图|五言|七言|绝句|律诗|藏头|俳句|对联|分点|要点|三段式|信件|代码块",
)
_COUNT = (
    r"\b(?:list|give(?: me)?|name|suggest|provide|write|generate|find|recommend|brainstorm|come up with|tell me|"
    r"create|make|"
    r"need|want|share|propose|pick|top|best|any|the)\s{1,3}(?:me |us |out |of |up )?(?:at least |exactly |some |"
    r"around )?"
    r"(?:\d{1,5}|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|fifty|a dozen)\b",
    r"\b\d{1,5}\s{1,3}(?:\w{1,30}\s{1,3}){0,3}(?:ideas?|names?|ways?|examples?|tips?|reasons?|questions?|things|"
    r"steps|items|"
    r"options|suggestions|topics|titles|words|facts|books|movies|points)\b",
    "[\\d一二三四五六七八九十两几]{1,6}\\s?[个条种点本部首道句款项篇份步]",
)
_OPEN: dict[Constraint, re.Pattern[str]] = {
    "brief": re.compile("|".join(_BRIEF), re.I | re.M),
    "format": re.compile("|".join(_FORMAT), re.I | re.M),
    "count": re.compile("|".join(_COUNT), re.I | re.M),
}

# 3) Material to work on.

_MATERIAL = re.compile(
    '```|\n\\s{0,9}\\S.{20}|[:：]\\s{0,9}\\S.{40}|["“「《(（].{25}|\\d[^\n]{0,200}\n[^\n]{0,200}\\d', re.DOTALL
)
_NUMBER = re.compile(r"\d+")
#: A prompt this short, with fewer figures and no material, gives nothing to work on.
_SHORT_CHARS, _FIGURES = 200, 3
#: A constraint stands in the request, which is the head or the tail of a long prompt, not in the pasted middle.
_EDGE = 700


def edges(prompt: str) -> str:
    """Return the head and the tail of a prompt, where its request stands."""
    return prompt if len(prompt) <= 2 * _EDGE else prompt[:_EDGE] + "\n" + prompt[-_EDGE:]


def fixes_bare_result(prompt: str) -> bool:
    """Tell whether a prompt wants the result alone ("JSON only", "one word", "no explanation")."""
    text = edges(prompt)
    return any(not _is_told(text[: match.start()]) for pattern in _possible(text) for match in pattern.finditer(text))


def _possible(text: str) -> Iterator[re.Pattern[str]]:
    """Yield the patterns that may occur: those without anything they need, and the Chinese in ASCII, cannot."""
    plain = text.casefold()
    for needs, pattern in zip(_BARE_NEEDS, _BARE, strict=False):  # the English come first
        if any(map(plain.__contains__, needs)):
            yield pattern
    if not text.isascii():
        yield from _BARE[len(_BARE_NEEDS) :]


def _is_told(before: str) -> bool:
    clause = _CLAUSE_END.split(before)[-1]
    return _TOLD.search(clause) is not None


def constraints_of(prompt: str) -> frozenset[Constraint]:
    """Return what the prompt fixes about its answer."""
    text = edges(prompt)
    found = {name for name, pattern in _OPEN.items() if pattern.search(text)}
    if fixes_bare_result(prompt):
        found.add("bare")
    if len(prompt) < _SHORT_CHARS and not _MATERIAL.search(prompt) and len(_NUMBER.findall(prompt)) < _FIGURES:
        found.add("no_material")
    return frozenset(found)
