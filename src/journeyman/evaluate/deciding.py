"""Decisions, taken by a candidate and by who it has to beat: does it make the very call that was right?

Always holds: all are asked with the same prompts as by day, greedily, and under the same grammar where a call had to
be made; a call is right if its tool and all of its arguments are.

Knows conversations and adapters' names; nothing of who said what is right.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from journeyman.evaluate.evidence import shares
from journeyman.learn.acting import Talk, spoken, understood
from journeyman.learn.calling import ROOM, made
from journeyman.model import grammar
from journeyman.model.continuous import ContinuousBatch, End, Request, Token
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.world.actions import Action, Call


class Case(NamedTuple):
    """`must`: by day a call had to be made."""

    talk: Talk
    right: Call
    must: bool


def measured(
    engine: TransformersEngine, cases: Sequence[Case], candidate: str | None, champion: str | None
) -> dict[str, Any]:
    """For each case whether `candidate`, `champion` (None: the base) and the base make the call, and what they do."""
    tokens = engine.tokens
    asked = list(dict.fromkeys((candidate, champion, None)))
    found = dict(zip(asked, _taken(engine, cases, asked), strict=True))
    right = {
        who: [action == case.right for action, case in zip(actions, cases, strict=True)]
        for who, actions in found.items()
    }
    items = [
        {
            "asked": case.talk.messages[-1].get("content") or "",
            "right": case.right.text,
            "before": found[champion][number].text,
            "after": found[candidate][number].text,
            "right_before": right[champion][number],
            "right_after": right[candidate][number],
        }
        for number, case in enumerate(cases)
    ]
    return {
        **shares(right[champion], right[candidate]),
        "right_before": right[champion],
        "right_base": right[None],
        "right_after": right[candidate],
        "items": items,
        "tokens": engine.tokens - tokens,
    }


def _taken(engine: TransformersEngine, cases: Sequence[Case], adapters: Sequence[str | None]) -> list[list[Action]]:
    """What each adapter does in each case; all in one batch. What the base did before it is not asked again."""
    batch = ContinuousBatch(engine)
    vocabulary = engine.model.config.get_text_config().vocab_size
    grammars = grammar.Grammars(copy.deepcopy(engine.tokenizer), vocabulary, engine.end_ids)
    pairs = [made(engine, case.talk, case.right) for case in cases]
    most = max(len(reply) for _, reply in pairs) + ROOM
    failed: list[Exception] = []
    new: dict[tuple[Any, ...], list[int]] = {}

    def said(case: Case, prompt: Sequence[int], adapter: str | None) -> list[int]:
        """The tokens of the reply, which come as the batch is worked through."""
        rules = grammar.of_call([each["function"] for each in case.talk.tools]) if case.must else ""
        what = ("call", tuple(prompt), rules, most)
        if adapter is None and what in engine.known:
            return engine.known[what]
        heard: list[int] = []

        def hear(token: Token, end: End) -> bool:
            heard.append(token.id)
            return not end

        follows = grammars.begin(rules) if rules else None
        batch.add(Request(prompt, hear, most, adapter, fail=failed.append, grammar=follows))
        if adapter is None:
            new[what] = heard
        return heard

    replies = [
        [said(case, prompt, adapter) for case, (prompt, _) in zip(cases, pairs, strict=True)] for adapter in adapters
    ]
    while not batch.idle:
        batch.step()
    if failed:
        raise failed[0]
    for what, reply in new.items():
        engine.known[what] = reply
    return [[understood(spoken(engine, reply)) for reply in each] for each in replies]
