"""Which language a prompt is in: English and Chinese told apart from the rest (py3langid, numpy only)."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from . import language_words as words

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

#: The head and the tail that are read; a request names its language early or late, and long prompts cost time.
_HEAD, _TAIL = 600, 200
#: The languages told apart. Fewer classes err less on short texts than py3langid's hundred and forty.
_KNOWN = (
    "en", "de", "fr", "es", "pt", "it", "vi", "nl", "pl", "sv", "da", "no", "fi", "tr", "id", "ro", "cs", "hu", "sk",
    "hr", "sl", "ca", "et", "lv", "lt", "tl", "sw", "az", "uz", "af",
)  # fmt: skip
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_KANA = re.compile("[\u3040-\u30ff]")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_OTHER_LETTER = re.compile("[^\\W\\d_A-Za-z\u00c0-\u024f\u1e00-\u1eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
#: Material in these is somebody's data, not the request's language.
_QUOTED = re.compile(
    "```.{0,600}?(?:```|$)|`[^`\n]{1,200}`|https?://\\S{1,300}|\u201c[^\u201c\u201d]{0,300}\u201d|\"[^\"\n]{1,300}\"|"
    "\u00ab[^\u00ab\u00bb]{1,300}\u00bb|\u300c[^\u300c\u300d]{1,300}\u300d|"
    "(?<!\\w)'[^\n]{3,300}?(?<!\\s)'(?=[\\s.,?!):]|$)",
    re.DOTALL,
)
_WORD = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+(?:['\u2019][A-Za-z\u00c0-\u024f\u1e00-\u1eff]+)*")
#: Accents as English words rarely bear them, and elisions ("l'eau", "dell'anno").
_FOREIGN_FORM = re.compile(
    "[\u00df-\u00f6\u00f8-\u024f\u1e00-\u1eff]|^(?:[ldjqnsmtc]|qu|dell|all|un|nell|sull|cos|com|dov)'[a-z\u00e0-\u024f]{2}"
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

    Han without kana is "zh", kana "ja"; letters of any other script, where they prevail, give "und-other". Latin letters
    go by function words and, where those do not settle it, by py3langid.
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
    head = _LEAD_END.split(text, maxsplit=1)[0]
    if _is_chinese_clause(head):
        return "zh"
    if _asks_in_english(head):
        return "en"
    if _scores(head).is_foreign():
        return ""
    tails = [_last(_LINE_END.split(text)), _last(_CLAUSE_END.split(text))]
    if any(map(_is_chinese_clause, tails)):
        return "zh"
    return "en" if any(map(_asks_in_english, tails)) else ""


def _last(parts: list[str]) -> str:
    return next((part for part in reversed(parts) if part.strip()), "")


def _asks_in_english(text: str) -> bool:
    scores = _scores(text)
    return scores.request and scores.is_english() and not _is_mixed_chinese(text)


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
    return _HAN_SENTENCE.search(text) is not None and _scores(text).english <= _MUCH_ENGLISH


@dataclass(frozen=True, slots=True)
class _Scores:
    """How much speaks for English and for another language in Latin letters, and whether an English word asks."""

    english: int
    foreign: int
    words: int
    request: bool

    def is_english(self) -> bool:
        return self.english >= 2 and self.english >= self.foreign + 2

    def is_foreign(self) -> bool:
        return self.foreign >= 2 and self.foreign >= self.english + 2


def _scores(text: str) -> _Scores:
    # Words in capitals are mostly names: MIT, OS, DOS.
    found = [w.replace("\u2019", "'") for w in _WORD.findall(text) if not (w.isupper() and len(w) > 1)]
    lower = [w.lower() for w in found]
    # A capital within the text opens a name or a German noun: "Les Misérables" makes no question French.
    plain = [w.lower() for number, w in enumerate(found) if not number or w[0].islower()]
    return _Scores(
        sum(2 * (w in words.ENGLISH) + (w in words.ENGLISH_WEAK) for w in lower),
        sum(2 * (w in words.FOREIGN or _FOREIGN_FORM.search(w) is not None) + (w in words.FOREIGN_WEAK) for w in plain),
        len(found),
        any(w in words.ENGLISH_REQUEST for w in lower),
    )


def _of_latin(text: str) -> str:
    scores = _scores(text)
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
