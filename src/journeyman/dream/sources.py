"""Sources: whose words a night may learn from, and how much of a night is one person's.

Read are the user's own words: what a tool returned is not, nor what the user quotes or repeats of it. What one user
says over and over counts once; a flood of sessions, or of statements cut from one pattern, is cut back; and where
several people speak, none of them fills the night.

Always holds: nothing is set aside without being counted under a reason; what is said again is kept in its fullest and
newest wording; a statement that differs in a number, a name or a "not" is another statement; without users' names
nobody's share is cut.

Knows words and who said them; nothing of what is true. Two users who contradict each other: see `contradictions`.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from journeyman.dream import confidential
from journeyman.dream import lessons as lessons_of
from journeyman.dream import spans as spans_of
from journeyman.dream.spans import Span
from journeyman.dream.words import NUMBER_WORDS, WORD, content, is_function_word
from journeyman.records import Lesson, Session

SECRET, REPEATED, QUOTED, EXCEPTION, AGAIN, PATTERN, SHARE = (
    "it holds a secret",
    "the session says what another of the same user says",
    "quoted, or a tool's words",
    "said to hold this once only",
    "the same user says it again",
    "one of many statements of one pattern",
    "beyond one user's share of the night",
)
QUOTED_WORDS, QUOTED_PART = 4, 0.75  # a sentence that consists of so many words in a row of a tool's is the tool's
MORE_WORDS = 2  # by which a statement that says another one again may be longer
PATTERN_MOST = 8  # statements of one user that differ in their numbers only
LEAST_SHARE, FAIR_SHARE = 0.25, 1.5  # of the night for one of several users: 1.5 times an equal share, 25 % at least

_FENCE = re.compile(r"^\s*(?:```|~~~)")
_TAGGED = re.compile(
    r"<(tool_response|tool_result|function_results?|tool_output|document|untrusted\w*)\b[^>]*>.*?(?:</\1>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
# What ends: "only in this city" may hold for ever, "only for this order" does not.
_MATTER = (
    r"(?:one |single |particular )?"
    r"(?:booking|call|case|chat|conversation|delivery|invoice|month|night|occasion|order|payment|purchase|request|return"
    r"|session|shipment|ticket|trip|visit|week|weekend)"
)
# What is said to hold once is no lesson: it must neither be learned nor take the place of what holds otherwise.
_ONCE = re.compile(
    r"\b(?:just|only) for once\b|\bthis once\b|\b(?:just|only|for) this (?:one |single )?time\b"
    r"|\bthis (?:one |single )?time only\b|\b(?:just|only) for (?:today|tonight)\b|\bfor (?:today|tonight) only\b"
    r"|\b(?:as|is|it's|make|makes|made|making) an? (?:(?:single|one-time|one-off|rare) )?exception\b"
    r"|\b(?:as|is|it's) an? one-(?:off|time thing)\b"
    r"|\b(?:today|tonight) only\b|\bone[- ]time only\b|\bin this (?:one|single|particular) (?:case|instance)\b"
    rf"|\b(?:for|in|on) this {_MATTER} only\b|\b(?:just|only) (?:for|in|on) this {_MATTER}\b"
    r"|(?:^|[.!?;:] *)exceptionally,",
    re.IGNORECASE,
)
_NOT = re.compile(r"\b(?:not|no|never|none|without|nobody|nothing)\b|n't\b", re.IGNORECASE)


@dataclass
class Heard:
    """The lessons that a night may weigh, in the order in which they were said, who said each (by its session), and
    what was set aside, by reason."""

    lessons: list[Lesson]
    users: dict[str, str]
    set_aside: Counter[str] = field(default_factory=Counter)

    def user(self, lesson: Lesson) -> str:
        return self.users.get(lesson.session_id, "")


def heard(sessions: Sequence[Session]) -> Heard:
    """What the users of these sessions say in their own words, each thing once a user."""
    ids = [session.id for session in sessions]  # of what was said, whatever is left out below
    result = Heard([], {id: session.user for id, session in zip(ids, sessions, strict=True)})
    statements: list[Lesson] = []
    known: set[tuple[str, tuple[str, ...]]] = set()
    for id, session in reversed(list(zip(ids, sessions, strict=True))):  # the newest of equals is kept
        own, left_out = own_words(session)
        said = [replace(each, session_id=id) for each in lessons_of.statements([own])]
        mark = (session.user, tuple(word for each in said for word in _words(each.text)))
        if said and mark in known:
            result.set_aside[REPEATED] += len(said)
            continue
        known.add(mark)
        result.set_aside[QUOTED] += left_out
        safe = [each for each in said if not confidential.find(each.text)]
        result.set_aside[SECRET] += len(said) - len(safe)
        lasting = [each for each in safe if not _ONCE.search(each.text)]
        result.set_aside[EXCEPTION] += len(safe) - len(lasting)
        statements += reversed(lasting)
    statements.reverse()
    for user in sorted({result.user(each) for each in statements}):
        mine = [each for each in statements if result.user(each) == user]
        result.lessons += _cut_back(_once(mine, result.set_aside), result.set_aside)
    place = {id: number for number, id in enumerate(ids)}
    result.lessons.sort(key=lambda each: (place[each.session_id], each.turn))  # sentences of a turn stay in order
    result.set_aside = +result.set_aside
    return result


def choose(weighed: Sequence[Span], limit: int, heard: Heard) -> list[Span]:
    """`spans.choose`, of what several users say in the same words the newest alone, in which none of them has more than
    a share."""
    place = {lesson.id: number for number, lesson in enumerate(heard.lessons)}
    said = sorted({span.lesson for span in weighed}, key=lambda lesson: place[lesson.id])
    newest = {lesson.id for lesson in lessons_of.newest(said)}
    weighed = [span for span in weighed if span.lesson.id in newest]
    users = {heard.user(span.lesson) for span in weighed}
    if len(users) < 2:
        return spans_of.choose(weighed, limit)
    most = math.ceil(limit * max(LEAST_SHARE, FAIR_SHARE / len(users)))
    chosen = spans_of.choose(weighed, limit, lambda span: heard.user(span.lesson), most)
    kept = set(map(id, chosen))
    beyond = sum(id(span) not in kept for span in spans_of.choose(weighed, limit))
    heard.set_aside += Counter({SHARE: beyond})
    return chosen


def own_words(session: Session) -> tuple[Session, int]:
    """The session with nothing in its user's turns but the user's own words, and how many statements that left out:
    quoted lines, blocks in fences or in the tags of a tool's response, and sentences that a tool returned before."""
    turns, returned, left_out = [], "", 0
    for turn in session.turns:
        if turn.role == "tool":
            returned += f" {' '.join(_words(_plain(turn.content)))} "
        if turn.role == "user" and turn.content:
            own = "\n".join(_own_lines(turn.content, returned))
            left_out += max(0, _count(turn.content) - _count(own))
            turn = replace(turn, content=own)
        turns.append(turn)
    return replace(session, turns=tuple(turns)), left_out


