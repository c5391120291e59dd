"""Evidence spans: the words of a lesson that a right answer has to hold, and how much they are worth knowing.

A span is a number, a name, or a chunk of content words between function words. Its worth is what the base model could
not have guessed: the information of its tokens, -log p in nats, given the sentence before it; numbers and names weigh
more, because people come back for them, what a person says of himself or herself (`profile`) again more, and so do
spans that many sessions repeat.

Always holds: `lesson.text[span.start:span.end] == span.text`; spans of one lesson do not overlap in what `choose`
returns; the order is total, so equal input gives equal output.

Knows English function words; in other languages all words count as content and names and numbers still stand out.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from journeyman.dream import profile
from journeyman.dream.words import (
    NUMBER_WORDS,
    WHEN,
    WORD,
    heading,
    is_function_word,
    is_order,
    is_past,
    is_verb_or_adverb,
)
from journeyman.records import PLACEHOLDER, Lesson

SpanKind = Literal["number", "name", "chunk"]
Surprisal = Callable[[str], list[tuple[int, int, float]]]  # text -> (start, end, nats) of each token

_WEIGHT: dict[SpanKind, float] = {"number": 3.0, "name": 2.5, "chunk": 1.0}
_OF_THE_USER = 2.0
_LONGEST_CHUNK = 3
_DIGITS = frozenset(["one", *NUMBER_WORDS])  # "twenty-five" is one number
SPANS_A_LESSON = 3


@dataclass(frozen=True)
class Span:
    """A stretch of a lesson's text; `worth` in weighted nats (0 until weighed)."""

    lesson: Lesson
    start: int
    end: int
    kind: SpanKind
    worth: float = 0.0

    @property
    def text(self) -> str:
        return self.lesson.text[self.start : self.end]

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """What `asdict` made of one."""
        return cls(Lesson.from_json(value["lesson"]), value["start"], value["end"], value["kind"], value["worth"])


def find(lesson: Lesson) -> list[Span]:
    """Every candidate span of a lesson, from left to right; chunks do not cross punctuation.

    Days, months and clock times are spans as a whole ("8 AM"); of "35-year-old" the span is the number.
    """
    text = lesson.text
    spans: list[Span] = []
    chunk: list[re.Match[str]] = []

    def close() -> None:
        while chunk and chunk[-1].group().lower().endswith("ly"):  # an adverb is not what one asks for
            chunk.pop()
        if chunk and is_order(chunk[0].group(), text[chunk[0].end() :]) and _opens_clause(text, chunk[0].start()):
            spans.append(Span(lesson, chunk[0].start(), chunk[0].end(), "chunk"))
            del chunk[0]
        while chunk and is_past(chunk[0].group()):
            del chunk[0]
        while chunk and is_past(chunk[-1].group()):
            chunk.pop()
        kept = chunk[-_LONGEST_CHUNK:]
        previous = WORD.findall(text[: kept[0].start()][-20:])[-1:] if kept else []
        lone = len(kept) == 1 and is_verb_or_adverb(kept[0].group(), *previous)
        aged = kept and re.fullmatch(r"(?:year|month|week|day)s? old", text[kept[0].start() : kept[-1].end()])
        if kept and not lone and not aged and kept[-1].end() - kept[0].start() > 2:
            spans.append(Span(lesson, kept[0].start(), kept[-1].end(), "chunk"))
        chunk.clear()

    titled = len(heading(text))
    points = [match for match in WHEN.finditer(text) if match.start() >= titled]
    for match in WORD.finditer(text):
        point = next((point for point in points if point.start() < match.end() and match.start() < point.end()), None)
        if point:
            if point.start() >= match.start():  # else a further word of the same point in time
                close()
                kind: SpanKind | None = "number" if any(map(str.isdigit, point.group())) else "name"
                spans.append(Span(lesson, point.start(), point.end(), kind))
            continue
        if match.end() <= titled:
            continue  # a heading is asked with, not asked for
        word = match.group()
        kind = _single(word, text, match.start())
        if chunk and text[chunk[-1].end() : match.start()].strip():
            close()
        if kind == "name" and spans and spans[-1].kind == "name" and text[spans[-1].end : match.start()] == " ":
            if WHEN.fullmatch(spans[-1].text):
                spans.append(Span(lesson, match.start(), match.end(), kind))
            else:
                spans[-1] = Span(lesson, spans[-1].start, match.end(), "name")
        elif kind:
            spans.append(Span(lesson, match.start(), match.start() + len(_number(word)), kind))
        if kind == "number" or is_function_word(word):
            close()
        else:
            chunk.append(match)
    close()
    redacted = [each.span() for each in PLACEHOLDER.finditer(text)]  # nobody said that: it is no evidence
    spans = [span for span in spans if not any(span.start < end and start < span.end for start, end in redacted)]
    return sorted(spans, key=lambda span: span.start)  # stable: a name stands before the chunk that begins with it


