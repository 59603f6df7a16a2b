"""Which language a prompt is in: English and Chinese told apart from the rest (py3langid, numpy only)."""

from __future__ import annotations

import re
import threading
from functools import lru_cache
from typing import TYPE_CHECKING

from . import language_words as words
from .language_words import scores_of

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

#: The head and the tail that are read; a request names its language early or late, and long prompts cost time.
_HEAD, _TAIL = 600, 200
_LONGEST_TAIL, _SHORT_QUESTION = 60, 20
#: The languages told apart. Fewer classes err less on short texts than py3langid's hundred and forty.
_KNOWN = "en de fr es pt it vi nl pl sv da no fi tr id ro cs hu sk hr sl ca et lv lt tl sw az uz af".split()
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_KANA = re.compile("[\u3040-\u30ff]")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_OTHER_LETTER = re.compile(
    "[^\\W\\d_A-Za-z\u00c0-\u024f\u1e00-\u1eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)
#: Material in these is somebody's data, not the request's language.
_QUOTED = re.compile(
    '```.{0,900}?(?:```|$)|`[^`\n]{1,200}`|https?://\\S{1,300}|\u201c[^\u201c\u201d]{0,300}\u201d|"[^"\n]{1,300}"|'
    "\u00ab[^\u00ab\u00bb]{1,300}\u00bb|\u300c[^\u300c\u300d]{1,300}\u300d|"
    "(?<!\\w)'[^\n]{3,300}?(?<!\\s)'(?=[\\s.,?!):]|$)",
    re.DOTALL,
)
_KANA_OR_HANGUL = re.compile("[\u3040-\u30ff\uac00-\ud7af]")
#: Han characters glued to letters, grammar among them, or their punctuation: a sentence that English terms stand in.
_HAN_SENTENCE = re.compile(
    "[\u4e00-\u9fff][A-Za-z]|[A-Za-z][\u4e00-\u9fff]|[\u4e00-\u9fff]{2}[的了吗么啥怎是在不这那把给请帮让被里到着没就都也还]|"
    "[的了吗么啥怎是在不这那把给请帮让被里到着没就都也还][\u4e00-\u9fff]{2}|[\u4e00-\u9fff].{0,40}[，。：？！；、]",
)
_CHINESE_ONLY = re.compile("[了吗么啥怎这那把给还吧呢请]")
_MUCH_ENGLISH = 6
_LEAD_END = re.compile("[:：\n?。！？]")
_LINE_END = re.compile("\n")
_SENTENCE_END = re.compile("(?<=[.!?;\u3002\uff01\uff1f\uff1b\n])")
#: So much without the other script is material, and not a term in a sentence.
_LONG_LATIN = re.compile("[A-Za-z<#{(\\[][^\u3400-\u4dbf\u4e00-\u9fff]{24,}")
_LONG_HAN = re.compile("[\u4e00-\u9fff][^A-Za-z]{8,}")
_HAN_OPENING = re.compile(
    "[^\\w\n]{0,9}[\u4e00-\u9fff\uff0c\u3001 ]{2,16}(?![\u4e00-\u9fff])(?P<apart>(?=[A-Z][a-z]*[ ,']|[#<{(]))?"
)
_ENDED = re.compile("[\n.!?;:)}\\]>`\"'\u201d]\\Z")
_HAN_ENDED = re.compile("[\u3002\uff01\uff1f\u201d\u2026]\\s{0,9}\\Z")
_HAN_CLOSING = re.compile("[\u4e00-\u9fff][\u4e00-\u9fff\uff0c\u3001 ]{0,60}[\u3002\uff1f\uff01?!]?\\s{0,9}\\Z")
_CODE_MARK = re.compile("[(){}=;<>]")
_CLAUSE_END = re.compile("[.!?:,;\n。！？：，；]")
#: Below this confidence a text without a foreign word passes for English.
_SURE = 0.5
_LOCK = threading.Lock()


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([code for code in _KNOWN if code in identifier.labels])
    return identifier


def detect(text: str) -> str:
    """Return the ISO 639-1 code of the language that a prompt's request is in, or "und" where it has no letters.

    Han without kana is "zh", kana "ja"; letters of any other script, where they prevail, give "und-other". Latin
    letters go by function words and, where those do not settle it, by py3langid.
    """
    read = _read(text)
    return _of_request(read) or _of_script(read)


def _read(text: str) -> str:
    """Return the part of a text that tells its language: head and tail, quotations left out where words remain."""
    part = text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}\n{text[-_TAIL:]}"
    outside = _QUOTED.sub(" ", part)
    return outside if len(_LATIN.findall(outside)) + 3 * len(_HAN.findall(outside)) >= 8 else part


