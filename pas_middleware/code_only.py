"""Prompts that are code or data alone, with no word of what to do with it.

Of a program every line must look like code and one be code beyond doubt; of data every row must have the same shape.
Nothing may ask, neither beside the code nor in its comments, and no error may be reported: that asks for its remedy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from string import ascii_lowercase

#: A request stands before or after the code, so that the middle of a long one need not be read.
_EDGE_LINES = 100
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_FAILURE = re.compile(
    r"\btraceback\b|(?:error|exception)\b[\]\w]{0,9}:|\b(?:error|fatal|failed|err!|segmentation fault|panic|"
    r"refused)\b|错误|异常",
    re.I,
)

# What the user, and not the program, says.
_STRING = re.compile(r"\"[^\"\n]{0,300}\"|'[^'\n]{0,300}'|`[^`\n]{0,300}`")
_COMMENT = re.compile(r"(?:^|(?<=[\s;{})]))(?:#(?!include|define|if|endif|!)|//|--\s|<!--|/\*|%%).*|^\s*\*\s.*")
_ASKING = re.compile(
    r"[?\uff1f]|^\W{0,9}(?:add|change|check|complete|convert|count|debug|describe|explain|find|finish|fix|help|"
    r"improve|list|make|"
    r"optimi[sz]e|refactor|remove|review|rewrite|show|solve|sort|summari[sz]e|tell|translate|turn|write)\b|"
    r"\b(?:can you|could you|"
    r"doesn'?t work|does not work|help|how do|how to|i (?:get|need|want)|not working|pls|plz|please|tell me|todo|"
    r"what|why|"
    r"wrong|you should|your)\b|[怎么什啥吗呢帮让呗吧]|请(?!求)|为何|如何|报错|解释|翻译|总结|优化|转换|重写|改成|"
    r"补全|求助",
    re.I,
)
#: A word, an option of a command, or marks.
_WORD_OR_MARK = re.compile(r"[A-Za-z][A-Za-z']*|(?<!\S)--?[A-Za-z]|[^\sA-Za-z]+")
#: The head of JavaScript's loop over values, which reads like words.
_LOOP_HEAD = re.compile(r"\((?:const|let|var)\s[^\s()]{1,40}\sof\s")
_MAX_PROSE_RUN = 2
#: Words of programming languages, which may stand beside each other without being a sentence.
_KEYWORDS = frozenset(
    "abstract and as cmd copy async auto await begin bool boolean break by case catch char class const continue "
    "create data def "
    "default delete distinct do done double echo exit elif else end endif enum except export extends extern final "
    "finally float fn for "
    "from fun func function go group having if impl implements import in inner insert install int integer interface "
    "into is join "
    "key lambda left let limit local long match module mut namespace new nil none not null on or order outer override "
    "package pass primary print private protected pub public raise readonly require return returns right run select "
    "self set short "
    "static std string struct sudo super switch table template then throw throws trait true try type typedef union "
    "unset update "
    "use using val values var virtual void volatile where while with yield".split()
)
#: Words that no program holds bare.
_PLAIN = frozenset("the my your please pls how why what does doesn't explain here gives explained work works".split())
_SENTENCE_END = re.compile(r"\. [A-Za-z]|(?:[a-z]{2}\.|[?!])$")
#: Chinese that is no name in a program: a function word, a long run, punctuation, or a remark at a line's end.
_HAN_PROSE = re.compile("[的了吗呢吧怎什么请帮求让把这那为啥给用，。：；？！、]|[\u4e00-\u9fff]{7}")
#: A pair inside a mapping, whose value may be a Chinese name.
_HAN_VALUE = re.compile("^\\s{1,40}(?:- )?[A-Za-z][\\w./-]{0,40}:\\s[\u4e00-\u9fff]{1,6}$")
_HAN_REMARK = re.compile("(?:^|[^-+*/=(,\\s\u4e00-\u9fff])\\s{0,9}[\u4e00-\u9fff]+$")

# Lines that are code beyond doubt.
_MODIFIERS = (
    r"^\s{0,80}"
    r"(?:(?:export|default|public|private|protected|static|async|pub|abstract|final|override|data|inline) ){0,4}"
)
_BEYOND_DOUBT = {
    "definition": re.compile(
        _MODIFIERS + r"(?:def|class|function|func|fn|fun|interface|struct|enum|impl|trait|namespace|module)"
        r"\s[\w<>.$:]{1,80}\s?[({:<]"
    ),
    "declaration": re.compile(
        _MODIFIERS + r"(?:int|long|float|double|char|bool|boolean|void|String|string|auto|const|let|var|val|mut|type)"
        r"[\[\]<>*&\w]{0,40}\s[\s*&]{0,3}[\w$]{1,80}\s?(?:[=;(\[]|:\s?\w)"
    ),
    "import": re.compile(
        r"^\s{0,80}(?:import\s[\w.*{},\s\"'@/-]{1,200}(?:from\s.{1,100})?;?$|from\s[\w.]{1,80}\simport\s|"
        r"#\s?(?:include|define)\s|"
        r"using\s[\w.\s]{1,80};|package\s[\w.]{1,80};?$)"
    ),
    "markup": re.compile(r"^\s{0,80}</?[^\W\d_][^<>]{0,300}>|^\s{0,80}<[?!][\w-]"),
    "query": re.compile(
        r"^\s{0,80}(?:select\s.{1,300}\sfrom\s|select\s[\w\s.*,()\"']{1,300}$|insert\sinto\s|update\s\S{1,80}\sset\s|"
        r"delete\sfrom\s|"
        r"(?:create|alter|drop)\s(?:or\sreplace\s)?(?:table|view|index|database|procedure|trigger)\s[`\"\w])",
        re.I,
    ),
    "image": re.compile(r"^(?:FROM|RUN|COPY|CMD|ENTRYPOINT|WORKDIR)\s\S"),
    "script": re.compile(r"^#!|^\s{0,80}(?:for|while|if)\s.{1,200};\s?(?:do|then)$"),
    "difference": re.compile(r"^(?:diff --git |index [0-9a-f]{4,40}\.\.|--- \S|\+\+\+ \S|@@ -\d)"),
    "block": re.compile(
        r"^\s{0,80}(?:for\s[\w,\s]{1,80}\sin\s|while\s|if\s|elif\s|with\s|else|try|except)[^\n]{0,200}:$|"
        r"[\w)\]>\"'=]\s?[{(]$"
    ),
    "statement": re.compile(
        r"^\s{0,80}(?:[A-Za-z_$][\w.$\[\]>-]{0,80}\s?[-+*/|&:]?=[^=]|return\b|[\w.$:>-]{1,80}\(|[\w.$]{1,80}(?:\+\+|"
        r"--)).*;$|"
        r"^\s{0,80}[})\]]+[;,)]*$|%>%$|=>"
    ),
    "command": re.compile(
        r"^(?:\$ )?(?:git|npm|npx|yarn|pip3?|docker|kubectl|sudo|apt|brew|curl|wget|cargo|conda|python3?|mkdir|chmod|"
        r"ssh)\s[\w./~-]"
    ),
}
#: Of these one line alone is a program; others could close a sentence about one.
_WHOLE = ("definition", "declaration", "import", "markup", "query")
_SHELL = re.compile(r"^(?:sudo\s)?[a-z][\w.-]{1,20}\s.*?\s--?\w.*?\s--?\w")
_CODE_MARK = re.compile(r"[=()\[\]{};$%&|\\/*+@_]|[:,]$|^\s*#?[\w.]+$")
_ENDED = re.compile(r"[;{}>)]$")
_SQL_COLUMN = re.compile(
    r"^\s{0,80}[`\"]?\w{1,80}[`\"]?\s(?:bigint|blob|boolean|date|float|integer|int|jsonb?|numeric|real|serial|text|timestamp|"
    r"uuid)(?:\s(?:not\snull|null|unique|primary\skey|default\s\S{1,40})){0,4},?$",
    re.I,
)
_SQL_CLAUSE = re.compile(
    r"^\s*(?:select|from|where|and|or|(?:left |inner )?join|group by|order by|having|set|values)\b", re.I
)

# Rows of data.
_NUMBERS = re.compile(r"^[-+\d.,%:/$€¥e\s]*$")
_FIGURE = re.compile(r"^[-+$€¥]?\d[\d.,:/%-]*\s?[^\W\d_]{0,3}$")
_STAMPED = re.compile(r"^\[?\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d")
_PAIR = re.compile(r"^\s*(?:- )?[\"']?[\w./-]+[\"']?:(?:\s\S.*)?$|^\s*- \S+$")
_OPEN_PAIR = re.compile(r"^\s*(?:- )?[\w./-]+:$")
_MAX_CELL = 40


def is_code_only(prompt: str) -> bool:
    """Tell whether a prompt is code or data with no word of what to do with it."""
    text = prompt.strip()
    lines = [line.rstrip() for line in text.split("\n") if line.strip(" \t\r`")]
    if len(lines) > 2 * _EDGE_LINES:
        lines = lines[:_EDGE_LINES] + lines[-_EDGE_LINES:]
    if not lines or any(map(_fails, lines)):
        return False
    if "```" in text:
        return not _FENCE.sub("", text).strip() and not any(map(_comment_asks, lines))
    return (_is_json(text) and not any(map(_ASKING.search, lines))) or _is_program(lines) or _is_data(lines)


def _fails(line: str) -> bool:
    return _FAILURE.search(line) is not None and not _beyond_doubt(line)


def _is_json(text: str) -> bool:
    try:
        return text[0] in "{[" and isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def _comment(line: str) -> str:
    found = _COMMENT.search(_STRING.sub('""', line))
    return found.group() if found else ""


def _comment_asks(line: str) -> bool:
    return _ASKING.search(_comment(line)) is not None


def _is_program(lines: Sequence[str]) -> bool:
    if any(map(_comment_asks, lines)):
        return False
    code = [line for line in map(_without_comment, lines) if line]
    if len(code) == 1:
        return _is_statement(code[0])
    return all(map(_looks_like_code, code)) and any(map(_beyond_doubt, code))


def _without_comment(line: str) -> str:
    return _COMMENT.sub("", _STRING.sub(_hidden, line)).rstrip()


def _hidden(string: re.Match[str]) -> str:
    # A string is the program's, but what it stands for must still look like one.
    return string.group()[0] + "_" + string.group()[-1]


def _beyond_doubt(line: str) -> bool:
    return any(pattern.search(line) for pattern in _BEYOND_DOUBT.values())


def _is_statement(line: str) -> bool:
    if _is_prose(line):
        return False
    opened = any(_BEYOND_DOUBT[name].search(line) for name in _WHOLE)
    return _SHELL.search(line) is not None or (_ENDED.search(line) is not None and opened)


def _looks_like_code(line: str) -> bool:
    if _is_prose(line):
        return False
    first = line.split()[0].lower()
    marked = _CODE_MARK.search(line) or _SQL_COLUMN.search(line)
    return first in _KEYWORDS or marked is not None or _beyond_doubt(line)


def _is_prose(line: str) -> bool:
    """Tell whether a line holds a sentence: three words in a row, a plain word, or Chinese that is no name."""
    if line.lstrip().startswith("<") and line.endswith(">"):
        return _ASKING.search(re.sub("<[^<>]*>", " ", line)) is not None
    run = 0
    for token in _WORD_OR_MARK.findall(_LOOP_HEAD.sub("(", line)):
        word = token.lower()
        if word[0] not in ascii_lowercase or word in _KEYWORDS:
            run = 0
        elif not token.isupper():
            run += 1
        if run > _MAX_PROSE_RUN or word in _PLAIN:
            return True
    if _SENTENCE_END.search(line) or _HAN_PROSE.search(line):
        return True
    return _HAN_REMARK.search(line) is not None and not _SQL_CLAUSE.search(line) and not _HAN_VALUE.search(line)


def _is_data(lines: Sequence[str]) -> bool:
    if len(lines) < 2:
        return False
    if all(map(_STAMPED.search, lines)):
        return True
    if any(_is_prose(line) for line in map(_without_comment, lines) if line):
        return False
    if all(_NUMBERS.search(line) and len(line.split()) > 1 for line in lines):
        return True
    return any(_is_table(lines, delimiter) for delimiter in "\t|,;") or _is_yaml(lines)


def _is_table(lines: Sequence[str], delimiter: str) -> bool:
    rows = [[cell.strip() for cell in line.split(delimiter)] for line in lines]
    width = len(rows[0])
    if width < 2 or len(rows) < 3 or any(len(row) != width for row in rows):
        return False
    if any(len(cell) > _MAX_CELL for row in rows for cell in row):
        return False
    # Commas and semicolons also part the clauses of a text; figures in every row tell a table.
    return all(any(_FIGURE.search(cell) for cell in row) or set("".join(row)) <= set("-: ") for row in rows[1:])


def _is_yaml(lines: Sequence[str]) -> bool:
    if any(map(_comment_asks, lines)):
        return False
    bare = [line for line in map(_without_comment, lines) if line]
    nested = any(_OPEN_PAIR.search(a) and b.startswith(" ") for a, b in pairwise(bare))
    pairs = sum(":" in line for line in bare)
    return nested and pairs > 1 and all(_PAIR.search(line) and len(line.split()) <= 5 for line in bare)
