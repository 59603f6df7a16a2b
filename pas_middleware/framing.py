"""How a complement is put behind a prompt so that it is never read as part of pasted material."""

from __future__ import annotations

import re

#: Categories whose prompts end in material to be worked on.
FRAMED_CATEGORIES = frozenset({"translation", "summarization", "rewriting", "extraction"})
_FRAMES = {"en": ("[Answering note: ", "]"), "zh": ("\u3010\u4f5c\u7b54\u63d0\u793a\uff1a", "\u3011")}
_LONG_LINE = 40
_ENDS_IN_MATERIAL = re.compile(
    "(?:```|[\"\u201d\u300d\u300f'])\\s*\\Z"
    "|(?:translat|summari[sz]|rewrit|rephras|paraphras|proofread|correct|edit|polish|shorten|extract|classify|improve|fix|"
    "continue|convert|\u7ffb\u8bd1|\u603b\u7ed3|\u6982\u62ec|\u6539\u5199|\u6da6\u8272|\u63d0\u53d6|\u63d0\u70bc|\u5206\u7c7b|"
    "\u7ea0\u6b63|\u6539\u6b63|\u4fee\u6539|\u7f29\u5199|\u6269\u5199|\u7eed\u5199|\u7b80\u5316|\u8f6c\u6362)"
    "[^\n]{0,200}?(?:[:\uff1a]\\s*\\S|\n\\s*\\S)",
    re.I | re.DOTALL,
)


def needs_frame(prompt: str, category: str = "") -> bool:
    """Tell whether plain text behind this prompt could be taken for its pasted material."""
    return category in FRAMED_CATEGORIES or _ENDS_IN_MATERIAL.search(prompt) is not None or _ends_in_paragraph(prompt)


def _ends_in_paragraph(prompt: str) -> bool:
    """Tell whether a long line stands alone at the end, behind an empty one."""
    head, _, last = prompt.rpartition("\n")
    return len(last) >= _LONG_LINE and "\n" in head[len(head.rstrip()) :]


def frame(complement: str, language: str) -> str:
    """Mark a complement as a note on how to answer; the mark counts two words."""
    opening, closing = _FRAMES["zh" if language == "zh" else "en"]
    return f"{opening}{complement}{closing}"


def unframed(text: str) -> str:
    """Return a text without a closing frame mark, so that the complement in it can be recognised at the end."""
    stripped = text.rstrip()
    for opening, closing in _FRAMES.values():
        if stripped.endswith(closing) and opening in stripped:
            return stripped[: -len(closing)]
    return stripped