def _of_request(text: str) -> str:
    """Return "zh" or "en" where the words before or after pasted material ask in it, else ""."""
    if len(_HAN.findall(text)) >= 2:
        return _of_mixed(text)
    head = _LEAD_END.split(text, maxsplit=1)[0]
    scores = scores_of(head)
    if scores.asks_in_english():
        return "en"
    if scores.is_foreign():
        return ""
    tails = {_last(_LINE_END.split(text)), _last(_CLAUSE_END.split(text))} - {head}
    return "en" if any(scores_of(tail).asks_in_english() for tail in tails) else ""


def _of_mixed(text: str) -> str:
    """Return the language of the request where Han characters stand beside other letters, "" where nothing asks."""
    lead = _LEAD_END.split(text, maxsplit=1)[0]
    tail = _chinese_tail(text)
    if _leads_in_english(lead):
        return "zh" if _is_about_material(text, tail) or _is_about_term(text, lead) else "en"
    if _is_english_sentence(lead) and not words.CHINESE_ABOUT_MATERIAL.search(tail) and _goes_on(text, tail):
        return "en"
    asks = _tail_opens_in_english(text)
    if _leads_in_chinese(lead) and not (asks and _is_quoted_chinese(lead, text)):
        return "zh"
    if tail or asks or _ends_apart_in_english(lead, text):
        return "zh" if tail else "en"
    return "zh" if _is_chinese_clause(lead) else "en" if _is_english_sentence(lead) else ""


def _goes_on(text: str, tail: str) -> bool:
    # Much more Chinese than what asks at the end is material.
    return len(_HAN.findall(text)) > len(_HAN.findall(tail)) + _SHORT_QUESTION


def _tail_opens_in_english(text: str) -> bool:
    return any(_opens_in_english(_last(end.split(text))) for end in (_LINE_END, _SENTENCE_END, _LONG_HAN))


def _ends_apart_in_english(lead: str, text: str) -> bool:
    """Tell whether an English sentence ends a Chinese text that speaks to nobody."""
    parts = _LONG_HAN.split(text)
    last = _last(parts)
    if _LATIN.search(parts[0]) or _CODE_MARK.search(last) or not _HAN_ENDED.search(text[: text.rindex(last)]):
        return False
    return _is_english_sentence(last) and _is_quoted_chinese(lead, text)


def _is_quoted_chinese(lead: str, text: str) -> bool:
    """Tell whether a Chinese text speaks to nobody, so that it is rather what an English request is about."""
    return _is_chinese_clause(text) and not words.CHINESE_ADDRESS.search(lead)


def _leads_in_english(lead: str) -> bool:
    start = _HAN.split(lead, maxsplit=1)[0]
    if words.ENGLISH_TASK.match(lead) and not _CODE_MARK.search(start):
        return True
    # Two English words before a Chinese one are as likely a term that it is about: "give up 是什么意思".
    return _opens_in_english(start) and (start == lead or scores_of(start).english >= 4)


def _leads_in_chinese(lead: str) -> bool:
    if _asks_in_chinese(lead) or _asks_in_chinese(_LONG_LATIN.split(lead, maxsplit=1)[0]):
        return True
    # Few characters before much code or text: "翻译 #!/bin/bash".
    opening = _HAN_OPENING.match(lead)
    if opening is None or (opening.group("apart") is not None and len(_HAN.findall(lead)) > 3):
        return opening is not None
    return words.CHINESE_ABOUT_MATERIAL.search(opening.group()) is not None


def _last(parts: list[str]) -> str:
    return next((part for part in reversed(parts) if part.strip()), "")


