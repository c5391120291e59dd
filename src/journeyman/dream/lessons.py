"""Lessons: the statements of a session's user, one sentence each, in the user's own words; corrections that came later
too.

Always holds: a lesson's text is found in its turn (apart from typographic quotes, which become plain ones) with at
most two additions that make it stand alone: the heading of its line ("Monday: ...") and, where the sentence begins
with a pronoun, the sentence before it. Sentences said again in other sessions are kept once, with the newest proof.

Knows sentence boundaries of languages written with . ! ? and their full-width forms; it does not know what a
sentence means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from journeyman.capture.messages import call_in
from journeyman.dream.words import heading
from journeyman.records import Lesson, Session

MIN_WORDS = 3
MAX_CHARACTERS = 400  # a longer "sentence" is pasted text: a table, a log, code

_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " "})
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(@$#]?[A-ZÀ-ÞА-Я0-9¿¡])|(?<=[。！？])\s*")
_ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e|No|approx)|\b[A-Z])\.$")
_LONGEST_ABBREVIATION = 8
_LEANING = re.compile(
    r"^(?:it|its|it's|they|they're|their|that|that's|this|these|those|he|she|his|her)\b", re.IGNORECASE
)


def plain(text: str) -> str:
    """Typographic quotes and no-break spaces as their plain forms."""
    return text.translate(_PLAIN)


def sentences(text: str) -> list[str]:
    """The sentences of `text`, in order."""
    return [sentence for line in plain(text).splitlines() for sentence in _of_line(line)]


def extract(sessions: Iterable[Session]) -> list[Lesson]:
    """All candidate lessons of `sessions`, in the order in which they were said."""
    return newest(statements(sessions))


def statements(sessions: Iterable[Session]) -> Iterator[Lesson]:
    """The same, as often as they were said."""
    for session in sessions:
        session_id = session.id  # a hash of the whole session
        for index, turn in enumerate(session.turns):
            if turn.role == "user":
                for text in _statements(turn.content):
                    yield Lesson(text, session_id, index, session.topic)
        for remark in session.remarks:  # what the user said of an answer later
            better = "" if call_in(remark.better) else remark.better  # a call is a decision, and no statement
            for text in [*_statements(remark.correction), *_statements(better)]:
                yield Lesson(text, session_id, remark.turn, session.topic)


def newest(lessons: Iterable[Lesson]) -> list[Lesson]:
    """One of those that are said in the same words, with the newest proof."""
    found: dict[str, Lesson] = {}
    for lesson in lessons:
        found[lesson.text.casefold()] = lesson
    return list(found.values())


def _of_line(line: str) -> Iterator[str]:
    line = line.strip().lstrip("-*• ")
    start = 0
    for match in _SENTENCE_END.finditer(line):
        stop = match.start()
        if not _ABBREVIATION.search(line, max(0, stop - _LONGEST_ABBREVIATION), stop):
            if sentence := line[start : match.end()].strip():
                yield sentence
            start = match.end()
    if rest := line[start:].strip():
        yield rest


def _statements(content: str) -> Iterator[str]:
    before = ""
    for line in plain(content).splitlines():
        title = ""  # a heading reaches no further than its line
        for sentence in _of_line(line):
            own = heading(sentence)
            title = own or title
            if len(sentence.split()) >= MIN_WORDS and len(sentence) <= MAX_CHARACTERS:
                if title and not own:
                    yield f"{title}: {sentence}"
                elif before and _LEANING.match(sentence) and len(before) + len(sentence) < MAX_CHARACTERS:
                    yield f"{before} {sentence}"
                else:
                    yield sentence
            before = sentence
