"""A page that holds all it shows: no script, no request, nothing of a prompt ever read as markup.

page = Page("Curation", "17,000 prompts")
page.section("Funnel", "What each stage kept.")
page.table(("stage", "kept"), [("clean", 15000)])
page.figure(figure, "a bar for each stage")
page.samples("Rejected as too_short", [Sample("hi", "2 characters")])
page.write(Path("report.html"))
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal

from matplotlib import rc_context
from matplotlib.figure import Figure

# Images are data and styles are inline; a policy that forbids all else holds even if something were not escaped.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
#: Cells of more characters may wrap.
_SHORT = 40
_STYLE = """
:root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6675;--line:#d9dee6;--paper:#fff;--tint:#f4f6f9}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#9aa5b4;--line:#38414e;--paper:#161a20;--tint:#1f252d}}
body{margin:2.5rem auto;max-width:62rem;padding:0 1.25rem;color:var(--ink);background:var(--paper);
font:16px/1.55 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif}
h1{font-size:1.9rem;margin:0}h2{font-size:1.3rem;margin:2.6rem 0 .4rem;border-top:1px solid var(--line);
padding-top:1.2rem}
.lead,figcaption,.note{color:var(--soft)}.wide{overflow-x:auto}
table{border-collapse:collapse;margin:1rem 0;font-size:.92rem}
th,td{padding:.32rem .8rem;border-bottom:1px solid var(--line);
text-align:left;vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
thead th{color:var(--soft)}th.g{text-align:center;border-left:1px solid var(--line)}th.g:empty{border:0}
td{white-space:nowrap}td.l{white-space:normal;min-width:14rem}
@media(min-width:48rem){td:first-child,th:first-child{position:sticky;left:0;background:var(--paper)}}
figure{margin:1.2rem 0}figure img{max-width:100%;height:auto;background:#fff;border-radius:6px}
details{margin:.6rem 0;background:var(--tint);border-radius:6px;padding:.5rem .9rem}summary{cursor:pointer}
blockquote{margin:.7rem 0;padding-left:.8rem;border-left:3px solid var(--line);
white-space:pre-wrap;overflow-wrap:anywhere}
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """A text to show, and a line on it."""

    text: str
    note: str = ""


class Page:
    """A page under construction; what is added comes one below the other."""

    def __init__(self, title: str, lead: str = "") -> None:
        self._title = title
        self._parts = [f"<h1>{escape(title)}</h1>", f'<p class="lead">{escape(lead)}</p>' if lead else ""]

    def section(self, title: str, text: str = "") -> None:
        """Begin a section."""
        self._parts.append(f"<h2>{escape(title)}</h2>")
        if text:
            self.text(text)

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self._parts.append(f"<p>{escape(text)}</p>")

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[Any]], groups: Sequence[tuple[str, int]] = ()
    ) -> None:
        """Add a table; columns of numbers are aligned to the right; `groups` are heads above so many columns each."""
        found = [tuple(row) for row in rows]
        right = [bool(found) and all(_is_number(row[place]) for row in found) for place in range(len(columns))]
        head = "".join(f"<th{_class(n)}>{escape(name)}</th>" for name, n in zip(columns, right, strict=True))
        lines = (
            "<tr>" + "".join(_cell(shown(cell), number) for cell, number in zip(row, right, strict=True))
            for row in found
        )
        body = "".join(lines)
        above = "".join(f'<th class="g" colspan="{span}">{escape(name)}</th>' for name, span in groups)
        above = f"<tr>{above}</tr>" if above else ""
        self._parts.append(
            f'<div class="wide"><table><thead>{above}<tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        )

    def figure(self, figure: Figure, alt: str, caption: str = "", form: Literal["svg", "png"] = "svg") -> None:
        """Add a figure: `svg`, or `png` where it has thousands of marks."""
        target = io.BytesIO()
        # Without a salt and with a date, two reports of the same data would differ.
        with rc_context({"svg.hashsalt": "pas", "svg.fonttype": "path"}):
            figure.savefig(target, format=form, dpi=130, metadata={"Date": None} if form == "svg" else None)
        kind = "svg+xml" if form == "svg" else form
        data = base64.b64encode(target.getvalue()).decode()
        below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
        self._parts.append(f'<figure><img alt="{escape(alt)}" src="data:image/{kind};base64,{data}">{below}</figure>')

    def samples(self, title: str, samples: Iterable[Sample], *, longest: int = 600) -> None:
        """Add texts that unfold under a line, each cut at `longest` characters."""
        quotes = "".join(
            f"<blockquote>{escape(_cut(s.text, longest))}</blockquote><div class='note'>{escape(s.note)}</div>"
            for s in samples
        )
        self._parts.append(f"<details><summary>{escape(title)}</summary>{quotes}</details>")

    def html(self) -> str:
        """Return the page."""
        head = (
            f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">'
        )
        body = "\n".join(part for part in self._parts if part)
        return (
            f'<!doctype html>\n<html lang="en"><head>{head}<title>{escape(self._title)}</title>'
            f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
        )

    def write(self, file: Path) -> None:
        """Write the page, whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch = file.with_name(f".{file.name}")
        # A lone surrogate of a prompt has no UTF-8.
        scratch.write_text(self.html(), encoding="utf-8", errors="replace")
        scratch.replace(file)


def shown(cell: Any) -> str:
    """Return a cell as text: thousands set apart, fractions to three figures."""
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return "" if cell is None else str(cell)
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.1f}" if abs(cell) >= 100 else f"{cell:.3g}"


def _is_number(cell: Any) -> bool:
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _class(number: bool) -> str:
    return ' class="n"' if number else ""


def _cell(text: str, number: bool) -> str:
    # What is short stays on one line; what is long may wrap, and keeps some width for it.
    kind = ' class="l"' if len(text) > _SHORT else _class(number)
    return f"<td{kind}>{escape(text)}</td>"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
