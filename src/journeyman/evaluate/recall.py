"""Recall: how many of some questions an adapter answers with its book closed, compared with what others answer.

Always holds: every adapter is asked the same questions, greedily; what is told of them are counts.

Knows situations and adapters' names, not where either came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from journeyman.evaluate.questions import is_correct
from journeyman.evaluate.statistics import exact_mcnemar
from journeyman.records import Situation

if TYPE_CHECKING:
    from journeyman.model import Engine

REPLY_TOKENS = 24


def recalled(engine: Engine, asked: Sequence[Situation], adapter: str | None) -> list[bool]:
    """Of each question: whether the reply holds the evidence."""
    prompts = [engine.chat([{"role": "user", "content": each.prompt}]) for each in asked]
    with engine.using(adapter):
        replies = engine.generate(prompts, max_new_tokens=REPLY_TOKENS)
    return [is_correct(engine.decode(ids), [each.evidence]) for ids, each in zip(replies, asked, strict=True)]


def above(base: Sequence[bool], adapter: Sequence[bool]) -> dict[str, Any]:
    """How many questions either answers that the other does not, and the p of "the adapter recalls no more than the
    base" (McNemar, exact): small means that something is left."""
    more = sum(after and not before for before, after in zip(base, adapter, strict=True))
    less = sum(before and not after for before, after in zip(base, adapter, strict=True))
    return {"more_than_base": more, "less_than_base": less, "p_above_base": exact_mcnemar(more, less)}
