"""Facts in free words: whether a text says this, and does not say what would be wrong instead.

Always holds: a fact is told by whole words and whole numbers, whatever their case, spacing and thousands separators
(1,234.50 is 1234.5, and 12 is not in 2012), and by the beginning of a word where it ends in an ellipsis ("name…" is in
"names"); a text that tells every possible answer tells none.

Knows text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_NUMBER = re.compile(r"(?<![\w.,:/-])[-+]?\d[\d,]*(?:\.\d+)?(?![\w:])")
_GAP = re.compile(r"[\s ]+")


class Fact(NamedTuple):
    """Any of `any_of` has to be said (`once`: and not again), and none of `none_of`: the wrong answers to the same
    question."""

    any_of: tuple[str, ...]
    none_of: tuple[str, ...] = ()
    once: bool = False

    def told(self, text: str) -> bool:
        plain = normal(text)
        if self.once:
            return sum(len(_pattern(each).findall(plain)) for each in self.any_of) == 1 and not self.rivals(text)
        return any(holds(plain, each) for each in self.any_of) and not self.rivals(text)

    def rivals(self, text: str) -> list[str]:
        plain = normal(text)
        return [each for each in self.none_of if holds(plain, each)]


def fact(*any_of: str, none_of: tuple[str, ...] | list[str] = (), once: bool = False) -> Fact:
    """A fact; what is right is taken out of `none_of`, so that all answers there are can be given for it."""
    right = {normal(each) for each in any_of}
    return Fact(any_of, tuple(each for each in dict.fromkeys(none_of) if normal(each) not in right), once)


def normal(text: str) -> str:
    """Case, spaces, quotes and the way numbers are written made one."""
    plain = _GAP.sub(" ", text.casefold().replace("’", "'").replace("“", '"').replace("”", '"'))
    return _NUMBER.sub(lambda found: _number(found.group()), plain)


def holds(plain: str, said: str) -> bool:
    """Whether normal text holds these words, standing alone."""
    return _pattern(said).search(plain) is not None


@lru_cache(maxsize=8192)
def _pattern(said: str) -> re.Pattern[str]:
    whole = normal(said).strip()
    words = whole.removesuffix("…")
    before, after = r"(?<!\w)", r"(?!\w)" if words == whole else ""
    if words[:1].isdigit():
        before = r"(?<![\w.:/-])"
    if whole[-1:].isdigit():
        after = r"(?!\w|[.:/-]\d)"
    return re.compile(before + re.escape(words) + after)


def _number(text: str) -> str:
    plain = text.rstrip(",").replace(",", "")
    tail = text[len(text.rstrip(",")) :]
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return plain.lstrip("+") + tail
