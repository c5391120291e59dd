"""Evidence spans: the words of a lesson that a right answer has to hold, and how much they are worth knowing.

A span is a number, a name, or a chunk of content words between function words. Its worth is what the base model could
not have guessed: the information of its tokens, -log p in nats, given the sentence before it (`Worth`); numbers and
names weigh more, because people come back for them, and spans that many sessions repeat weigh more.

Always holds: `lesson.text[span.start:span.end] == span.text`; spans of one lesson do not overlap in what `choose`
returns; the order is total, so equal input gives equal output.

Knows English function words; in other languages all words count as content and names and numbers still stand out.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from journeyman.records import Lesson

SpanKind = Literal["number", "name", "chunk"]
Surprisal = Callable[[str], list[tuple[int, int, float]]]  # text -> (start, end, nats) of each token

WORD = re.compile(r"[@$€£#]?\w+(?:[-'.,:/]\w+)*%?")
NUMBER_WORDS = frozenset(
    ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred", "thousand"]
)
FUNCTION_WORDS = frozenset(
    ["a", "about", "above", "across", "actually", "after", "again", "ago", "all", "almost", "already", "also", "although", "always", "am", "an", "and", "another", "any", "anyone", "anything", "anyway", "are", "around", "as", "at", "away", "back", "basically", "be", "because", "been", "before", "behind", "being", "below", "beside", "besides", "between", "beyond", "both", "but", "by", "can", "cannot", "come", "could", "currently", "definitely", "did", "do", "does", "doing", "done", "down", "during", "each", "either", "else", "enough", "especially", "essentially", "even", "ever", "every", "everyone", "everything", "excited", "far", "feel", "feels", "felt", "few", "figure", "figured", "first", "for", "from", "get", "gets", "getting", "give", "given", "glad", "go", "goes", "going", "gonna", "gone", "got", "gotten", "guess", "had", "happy", "has", "have", "having", "he", "hello", "help", "hence", "her", "here", "hers", "herself", "hey", "hi", "him", "himself", "his", "honestly", "hope", "hopefully", "how", "however", "i", "if", "in", "instead", "into", "is", "it", "its", "itself", "just", "keep", "kind", "know", "lately", "least", "less", "let", "like", "little", "lot", "lots", "love", "make", "makes", "making", "many", "may", "maybe", "me", "mean", "might", "mine", "more", "most", "much", "must", "my", "myself", "near", "need", "needs", "never", "new", "next", "nice", "no", "nor", "not", "nothing", "now", "of", "off", "often", "oh", "ok", "okay", "on", "once", "one", "ones", "only", "or", "other", "others", "our", "ours", "ourselves", "out", "over", "own", "per", "perhaps", "plain", "please", "plus", "pretty", "probably", "put", "quite", "rather", "ready", "really", "recently", "right", "said", "same", "saw", "say", "seem", "seems", "seen", "set", "several", "shall", "she", "should", "simply", "since", "so", "some", "someone", "something", "sometimes", "somewhat", "somewhere", "soon", "sort", "specifically", "still", "stuff", "such", "super", "sure", "take", "than", "thank", "thanks", "that", "the", "their", "theirs", "them", "themselves", "then", "there", "these", "they", "thing", "things", "think", "this", "those", "though", "thought", "through", "throughout", "thus", "till", "time", "to", "together", "told", "too", "toward", "towards", "tried", "truly", "try", "trying", "under", "unless", "until", "up", "upon", "us", "use", "used", "usually", "using", "very", "via", "want", "wanted", "was", "way", "we", "well", "went", "were", "what", "whatever", "when", "where", "whether", "which", "while", "who", "whole", "whom", "whose", "why", "will", "with", "within", "without", "won't", "wonder", "wondering", "would", "yeah", "yes", "yet", "you", "your", "yours", "yourself"]
)
_CONTRACTION = re.compile(r"'(?:s|m|re|ve|ll|d|t)$", re.IGNORECASE)
_WEIGHT: dict[SpanKind, float] = {"number": 3.0, "name": 2.5, "chunk": 1.0}
_LONGEST_CHUNK = 3
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


def is_function_word(word: str) -> bool:
    lowered = word.lower()
    return lowered in FUNCTION_WORDS or _CONTRACTION.sub("", lowered) in FUNCTION_WORDS


def find(lesson: Lesson) -> list[Span]:
    """Every candidate span of a lesson, from left to right; chunks do not cross punctuation."""
    text = lesson.text
    spans: list[Span] = []
    chunk: list[re.Match[str]] = []

    def close() -> None:
        while chunk and chunk[-1].group().lower().endswith("ly"):  # an adverb is not what one asks for
            chunk.pop()
        kept = chunk[-_LONGEST_CHUNK:]
        if kept and kept[-1].end() - kept[0].start() > 2:
            spans.append(Span(lesson, kept[0].start(), kept[-1].end(), "chunk"))
        chunk.clear()

    for match in WORD.finditer(text):
        word = match.group()
        kind = _single(word, text, match.start())
        if chunk and text[chunk[-1].end() : match.start()].strip():
            close()
        if kind == "name" and spans and spans[-1].kind == "name" and text[spans[-1].end : match.start()] == " ":
            spans[-1] = Span(lesson, spans[-1].start, match.end(), "name")
        elif kind:
            spans.append(Span(lesson, match.start(), match.end(), kind))
        if kind == "number" or is_function_word(word):
            close()
        else:
            chunk.append(match)
    close()
    return spans


def _single(word: str, text: str, start: int) -> SpanKind | None:
    """The kind of a span that this word makes by itself."""
    if any(character.isdigit() for character in word) or word.lower() in NUMBER_WORDS or word[0] in "@#":
        return "number"
    inside = start > 0 and text[:start].rstrip()[-1:] not in ("", ".", "!", "?", ":", '"', "-")
    if inside and word[0].isupper() and not is_function_word(word):
        return "name"
    return None


def weigh(lessons: Sequence[Lesson], surprisal: Surprisal | None) -> list[Span]:
    """All spans of all lessons with their worth, best first.

    Without a model (`surprisal` None) each word counts log(lessons / lessons with that word), its rarity in this log.
    """
    holding: Counter[str] = Counter()
    sessions: defaultdict[str, set[str]] = defaultdict(set)
    for lesson in lessons:
        words = {word.lower() for word in WORD.findall(lesson.text)}
        holding.update(words)
        for word in words:
            sessions[word].add(lesson.session_id)
    weighed: list[Span] = []
    for lesson in lessons:
        tokens = surprisal(lesson.text) if surprisal else None
        question = 0.5 if lesson.text.endswith("?") else 1.0  # asked for, not said: seldom worth remembering
        for span in find(lesson):
            words = [word.lower() for word in WORD.findall(span.text)]
            rarity = [math.log((1 + len(lessons)) / holding[word]) for word in words if holding[word]]
            mean_rarity = sum(rarity) / max(1, len(rarity))
            nats = (
                sum(value for start, end, value in tokens if end > span.start and start < span.end)
                if tokens is not None
                else sum(rarity)
            )
            repeated = 1.0
            if span.kind != "chunk":
                repeated += math.log(min(len(sessions[word]) for word in words) if words else 1)
            worth = _WEIGHT[span.kind] * question * max(repeated, 1.0) * min(nats, 30.0) * (0.5 + mean_rarity / 6)
            weighed.append(Span(lesson, span.start, span.end, span.kind, worth))
    weighed.sort(key=lambda span: (-span.worth, span.lesson.id, span.start))
    return weighed


def choose(weighed: Sequence[Span], limit: int) -> list[Span]:
    """The `limit` worthiest spans: at most three a lesson, none inside another, none said twice in the same words."""
    taken: defaultdict[str, list[Span]] = defaultdict(list)
    said: Counter[str] = Counter()
    chosen: list[Span] = []
    for span in weighed:
        mine = taken[span.lesson.id]
        overlaps = any(span.start < other.end and other.start < span.end for other in mine)
        if overlaps or len(mine) >= SPANS_A_LESSON or said[span.text.lower()] >= 2:
            continue
        mine.append(span)
        said[span.text.lower()] += 1
        chosen.append(span)
        if len(chosen) == limit:
            break
    return chosen
