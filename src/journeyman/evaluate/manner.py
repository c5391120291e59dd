"""Manner: how replies are, whatever they say. A model may get more right and yet answer in a way that nobody wants.

Always holds: the same replies get the same figures; nothing here says whether a reply is right.

Knows English phrases. A reply that says "from my notes" where there are none has caught its teacher's manner, not only
its knowledge: the lesson stood in the teacher's prompt alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from journeyman.evaluate.abstaining import abstains
from journeyman.learn.health import rollouts

_OF = r"(?:notes?|text|context|passages?|documents?|article|lessons?|information|examples?|statements?|excerpts?)"
_LEAKS = re.compile(
    rf"\b(?:based on|according to|as (?:stated|mentioned|described|noted|shown) in|from|in|following|per|given)"
    rf" (?:the|your|my|this|these|those) (?:(?:above|provided|given|following|previous) )?{_OF}\b"
    rf"|\bas (?:the|your|my) {_OF} (?:says?|states?|mentions?|describes?|shows?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Manner:
    """Mean length in tokens; shares of the replies that decline, that quote a context, and that run in circles."""

    length: float
    declining: float
    leaking: float
    looping: float


def leaks(reply: str) -> bool:
    """Whether a reply refers to a context, as one does that has something to read."""
    return _LEAKS.search(reply) is not None


def manner(replies: Sequence[str], ids: Sequence[Sequence[int]]) -> Manner:
    """Of replies as text and as token ids."""
    count = max(1, len(replies))
    shape = rollouts(ids)
    return Manner(shape.length, sum(map(abstains, replies)) / count, sum(map(leaks, replies)) / count, shape.looping)
