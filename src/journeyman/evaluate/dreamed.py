"""Tasks of a dreamed world, done by a candidate and by who it has to beat.

Always holds: all do the same tasks from the same starts, greedily, and asked in the same manner; done is what the
world's verifier pays for.

Knows worlds and adapters' names; nothing of where a world comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from journeyman.evaluate.evidence import shares
from journeyman.learn.acting import Episode, Manner, play, spoken
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.world.env import Env
from journeyman.world.suite import Suite
from journeyman.world.task import Task


def measured(
    engine: TransformersEngine,
    suite: Suite,
    tasks: Sequence[Task],
    manner: Manner,
    candidate: str,
    champion: str | None,
) -> dict[str, Any]:
    """For each task whether `candidate`, `champion` (None: the base) and the base did it, what was said, and how many
    steps and tokens that took."""
    tokens = engine.tokens

    def episodes(adapter: str | None) -> list[Episode]:
        envs = [Env(suite) for _ in tasks]
        for env, task in zip(envs, tasks, strict=True):
            env.reset(task)
        with engine.using(adapter):
            return play(engine, envs, manner)

    after, before = episodes(candidate), episodes(champion)
    base = before if champion is None else episodes(None)
    right = [[episode.score > 0 for episode in each] for each in (before, base, after)]
    items = [
        {
            "task": task.id,
            "instruction": task.instruction,
            "kind": task.family,
            "before": _said(engine, was),
            "after": _said(engine, now),
            "done_before": was.score > 0,
            "done_after": now.score > 0,
            "why": now.verdict.reasons if now.verdict else [],
        }
        for task, was, now in zip(tasks, before, after, strict=True)
    ]
    played = (after, before) if champion is None else (after, before, base)
    return {
        **shares(right[0], right[2]),
        "right_before": right[0],
        "right_base": right[1],
        "right_after": right[2],
        "items": items,
        "steps": sum(len(episode.turns) for each in played for episode in each),
        "tokens": engine.tokens - tokens,
    }


def _said(engine: TransformersEngine, episode: Episode) -> list[str]:
    return [spoken(engine, reply) for _, reply in episode.turns]
