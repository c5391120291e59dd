"""HTML that cannot be injected into: a string is text unless this module made it markup.

Always holds: `el` and `join` escape every child and attribute that is not already `Html`; characters a
page cannot carry (control characters, lone surrogates) become U+FFFD, so that a page can always be
written as UTF-8.

Does not know: what the page is about.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_VOID = frozenset({"br", "circle", "line", "rect", "path", "polyline"})


class Html(str):
    """Markup that is ready for the page. Only this module makes it out of foreign text."""

    __slots__ = ()


# str is escaped, Html is kept, None is nothing, an iterable is flattened, the rest goes through str()
Child = object


def esc(value: object) -> Html:
    """Text as markup: escaped, and free of characters that a page cannot carry."""
    if isinstance(value, Html):
        return value
    return Html(html.escape(_UNFIT.sub("\ufffd", str(value)), quote=True))


def join(children: Iterable[Child], between: str = "") -> Html:
    """Children one after another, escaped where they are not markup; None and empty ones are left out."""
    return Html(esc(between).join(piece for child in children if (piece := _one(child))))


def el(tag: str, *children: Child, **attributes: object) -> Html:
    """One element. ``class_`` gives class, ``aria_label`` aria-label; those that are None are left out."""
    pairs = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{esc(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _VOID and not children:
        return Html(f"<{tag}{pairs}>") if tag == "br" else Html(f"<{tag}{pairs}/>")
    return Html(f"<{tag}{pairs}>{join(children)}</{tag}>")


def _one(child: Child) -> Html:
    if child is None:
        return Html("")
    if isinstance(child, str):
        return esc(child)
    if isinstance(child, Iterable):
        return join(child)
    return esc(child)


def marked(text: str, span: object) -> Html:
    """`text` with every occurrence of `span` in a <mark>, whatever its case and its white space."""
    words = str(span or "").split()
    if not words:
        return esc(text)
    pattern = re.compile(r"\s+".join(re.escape(word) for word in words), re.IGNORECASE)
    pieces: list[Html] = []
    end = 0
    for match in pattern.finditer(text):
        pieces += [esc(text[end : match.start()]), el("mark", match.group())]
        end = match.end()
    return join([*pieces, esc(text[end:])])