def _opens_clause(text: str, start: int) -> bool:
    before = text[:start].rstrip()
    return before[-1:] in ("", ".", "!", "?", ":", ";", ",", "-", "—", "–", "(") or before.endswith((", and", ", then"))


def _number(word: str) -> str:
    """The number alone of a number with its unit: "35" of "35-year-old"; any other word as it is."""
    head, dash, unit = word.partition("-")
    counted = head.lower() in NUMBER_WORDS or head[:1].isdigit()
    return head if dash and counted and unit[:1].isalpha() and unit.split("-")[0].lower() not in _DIGITS else word


def _single(word: str, text: str, start: int) -> SpanKind | None:
    """The kind of a span that this word makes by itself."""
    if any(character.isdigit() for character in word) or word[0] in "@#":
        return "number"
    if word.lower() in NUMBER_WORDS or _number(word) != word:
        return "number"
    inside = start > 0 and text[:start].rstrip()[-1:] not in ("", ".", "!", "?", ":", '"', "-")
    if inside and word[0].isupper() and not is_function_word(word):
        return "name"
    return None


def _words(text: str) -> list[str]:
    """The words by which spans are counted, the numbers of compounds among them."""
    whole = [word.lower() for word in WORD.findall(text)]
    return whole + [_number(word) for word in whole if _number(word) != word]


def weigh(lessons: Sequence[Lesson], surprisal: Surprisal | None) -> list[Span]:
    """All spans of all lessons with their worth, best first.

    Without a model (`surprisal` None) each word counts log(lessons / lessons with that word), its rarity in this log.
    """
    holding: Counter[str] = Counter()
    sessions: defaultdict[str, set[str]] = defaultdict(set)
    for lesson in lessons:
        words = set(_words(lesson.text))
        holding.update(words)
        for word in words:
            sessions[word].add(lesson.session_id)
    weighed: list[Span] = []
    for lesson in lessons:
        tokens = surprisal(lesson.text) if surprisal else None
        question = 0.5 if lesson.text.endswith("?") else 1.0  # asked for, not said: seldom worth remembering
        for span in find(lesson):
            words = _words(span.text)
            rarity = [math.log((1 + len(lessons)) / holding[word]) for word in words if holding[word]]
            mean_rarity = sum(rarity) / max(1, len(rarity))
            nats = (
                sum(value for start, end, value in tokens if end > span.start and start < span.end)
                if tokens is not None
                else sum(rarity)
            )
            repeated = 1.0
            if span.kind != "chunk":
                repeated += math.log(max(1, min((len(sessions[word]) for word in words), default=1)))
            weight = _WEIGHT[span.kind] * (_OF_THE_USER if profile.questions(span) else 1.0)
            worth = weight * question * max(repeated, 1.0) * min(nats, 30.0) * (0.5 + mean_rarity / 6)
            weighed.append(Span(lesson, span.start, span.end, span.kind, worth))
    weighed.sort(key=lambda span: (-span.worth, span.lesson.id, span.start))
    return weighed


def choose(
    weighed: Sequence[Span], limit: int, source: Callable[[Span], str] | None = None, most: int = 0
) -> list[Span]:
    """The `limit` worthiest spans: at most three a lesson, none inside another, none said twice in the same words, and
    of each `source`, if that is given, at most so many."""
    of: Counter[str] = Counter()
    taken: defaultdict[str, list[Span]] = defaultdict(list)
    said: Counter[str] = Counter()
    chosen: list[Span] = []
    for span in weighed:
        mine = taken[span.lesson.id]
        overlaps = any(span.start < other.end and other.start < span.end for other in mine)
        if overlaps or len(mine) >= SPANS_A_LESSON or said[span.text.lower()] >= 2:
            continue
        if source:
            if of[source(span)] >= most:
                continue
            of[source(span)] += 1
        mine.append(span)
        said[span.text.lower()] += 1
        chosen.append(span)
        if len(chosen) == limit:
            break
    return chosen
