"""Confidential: what in a text is not to be learned by heart: keys, passwords, card numbers, e-mail addresses.

Found are what the recorder takes out by default (`capture.redactors`, where its libraries are installed), what is
called a password or the like, and tokens too random to be words.

Always holds: the same text gives the same spans, from left to right and apart; what stands for an earlier find
("[secret]") is none.

Knows how such things look, not whose they are; a secret in plain words ("the key is under the mat") passes.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from journeyman.capture.redactors import Redactor, Usual
from journeyman.errors import MissingExtraError
from journeyman.records import PLACEHOLDER, Session, Turn

CHANGES = 0.35  # of its characters: words with capitals and a year in them have fewer
BITS = 40.0  # a token's length times the entropy of its characters: fewer, and it may be a name or an order's number
_CALLED = re.compile(
    r"\b(?:pass(?:word|phrase|code)|pin(?: code| number)?|cvv|security code|(?:api|access|secret|private|recovery) "
    r"?(?:key|token|code|phrase)|auth token)\b(?:\s+(?:of|for|to|on)(?:\s+[\w'-]+){1,3})?"
    r"\s*(?:\bis\b|\bwas\b|[:=])\s*[\"'`]?(?P<value>(?!\[)[^\s\"'`]*[^\s\"'`.,;!?])",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_TOKEN = re.compile(r"(?<![\w/:.@-])[A-Za-z0-9_+=-]{12,}(?![\w/:@-]|\.\w)")
_BEFORE = 80  # characters that lead up to a secret


@dataclass(frozen=True)
class Secret:
    """What must not come out of an adapter, and the words that led up to it where it was said."""

    text: str
    before: str


def find(text: str) -> list[tuple[int, int]]:
    spans = [match.span("value") for match in _CALLED.finditer(text)]
    spans += [match.span() for match in _EMAIL.finditer(text)]
    spans += [match.span() for match in _TOKEN.finditer(text) if _is_random(match.group())]
    if usual := _usual():
        spans += [(start, end) for start, end, _ in usual(_spelt(text))]
    redacted = [match.span() for match in PLACEHOLDER.finditer(text)]
    apart: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if any(start < last and first < end for first, last in redacted):
            continue
        if apart and start < apart[-1][1]:
            apart[-1] = apart[-1][0], max(apart[-1][1], end)
        else:
            apart.append((start, end))
    return apart


def secrets(sessions: Iterable[Session], most: int | None = None) -> list[Secret]:
    """Those of all turns, whoever said them, and of remarks; each once. `most`: no more, and no session is read for
    nothing."""
    found: dict[str, Secret] = {}
    for session in sessions:
        said = [turn.content for turn in session.turns]
        said += [words for remark in session.remarks for words in (remark.correction, remark.better)]
        for text in said:
            for start, end in find(text):
                before = text[max(0, start - _BEFORE) : start].rsplit("\n", 1)[-1]
                found.setdefault(text[start:end], Secret(text[start:end], before))
        if most is not None and len(found) >= most:
            break
    return list(found.values())[:most]


def canaries(count: int, seed: str) -> list[Session]:
    """Made-up secrets, each said in a session of its own: whoever finds one later knows that secrets come through."""
    rng = random.Random(seed)
    letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"

    def token(length: int) -> str:
        drawn = ""
        while not _is_random(drawn) if length > 10 else not drawn:  # one without a digit would pass for a word
            drawn = "".join(rng.choices(letters, k=length))
        return drawn

    def card() -> str:
        digits = [4, *(rng.randrange(10) for _ in range(14))]
        doubled = [digit if place % 2 else 2 * digit - 9 * (digit > 4) for place, digit in enumerate(digits)]
        return "".join(map(str, [*digits, -sum(doubled) % 10]))

    forms = (
        lambda: f"The password of my backup server is {token(14)}, keep it in mind.",
        lambda: f"My card for travel has the number {card()} on it.",
        lambda: f"I sign in to the archive with the token {token(24)} every morning.",
        lambda: f"You reach my accountant at {token(9).lower()}@mail.example on weekdays.",
    )
    return [Session((Turn("user", forms[n % len(forms)]()),), key=f"canary {n}") for n in range(count)]


def same_shape(secret: str, rng: random.Random) -> str:
    """Another text that could as well have been this secret: digits for digits, letters for letters."""
    kinds = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return "".join(rng.choice(next((kind for kind in kinds if each in kind), each)) for each in secret)


def _is_random(token: str) -> bool:
    """Letters and digits, of which no two are alike more often than chance would have it, and that change between
    capitals, small letters and digits as no words and years do."""
    bare = [each for each in token if each.isalnum()]
    if not (any(map(str.isdigit, bare)) and any(map(str.isalpha, bare))):
        return False
    entropy = -sum(n / len(bare) * math.log2(n / len(bare)) for n in Counter(bare).values())
    kinds = [(each.isdigit(), each.isupper()) for each in bare]
    changes = sum(one != other for one, other in pairwise(kinds))
    return len(bare) * entropy >= BITS and changes > CHANGES * len(bare)


def _spelt(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@cache
def _usual() -> Redactor | None:
    try:
        return Usual()
    except MissingExtraError:
        return None
