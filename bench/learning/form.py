"""A correction of form: how one business wants its guests to be answered.

A guest asks, the assistant answers in its own manner, and is told the house's form; the corrected reply follows. The
rule applies to guests' questions and to nothing else.

Always holds: a program decides whether a reply has the form; probes ask about things that no case asks about.
"""

from __future__ import annotations

import re
from pathlib import Path

from work import Case, Probe, Shard, Work

from journeyman.model.transformers_engine import TransformersEngine

BEGINS, ENDS = "Dear guest,", "Yours, Ada."
RULE = f"We answer guests in this form: '{BEGINS} ... {ENDS}' Please say it again."
# Replies that were corrected before: the lesson, as turns before the question. Told as a rule, a model of 135M
# parameters does not follow it.
CORRECTED = (
    ("Where is the lift?", "the lift is next to the front desk."),
    ("Is there tea in the room?", "there is tea in every room."),
    ("When is the bus?", "the bus leaves every hour."),
)
ASKS = (
    "What time does the {} open?",
    "Where is the {}?",
    "Is the {} free for guests?",
    "Do I have to book the {}?",
    "Can my children use the {}?",
    "Who can show me the {}?",
)
THINGS = (
    "pool", "gym", "bar", "restaurant", "spa", "sauna", "roof terrace", "library", "car park", "laundry", "garden",
    "breakfast room",
)  # fmt: skip
HELD: dict[Shard, tuple[str, ...]] = {
    "select": ("tennis court", "business centre", "play room", "ski room", "wine cellar", "bicycle store"),
    "report": ("steam bath", "coffee lounge", "ballroom", "massage room", "reading corner", "pharmacy"),
}
OTHER = (
    "Write a title for a poem about {}.", "What is the plural of '{}'?", "Spell the word '{}'.",
    "Give me a word that rhymes with '{}'.",
)  # fmt: skip
WORDS = ("sea", "stone", "light", "tree", "house", "mouse", "cloud", "road")
REPLY_TOKENS = 32


def build(engine: TransformersEngine, data: Path, shard: Shard) -> Work:  # noqa: ARG001
    def asked(question: str, form: str) -> list[int]:
        before = [
            {"role": role, "content": text}
            for ask, said in CORRECTED
            for role, text in (("user", ask), ("assistant", form.format(said)))
        ]
        return engine.chat([*before, {"role": "user", "content": question}])

    lesson, no_lesson = f"{BEGINS} {{}} {ENDS}", "{}"
    questions = [ask.format(thing) for thing in THINGS for ask in ASKS]
    prompts = [engine.user(question) for question in questions]
    own = [engine.decode(ids) for ids in engine.generate(prompts, max_new_tokens=REPLY_TOKENS)]
    cases: list[Case] = []
    transcripts: list[tuple[list[int], list[int]]] = []
    for question, prompt, reply in zip(questions, prompts, own, strict=True):
        sentence = re.split(r"(?<=[.!?])\s", reply.strip())[0]
        corrected = f"{BEGINS} {sentence[:1].lower()}{sentence[1:]} {ENDS}"
        proven = [*engine.encode(corrected), engine.end_id]
        cases.append(Case(prompt, asked(question, lesson), asked(question, no_lesson), proven, has_form))
        later = engine.chat(
            [
                {"role": "user", "content": question},
                {"role": "assistant", "content": reply},
                {"role": "user", "content": RULE},
            ]
        )
        transcripts += [(prompt, [*engine.encode(reply), engine.end_id]), (later, proven)]
    probes = [
        Probe(engine.user(question), asked(question, lesson), _is_right, thing)
        for thing in HELD[shard]
        for question in [ask.format(thing) for ask in ASKS]
    ]
    outside = [
        Probe(engine.user(text), asked(text, lesson), _fires)
        for text in (ask.format(word) for word in WORDS for ask in OTHER)
    ]
    return Work("form", cases, transcripts, probes, outside, REPLY_TOKENS)


def has_form(reply: str) -> float:
    """Half for how it begins and half for how it ends."""
    said = reply.strip()
    return 0.5 * said.startswith(BEGINS) + 0.5 * said.endswith(ENDS)


def _is_right(reply: str) -> bool:
    return has_form(reply) == 1.0 and len(reply.strip()) > len(BEGINS) + len(ENDS) + 2


def _fires(reply: str) -> bool:
    return has_form(reply) > 0.0
