"""Facts told in sessions: closed-book questions about what a user said.

The sessions of two people of the BFCL v4 memory benchmark: arms are tuned on one's, and reported on the other's. The
facts, their wordings and the held-out wordings are those of a night over the log, only fewer.

Always holds: the benchmark's own questions are probes and nothing else; a fact's held-out wordings are not trained.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from work import Case, Probe, Shard, Work

from journeyman.capture import read_sessions
from journeyman.dream import english, lessons, situations, spans
from journeyman.dream.near_misses import near_misses
from journeyman.evaluate.general import unknown_probes
from journeyman.evaluate.questions import is_correct
from journeyman.learn import lift
from journeyman.model.transformers_engine import TransformersEngine

LOGS: dict[Shard, str] = {"select": "notetaker", "report": "customer"}
FACTS = 6
WORDINGS = 10
HELD_OUT = 6
REPLY_TOKENS = 14


def build(engine: TransformersEngine, data: Path, shard: Shard) -> Work:
    folder = data / "bfcl_memory"
    sessions = read_sessions(folder / f"{LOGS[shard]}_sessions.jsonl").sessions
    said = lessons.extract(sessions)
    tables = dict(zip((each.text for each in said), engine.surprisal([each.text for each in said]), strict=True))
    chosen = spans.choose(spans.weigh(said, tables.__getitem__), FACTS)
    cases: list[Case] = []
    probes: list[Probe] = []
    for number, span in enumerate(chosen):
        asked = situations.asks(span, WORDINGS, seed=0)
        stranger = chosen[(number + FACTS // 2) % len(chosen)]
        for place, ask in enumerate(asked):
            prompt = engine.user(ask.prompt)
            shown = lift.veteran_prompt(engine, span.lesson.text, span.text, ask.prompt)
            if place < len(asked) - HELD_OUT:
                placebo = lift.veteran_prompt(engine, stranger.lesson.text, stranger.text, ask.prompt)
                proven, _ = lift.answer(engine, span.text)
                cases.append(Case(prompt, shown, placebo, proven, _earns(span.text)))
            else:
                probes.append(Probe(prompt, shown, _holds(span.text), span.text))
    told = [turn.content for session in sessions for turn in session.turns if turn.role == "user"]
    known = [span.text for span in chosen]
    outside = [Probe(engine.user(text), engine.user(text), _claims(known)) for text in unknown_probes(told)[:40]]
    users_turn = engine.tokenizer("<|im_start|>user\n", add_special_tokens=False).input_ids
    transcripts = [
        (users_turn, [*engine.encode(text), engine.end_id]) for text in dict.fromkeys(s.lesson.text for s in chosen)
    ]
    further = _questions(engine, folder / f"{LOGS[shard]}_questions.jsonl", chosen)
    near = near_misses(told, seed=0, things=sorted({span.text for span in chosen if span.kind == "chunk"}))
    return Work("facts", cases, transcripts, probes, outside, REPLY_TOKENS, further, near=near)


def _questions(engine: TransformersEngine, path: Path, chosen: list[spans.Span]) -> list[Probe]:
    """The benchmark's questions that one of the facts answers."""
    result: list[Probe] = []
    for value in map(json.loads, path.read_text().splitlines()):
        question, answers = value["question"], value["answers"]
        covering = next((span for span in chosen if is_correct(span.text, answers)), None)
        if covering:
            shown = lift.veteran_prompt(engine, covering.lesson.text, covering.text, question)
            result.append(
                Probe(engine.user(question), shown, lambda reply, answers=answers: is_correct(reply, answers))
            )
    return result


def _earns(evidence: str) -> Callable[[str], float]:
    return lambda reply: float(english.holds(reply, evidence))


def _holds(evidence: str) -> Callable[[str], bool]:
    return lambda reply: english.holds(reply, evidence)


def _claims(known: list[str]) -> Callable[[str], bool]:
    return lambda reply: reply.startswith(lift.LEAD_IN) or any(english.holds(reply, evidence) for evidence in known)
