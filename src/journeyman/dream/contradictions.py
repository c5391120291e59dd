"""Contradictions: statements of one tenant's users that answer the same question with different values.

Found by form: two sentences about a property ("the office is in ...", "my name is ...") that are the same but for the
span, in their words or in their content words, or that say where, when or what the same thing is. Between two users
neither is learned, and both are reported; what one user says later takes the place of what he or she said before.

Always holds: nobody's word is weighed against another's; what was learned on an earlier night is not taken back because
another user contradicts it, who is reported, and not learned; it is named as changed where its own user says otherwise.

Knows forms of English sentences; contradictions in other words pass, and so do some that are none ("my name is ...", of
two users, asks for the same thing of one set of weights).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

from journeyman.dream import english, profile
from journeyman.dream.sources import Heard
from journeyman.dream.spans import Span
from journeyman.dream.words import WORD, content

CONTRADICTED = "users contradict each other"
CHANGED = "the same user says otherwise later"
_GAP = "_gap_"
_PROPERTY = re.compile(
    r"\b(?:my|our|the|his|her|their|your)\b(?P<of>[^.!?]*?)(?:\b(?:is|are|was|were|costs?|lasts?|takes?|opens?|closes?"
    r"|starts?|ends?|leaves?|lives?|works?|has|have|means)\b|'s\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Contradiction:
    """`asked`: what is answered differently, `said`: the spans, `earlier`: those of them that other nights learned."""

    asked: str
    said: tuple[Span, ...]
    earlier: tuple[Span, ...]

    def to_json(self, heard: Heard) -> dict[str, Any]:
        return {
            "asked": self.asked,
            "said": [
                {
                    "user": heard.user(span.lesson),
                    "value": span.text,
                    "session": span.lesson.session_id,
                    "lesson": span.lesson.id,
                    "earlier": span in self.earlier,
                }
                for span in (*self.earlier, *self.said)
            ],
        }


class Settled(NamedTuple):
    """standing: the spans that nothing speaks against, in the order in which they came; contradictions: between users;
    changed: of facts that were learned earlier, in pairs, each with the newest that the same user says in its place."""

    standing: list[Span]
    contradictions: list[Contradiction]
    changed: list[tuple[Span, Span]]


def settle(weighed: Sequence[Span], heard: Heard, earlier: Sequence[Span] = ()) -> Settled:
    """What stands of these spans; what was set aside is added to the counts of `heard`. `earlier`: facts that the
    adapter at the round's start has learned, those of the first night first."""
    place = {lesson.id: number for number, lesson in enumerate(heard.lessons)}
    asked: defaultdict[Hashable, list[Span]] = defaultdict(list)
    for span in [*earlier, *sorted(weighed, key=lambda span: (place[span.lesson.id], span.start))]:
        for question in _asked(span):
            asked[question].append(span)
    old, out = set(map(id, earlier)), dict[int, str]()
    found: dict[frozenset[int], Contradiction] = {}
    changed: dict[int, tuple[Span, Span]] = {}
    back: set[int] = set()
    for spans in asked.values():
        newest: dict[str, list[Span]] = {}
        replaced: defaultdict[str, list[Span]] = defaultdict(list)
        for span in spans:  # what a user says last holds, with all that says the same
            user = heard.user(span.lesson)
            mine = newest.get(user, [])
            if mine and not _agree(mine[-1], span):
                out |= {id(each): CHANGED for each in mine if id(each) not in old}
                replaced[user] += [each for each in mine if id(each) in old]
                mine = []
            newest[user] = [*mine, span]
        for user, mine in replaced.items():
            changed |= {id(each): (each, newest[user][-1]) for each in mine}
            # Who has come back to what he or she said first has not changed it.
            back |= {id(each) for each in mine if _agree(each, newest[user][-1])}
        standing = [span for mine in newest.values() for span in mine]
        if all(_agree(one, other) for one, other in combinations(standing, 2)):
            continue
        tonight = [span for span in standing if id(span) not in old]
        out |= {id(span): CONTRADICTED for span in tonight}
        values = frozenset(map(id, standing))
        if tonight and not any(values <= other for other in found):
            known = tuple(span for span in standing if id(span) in old)
            found[values] = Contradiction(_frame(standing[0]), tuple(tonight), known)
    gone = [span for span in weighed if id(span) in out]
    heard.set_aside += Counter(out.values())
    standing = [span for span in weighed if not any(_overlap(span, each) for each in gone)]
    return Settled(standing, list(found.values()), [pair for was, pair in changed.items() if was not in back])


def _asked(span: Span) -> Iterator[Hashable]:
    """What names the question that a span answers: two spans with one of these in common answer the same."""
    for question in profile.questions(span):
        yield "asked", question
    text, around = span.lesson.text, english.key_words(span)[1]
    form = _PROPERTY.search(text[: span.start])
    if not form or len(around) < (2 if span.kind == "chunk" else 1):
        return
    yield "frame", _frame(span).casefold()
    yield "words", english.asking(span).casefold(), _folded(around)
    between = WORD.findall(text[form.end() : span.start])
    if span.kind != "chunk" and all(word.islower() for word in between):  # no other name or number has come before
        # The same of the same: "our office is (located) in", "the office is in".
        before = (between or [form[0].split()[-1]])[-1].casefold()
        yield "of", _folded(content(form["of"])), before, span.kind, _folded(content(text[span.end :]))


def _folded(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(word.casefold() for word in words))


def _frame(span: Span) -> str:
    text = span.lesson.text
    return " ".join(WORD.findall(f"{text[: span.start]} {_GAP} {text[span.end :]}")).replace(_GAP, "…")


def _agree(one: Span, other: Span) -> bool:
    """Whether both can be so: they are of one statement, or one value holds the other."""
    return (
        one.lesson.id == other.lesson.id or english.holds(one.text, other.text) or english.holds(other.text, one.text)
    )


def _overlap(one: Span, other: Span) -> bool:
    return one.lesson.id == other.lesson.id and one.start < other.end and other.start < one.end
