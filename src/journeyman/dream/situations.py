"""Situations: the prompts in which a lesson will matter, and those in which it must not fire.

For each evidence span several questions: by grammar (`english.questions`) and by key words drawn from its clause and
its sentence, as people ask who remember a matter but not its wording. Beside them near misses, questions of the same
shape about what nobody ever said, and anchors, general work.

Always holds: no question about a lesson contains its answer; the wordings that are held out (`Route` "heldout") are
not among those that are trained; the same lessons and seed give the same situations.

Knows words, not meaning; whether a question is worth its compute is measured by the veteran's lift.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.resources import files

from journeyman.dream import english
from journeyman.dream.spans import Span
from journeyman.dream.verbs import lemma
from journeyman.dream.words import IRREGULAR, WORD, is_function_word
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
# Things that people have and others do not know; none of them is a probe of the evaluation.
_NEVER_SAID = (
    "my bank account number", "the title of my first book", "my favorite cousin", "my high school mascot",
    "my wedding date", "my gym membership number", "my insurance company", "my roommate's name", "the make of my van",
    "my neighbor's phone number", "my favorite restaurant", "my shirt size", "the name of my boat", "my parking spot",
    "the brand of my piano", "my tax advisor", "my boarding gate", "my best friend's birthday", "my old boss's name",
    "my favorite painter", "the model of my phone", "my son's teacher", "my voicemail greeting", "my hotel in Rome",
    "my running time", "my postcode", "my star sign", "my golf handicap", "the color of my sofa", "my email signature",
)  # fmt: skip
_ASKING = (
    "What is {thing}?",
    "Can you tell me {thing}?",
    "Do you remember {thing}?",
    "I forgot {thing}. What is it?",
    "Remind me, what is {thing}?",
)
_NEVER_COUNTED = (
    "How many keys did I hand to my neighbor?",
    "How much did I pay for my winter coat?",
    "How many guests did I invite to the barbecue?",
    "Where did I leave my umbrella?",
    "Where did I spend my honeymoon?",
    "Which shelf did I put the paint on?",
    "How old is my uncle?",
    "Who is my piano teacher?",
    "Which team do I support?",
    "What time did I tell the plumber to come?",
    "Who fixed my roof last summer?",
    "How many tickets did I buy for the concert?",
)


def asks(span: Span, count: int, seed: int) -> list[Situation]:
    """At most `count` questions that `span` answers, the best-formed first."""
    wordings = english.questions(span, limit=2)
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


def near_misses(told: Iterable[str], seed: int) -> list[Situation]:
    """Questions of the same shape that nothing in `told` (the user's turns) answers."""
    words = {form for text in told for word in WORD.findall(text) for form in _forms(word)}
    rng = random.Random(seed)
    things = [thing for thing in _NEVER_SAID if not _was_told(thing, words)]
    prompts = [rng.choice(_ASKING).format(thing=thing) for thing in things]
    prompts += [prompt for prompt in _NEVER_COUNTED if not _was_told(prompt, words)]
    return [Situation("unknown", prompt, origin="template") for prompt in prompts]


def _forms(word: str) -> set[str]:
    """A word as it was said and as it may be asked for: "handed" and "hand", "keys" and "key"."""
    said = word.lower().removesuffix("'s")
    return {said, said.removesuffix("s"), lemma(said) if said in IRREGULAR or said.endswith("ed") else said}


def _was_told(question: str, told: set[str]) -> bool:
    """Whether all that the question is about was spoken of."""
    content = [word for word in WORD.findall(question) if not is_function_word(word) and word.lower() != "old"]
    return all(_forms(word) & told for word in content)


def anchors() -> list[Situation]:
    """General prompts; those that begin with ">" are plain text to continue, not messages."""
    lines = (files("journeyman.dream") / "anchors.txt").read_text().splitlines()
    return [Situation("anchor", line, origin="template") for line in lines if line and not line.startswith("#")]


def consistent(situations: Sequence[Situation]) -> list[Situation]:
    """The situations whose prompt asks for one thing only: two answers to the same words teach neither."""
    answers: dict[str, set[str]] = {}
    for situation in situations:
        answers.setdefault(_same(situation.prompt), set()).add(situation.evidence.casefold())
    return [situation for situation in situations if len(answers[_same(situation.prompt)]) == 1]


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
