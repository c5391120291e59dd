"""What people say of themselves, and how they ask for it later: their name, age, home and work.

Always holds: a question of this kind is given only for a span that a statement in the first person puts in its place
("I'm 35", "live in Seattle"); what is said of others ("my son turned 12") gives none.

Knows a few English forms of such statements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from journeyman.dream.words import when

if TYPE_CHECKING:
    from journeyman.dream.spans import Span

_SELF = r"(?:I'm|I am|it's|this is|same) (?-i:[A-Z])\w+"
_NO_NAME = frozenset(["christmas", "easter", "halloween", "thanksgiving"])


@dataclass(frozen=True)
class _Form:
    kind: str  # of the span
    before: re.Pattern[str]  # has to end where the span begins
    after: re.Pattern[str]
    questions: tuple[str, ...]


def _form(kind: str, before: list[str], after: str, *questions: str) -> _Form:
    return _Form(kind, re.compile(rf"(?:{'|'.join(before)})\s*$", re.I), re.compile(after, re.I), questions)


_FORMS = (
    _form(
        "name",
        [r"\bmy (?:first |full )?name(?:'s| is)", r"\b(?:you can |please |just |people |everyone )?calls? me"],
        "",
        "What is my name?",
        "Do you know my name?",
        "Who am I?",
        "What am I called?",
    ),
    _form(
        "name",
        [r"^(?:[^.!?]{0,40}[!,.-]+)?\s*(?:it's|this is)(?: just| only)?", r"\bagain\b.*\bsame"],
        r"\s*(?:$|[,.!;—–-]|(?:again|here|from|speaking|back|and I)\b)",
        "What is my name?",
        "Do you know my name?",
        "Who am I?",
        "What am I called?",
    ),
    _form(
        "number",
        [r"\b(?:I'm|I am|I(?: have|'ve)? (?:just |recently )?turned|I'm turning)", rf"{_SELF}\b[^.!?]*\bwho(?:'s| is)"],
        r"\s*(?:$|[,.!;—–)]|years? old\b|(?:and|now)\b(?! a half))",
        "What is my age?",
        "How old did I say I am?",
        "How many years old am I?",
        "Do you know how old I am?",
    ),
    _form(
        "number",
        [r"\bI(?:'m| am) (?:just |only )?an? (?:\w+ )?", rf"(?:{_SELF}|\bagain)\b.*\bsame"],
        r"-years?-old\b",
        "What is my age?",
        "How old did I say I am?",
        "How many years old am I?",
        "Do you know how old I am?",
    ),
    _form(
        "name",
        [
            r"\b(?:I|we)(?:'m| am|'re| are|'ve been| have been)?\s+(?:(?:now|still|also|just|both|\w+ly)\s+)?"
            r"(?:live|living|based|reside|residing)\s+(?:here )?in",
            r"\bI(?:'m| am) [^.!?]*(?:,|\band)\s+(?:and )?(?:live|living|based|reside|residing) in",
            rf"{_SELF} from",
            r"\bI(?:'m| am) from",
            r"\bhere in",
        ],
        "",
        "Where am I from?",
        "Where is my home?",
        "Which city do I live in?",
        "What is my home town?",
    ),
    _form(
        "chunk",
        [
            r"\bI(?:'m| am)? (?:\w+ )?(?:work|working|employed) as (?:an? )?(?:[\w-]+ )?",
            rf"(?:\bI'm|\bI am|{_SELF})\b[^.!?]*(?:,|\band) works? as (?:an? )?(?:[\w-]+ )?",
        ],
        "",
        "What do I do for work?",
        "What is my job?",
        "What is my profession?",
        "What do I work as?",
    ),
)


def questions(span: Span) -> tuple[str, ...]:
    """Questions for what the span says of the user, or none where it says something else."""
    said = span.lesson.text
    if span.kind == "number" and not (span.text.isdecimal() and int(span.text) < 120):
        return ()
    if when(span.text) or span.text.lower() in _NO_NAME:
        return ()
    for form in _FORMS:
        if form.kind == span.kind and form.before.search(said[: span.start]) and form.after.match(said[span.end :]):
            return form.questions
    return ()
