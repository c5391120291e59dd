"""At which night an answer changed, found in the line of an adapter by halving it.

Always holds: what is named as a change was seen on both sides of it, in adapters that follow each other; between two
adapters that answer alike nothing is looked for unless all are asked, and what was not asked is said to be so.

Knows answers and lineages; influence is `why`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from journeyman.evaluate.questions import fold, is_correct
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.origins.changes import Asked, Step, steps, words_of
from journeyman.records import AdapterRecord
from journeyman.store import Store

Output = dict[str, Any]
LESSONS = 5  # named of a night


def turning_points(answer: Callable[[int], Hashable], first: int, last: int) -> list[int]:
    """Places in (first, last] at which `answer` differs from the one before, at least one if the ends differ.

    About log2 of their distance are asked for one change. An interval whose ends agree is left alone: an answer that
    came and went within it is not found.
    """
    if first == last or answer(first) == answer(last):
        return []
    if last - first == 1:
        return [last]
    middle = (first + last) // 2
    return turning_points(answer, first, middle) + turning_points(answer, middle, last)


def bisect(
    store: Store,
    engine: TransformersEngine,
    record: AdapterRecord,
    question: str,
    expect: str = "",
    every: bool = False,
) -> Output:
    """Where in the line down to the base the answer, or (`expect`) whether it holds these words, changed. Plain JSON:

    question, expect; line: oldest first, the base as adapter "" {adapter, night, at, here, answer (None: not asked)};
    ends_differ; asked: how many were; changes: [{night, adapter, at, before, after, passed (nights whose adapters are
    gone, between the two), erased, lessons: [{text, session, turn, receipts, night, taught (the night that read the
    session: an earlier one where `night` repeated the lesson), holds_answer, in_common}]}].
    """
    line, asked = steps(store, record), Asked(store, engine, question)
    here: list[Step | None] = [None, *(each for each in line if each.here)]  # None: the base

    def name(place: int) -> str:
        step = here[place]
        return step.adapter if step else ""

    def answer(place: int) -> Hashable:
        text = asked.text(name(place))
        return is_correct(text, [expect]) if expect else tuple(fold(text))

    last = len(here) - 1
    if every:
        changed = [place for place in range(1, last + 1) if answer(place) != answer(place - 1)]
    else:
        changed = turning_points(answer, 0, last)
    ends_differ = answer(0) != answer(last)
    known = {name(place): asked.text(name(place)) for place in range(last + 1) if asked.was_asked(name(place))}
    return {
        "question": question,
        "expect": expect or None,
        "line": [
            {"adapter": "", "night": None, "at": None, "here": True, "answer": known.get("")},
            *(
                {
                    **{"adapter": each.adapter, "night": each.making.night, "at": each.at, "here": each.here},
                    "answer": known.get(each.adapter),
                }
                for each in line
            ),
        ],
        "ends_differ": ends_differ,
        "asked": len(known),
        "changes": [_change(line, here, place, known, question) for place in changed],
    }


def _change(line: list[Step], here: list[Step | None], place: int, known: dict[str, str], question: str) -> Output:
    before, step = here[place - 1], here[place]
    assert step is not None  # the base changes nothing
    between = line[line.index(before) + 1 if before else 0 : line.index(step)]
    after = known[step.adapter]
    return {
        "night": step.making.night,
        "adapter": step.adapter,
        "at": step.at,
        "before": known[before.adapter if before else ""],
        "after": after,
        "passed": [each.making.night for each in between],
        "erased": step.erased,
        "lessons": [found for each in (*between, step) for found in _matching(each, question, after)][:LESSONS],
    }


def _matching(step: Step, question: str, answer: str) -> list[Output]:
    """The lessons of a night that hold the answer or words of it and of the question, the most first."""
    words = words_of(question) | words_of(answer)
    found: list[tuple[bool, int, Output]] = []
    for learned in step.learned:
        lesson = learned.lesson
        holds = any(is_correct(answer, [each.evidence]) for each in learned.situations)
        common = words & words_of(lesson.text)
        if holds or common:
            said = {
                "text": lesson.text,
                "session": lesson.session_id,
                "turn": lesson.turn,
                "receipts": list(learned.receipts),
                "night": step.making.night,
                "taught": learned.taught,
                "holds_answer": holds,
                "in_common": sorted(common),
            }
            found.append((holds, len(common), said))
    return [said for *_, said in sorted(found, key=lambda each: (not each[0], -each[1]))]
