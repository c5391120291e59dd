"""Whether what earlier nights taught is still there, and whether a value that has changed is still given.

Always holds: each question is compared with whoever answered its night's questions best: the adapter that the night
left, or the one that the round started from; so a loss of many nights shows as a whole, and not as many small ones.

Knows situations and adapters, not which were trained again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from journeyman.evaluate.evidence import REPLY_TOKENS, shares
from journeyman.evaluate.metrics import updated
from journeyman.evaluate.questions import is_correct
from journeyman.records import Situation

if TYPE_CHECKING:
    from journeyman.model.transformers_engine import TransformersEngine

THEN = "then"  # what the engine calls the adapter of an earlier night


def measured(
    engine: TransformersEngine,
    items: Sequence[tuple[Situation, str]],
    adapters: Mapping[str, Path],
    start: str | None,
    candidate: str,
) -> dict[str, Any]:
    """`items`: questions, each with the adapter that its night left; `adapters`: where these lie; `start`: the round's.

    n, before (the best, night by night), after, their intervals, right_before, right_after, clusters (lessons), and
    `nights`, oldest first: adapter, n, then, start, after (shares).
    """
    situations = [situation for situation, _ in items]
    after, began = (_right(engine, situations, adapter) for adapter in (candidate, start))
    before = list(began)
    nights: list[dict[str, Any]] = []
    for adapter, path in adapters.items():
        mine = [place for place, (_, each) in enumerate(items) if each == adapter]
        if not mine:
            continue
        then = _right(engine, [situations[place] for place in mine], engine.load_adapter(path, THEN))
        engine.drop_adapter(THEN)
        if sum(then) > sum(began[place] for place in mine):
            for place, knew in zip(mine, then, strict=True):
                before[place] = knew
        right = {"then": sum(then), "start": sum(began[i] for i in mine), "after": sum(after[i] for i in mine)}
        nights.append({"adapter": adapter, "n": len(mine), **{name: n / len(mine) for name, n in right.items()}})
    return {
        **shares(before, after),
        "right_before": before,
        "right_after": after,
        "clusters": [situation.lesson_id for situation in situations],
        "nights": nights,
    }


def updates(
    engine: TransformersEngine, facts: Sequence[tuple[Situation, str]], candidate: str, champion: str | None
) -> dict[str, Any]:
    """Questions about facts that have changed, each with the older value: how many replies say the newer one alone, the
    older one, or neither (`metrics.updated`), before and after."""
    situations = [situation for situation, _ in facts]
    found: dict[str, Any] = {"n": len(facts)}
    for when, adapter in (("before", champion), ("after", candidate)):
        said = _replies(engine, situations, adapter)
        new = [is_correct(reply, [each.evidence]) for reply, each in zip(said, situations, strict=True)]
        old = [is_correct(reply, [was]) for reply, (_, was) in zip(said, facts, strict=True)]
        found[when] = {name: share["share"] for name, share in asdict(updated(new, old)).items()}
    return found


def _replies(engine: TransformersEngine, situations: Sequence[Situation], adapter: str | None) -> list[str]:
    with engine.using(adapter):
        ids = engine.generate([engine.user(each.prompt) for each in situations], max_new_tokens=REPLY_TOKENS)
    return [engine.decode(reply) for reply in ids]


def _right(engine: TransformersEngine, situations: Sequence[Situation], adapter: str | None) -> list[bool]:
    replies = _replies(engine, situations, adapter)
    return [is_correct(reply, [each.evidence]) for reply, each in zip(replies, situations, strict=True)]
