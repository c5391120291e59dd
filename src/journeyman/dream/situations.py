"""Situations: the prompts in which a lesson will matter, and the anchors, general work that must stay as it is.

For each evidence span several questions: by grammar (`english.questions`) and by key words drawn from its clause and
its sentence, as people ask who remember a matter but not its wording.

Always holds: no question about a lesson contains its answer; the wordings that are held out are not among
those that are trained; the same lessons and seed give the same situations.

Knows words, not meaning; whether a question is worth its compute is measured by the veteran's lift.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files

from journeyman.dream import english, profile
from journeyman.dream.spans import Span
from journeyman.dream.words import WORD
from journeyman.records import Situation

_BY_KEY_WORDS = (
    "{Ask} {keys}?",
    "{Ask} was the {keys}?",
    "{Ask} is my {keys}?",
    "{Ask} were {keys}?",
    "{Ask} did I say about the {keys}?",
    "{Ask} about {keys}?",
    "{Ask} do I have for {keys}?",
    "My {keys}: {ask}?",
    "The {keys}, {ask}?",
    "I forgot, {ask} {keys}?",
    "Remind me, {ask} with the {keys}?",
)


def asks(span: Span, count: int, seed: int) -> list[Situation]:
    """At most `count` questions that `span` answers, the best-formed first."""
    # What everybody is asked for gets all the wordings that it has.
    wordings = [*profile.questions(span)] or english.questions(span, limit=2)
    rng = random.Random(f"{seed}:{span.lesson.id}:{span.start}")
    ask = english.asking(span)
    near, far = english.key_words(span)
    for _ in range(8 * count):
        if len(wordings) >= count or not far:
            break
        pool = near if near and rng.random() < 0.6 else far
        places = sorted(rng.sample(range(len(pool)), min(len(pool), rng.randint(2, 5))))
        words = [pool[place] for place in places]
        if rng.random() < 0.3:
            rng.shuffle(words)
        wording = rng.choice(_BY_KEY_WORDS).format(Ask=ask[:1].upper() + ask[1:], ask=ask, keys=" ".join(words))
        if wording not in wordings:
            wordings.append(wording)
    return [Situation("ask", wording, span.lesson.id, span.text, "template") for wording in wordings[:count]]


def anchors() -> list[Situation]:
    """General prompts; those that begin with ">" are plain text to continue, not messages."""
    lines = (files("journeyman.dream") / "anchors.txt").read_text().splitlines()
    return [Situation("anchor", line, origin="template") for line in lines if line and not line.startswith("#")]


def consistent(situations: Sequence[Situation]) -> list[Situation]:
    """The situations whose prompt asks for one thing only: two answers to the same words teach neither."""
    answers: dict[str, set[str]] = {}
    for situation in situations:
        answers.setdefault(_same(situation.prompt), set()).add(situation.evidence)
    return [situation for situation in situations if _one_answer(answers[_same(situation.prompt)])]


def _one_answer(evidences: set[str]) -> bool:
    """Whether the longest holds all others: "Ann" and "Ann Lee" are one."""
    longest = max(evidences, key=len)
    return all(english.holds(longest, evidence) for evidence in evidences)


def hold_out(situations: Sequence[Situation], share: float, seed: int) -> set[str]:
    """Ids of the wordings to keep for the evaluation: one each for a share of the lessons that have three or more.

    A wording that several lessons are asked by is never held out, since training on one of them would teach the others;
    nor is one that the user really brought, which is worth most in training.
    """
    times = Counter(_same(situation.prompt) for situation in situations)
    alone: dict[str, list[str]] = {}
    mine = Counter(situation.lesson_id for situation in situations)
    for situation in situations:
        if situation.origin != "user" and times[_same(situation.prompt)] == 1 and mine[situation.lesson_id] >= 3:
            alone.setdefault(situation.lesson_id, []).append(situation.id)
    lessons = sorted(alone)
    random.Random(seed).shuffle(lessons)
    return {alone[lesson][0] for lesson in lessons[: round(share * len(lessons))]}


def _same(prompt: str) -> str:
    """What two wordings have in common that differ in case and punctuation only."""
    return " ".join(WORD.findall(prompt.casefold()))