def _own_lines(text: str, returned: str) -> Iterator[str]:
    fenced = False
    for line in _TAGGED.sub("", text).splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and not line.lstrip().startswith(">"):
            kept = [each for each in lessons_of.sentences(line) if not _is_returned(each, returned)]
            # A line that loses nothing stays as it was written.
            yield line if len(kept) == len(lessons_of.sentences(line)) else " ".join(kept)


def _is_returned(sentence: str, returned: str) -> bool:
    """Whether nearly all of it stands in a tool's words, a run of several at a time."""
    words = _words(sentence)
    found: set[int] = set()
    for start in range(len(words) - QUOTED_WORDS + 1) if returned else ():
        if f" {' '.join(words[start : start + QUOTED_WORDS])} " in returned:
            found.update(range(start, start + QUOTED_WORDS))
    return bool(found) and len(found) >= QUOTED_PART * len(words)


def _plain(text: str) -> str:
    """A tool's words out of its JSON, where it is that."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return re.sub(r"\\[nrt\"]", " ", text)
    return " ".join(_texts(value))


def _texts(value: Any) -> Iterator[str]:
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            left += list(each.values())[::-1]
        elif isinstance(each, list):
            left += each[::-1]
        elif each is not None:
            yield str(each)


def _count(text: str) -> int:
    return sum(len(each.split()) >= lessons_of.MIN_WORDS for each in lessons_of.sentences(text))


def _once(said: Sequence[Lesson], aside: Counter[str]) -> list[Lesson]:
    """One user's statements without those that another says as well, in as many words or a few more."""
    tokens = [(_telling(each.text), frozenset(_content(each.text))) for each in said]
    frequent = Counter(word for _, words in tokens for word in words)
    having: defaultdict[tuple[frozenset[str], str], list[int]] = defaultdict(list)
    for number, (telling, words) in enumerate(tokens):
        for word in words:
            having[telling, word].append(number)
    kept: list[Lesson] = []
    for number, (telling, words) in enumerate(tokens):
        rarest = min(words, key=lambda word: (frequent[word], word), default="")
        others = having[telling, rarest] if words else ()
        if any(_says_again(number, words, other, tokens[other][1]) for other in others):
            aside[AGAIN] += 1
        else:
            kept.append(said[number])
    return kept


def _says_again(number: int, words: frozenset[str], other: int, more: frozenset[str]) -> bool:
    """Whether the `other` statement says all that this one does: the later of equals, the fuller of two."""
    if words == more:
        return other > number
    return words < more and len(more) - len(words) <= min(MORE_WORDS, len(words) / 2)


def _cut_back(said: Sequence[Lesson], aside: Counter[str]) -> list[Lesson]:
    """The newest few of those that differ in their numbers only."""
    shapes = [tuple("#" if _is_number(word) else word for word in _words(each.text)) for each in said]
    later: Counter[tuple[str, ...]] = Counter()
    kept: list[Lesson] = []
    for shape, each in zip(reversed(shapes), reversed(said), strict=True):
        later[shape] += 1
        if "#" in shape and later[shape] > PATTERN_MOST:
            aside[PATTERN] += 1
        else:
            kept.append(each)
    return kept[::-1]


def _telling(text: str) -> frozenset[str]:
    """What makes a statement another one: numbers, names inside it, whether it denies and whether it asks."""
    found = WORD.findall(text)
    telling = {word.lower() for word in found if _is_number(word)}
    telling |= {word.lower() for word in found[1:] if word[0].isupper() and not is_function_word(word)}
    return frozenset(
        telling | {mark for mark, is_there in (("not", _NOT.search(text)), ("?", "?" in text)) if is_there}
    )


def _is_number(word: str) -> bool:
    return any(map(str.isdigit, word)) or word.lower() in NUMBER_WORDS


def _words(text: str) -> list[str]:
    return [word.casefold() for word in WORD.findall(lessons_of.plain(text))]


def _content(text: str) -> list[str]:
    return [word.casefold() for word in content(lessons_of.plain(text))]