def _chinese_tail(text: str) -> str:
    """Return the Chinese that asks at the end of a text, "" where a colon announces it as material."""
    closing = _HAN_CLOSING.search(text)
    tails = [_last(_LONG_LATIN.split(_last(end.split(text)))) for end in (_LINE_END, _SENTENCE_END)]
    for tail in (*tails, closing.group() if closing else ""):
        asks = _asks_in_chinese(tail) or _is_apart(tail, text)
        if asks and len(tail) <= _LONGEST_TAIL and not _is_announced(tail, text):
            return tail
    return ""


def _is_apart(tail: str, text: str) -> bool:
    """Tell whether the only Chinese of a text stands behind an ended line or sentence: who speaks so, asks."""
    before, han = text[: text.rindex(tail)].rstrip(" "), len(_HAN.findall(tail))
    return _is_chinese_clause(tail) and 3 <= han == len(_HAN.findall(text)) and _ENDED.search(before) is not None


def _is_announced(tail: str, text: str) -> bool:
    """Tell whether a colon stands before the Chinese of a text's tail."""
    start = text.rindex(tail) + len(_HAN.split(tail, maxsplit=1)[0])
    return text[:start].rstrip().endswith((":", "\uff1a"))


def _asks_in_chinese(text: str) -> bool:
    # A verb that opens a short line asks even where the rest is a name: "转成TypeScript".
    if len(text) <= _LONGEST_TAIL and len(_HAN.findall(text)) > 1 and words.CHINESE_REQUEST.match(text.strip()):
        return True
    return _is_chinese_clause(text) and words.CHINESE_REQUEST.search(text) is not None


def _opens_in_english(text: str) -> bool:
    """Tell whether a clause of a text begins as an English request does; code and Chinese do not."""
    if _CODE_MARK.search(text) or _is_mixed_chinese(text) or scores_of(text).english < 2:
        return False
    return any(map(words.ENGLISH_OPENING.match, _CLAUSE_END.split(text.replace("\u2019", "'"))))


def _is_english_sentence(text: str) -> bool:
    scores = scores_of(text)
    return not _HAN.search(text) and scores.words > 1 and scores.english > 2 and scores.is_english()


def _is_about_material(text: str, tail: str) -> bool:
    """Tell whether the only Chinese of a text asks at its end about what stands before ("这句话是什么意思")."""
    alone = len(_HAN.findall(text)) <= len(_HAN.findall(tail)) + 2
    return alone and words.CHINESE_ABOUT_MATERIAL.search(tail) is not None


def _is_about_term(text: str, lead: str) -> bool:
    """Tell whether a short Chinese question goes on from English words ("How come 是什么意思")."""
    short = _HAN.search(lead) is not None and len(_HAN.findall(text)) <= _SHORT_QUESTION
    return short and words.CHINESE_ABOUT_TERM.search(lead) is not None


def _is_chinese_clause(text: str) -> bool:
    han = len(_HAN.findall(text))
    # A Han character says about as much as three letters.
    return han >= 2 and han * 3 >= len(_LATIN.findall(text)) and not _KANA_OR_HANGUL.search(text)


def _of_script(text: str) -> str:
    han, kana, latin = (len(p.findall(text)) for p in (_HAN, _KANA, _LATIN))
    other = len(_OTHER_LETTER.findall(text))
    if kana > 1 and kana * 5 > han and not (han > kana and _CHINESE_ONLY.search(text)):
        return "ja"
    if han and han >= other and (han * 3 >= latin or _is_mixed_chinese(text)):
        return "zh"
    if other * 3 > latin:
        return "und-other"
    return _of_latin(text) if latin else "und"


def _is_mixed_chinese(text: str) -> bool:
    """Tell whether Han characters among many letters are a Chinese sentence with English terms in it."""
    return _HAN_SENTENCE.search(text) is not None and scores_of(text).english <= _MUCH_ENGLISH


def _of_latin(text: str) -> str:
    scores = scores_of(text)
    if scores.is_english() or (scores.english and not scores.foreign):
        return "en"
    with _LOCK:  # loaded once; scoring itself only reads
        identifier = _identifier()
    ranked = identifier.rank(text)
    code, confidence = ranked[0]
    if scores.is_foreign():
        return next(str(code) for code, _ in ranked if code != "en")
    if not scores.foreign and (scores.words <= 2 or confidence < _SURE):
        return "en"
    return str(code)
