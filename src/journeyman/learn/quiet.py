"""What a night must not change: general work stays the base's, and what nobody said stays unsaid.

An anchor is a general prompt with the base as teacher (its own greedy words, empty context): the base and not the
round's start, so that small losses of many nights cannot add up. A near miss is a question that no session answers.
What the sessions prove about it is just that, so its target is `NOT_SAID`, as a proven answer's is the evidence. The
base as teacher would not do there: it makes something up as often as not.

Always holds: the same situations give the same exposures, whatever adapter is in force.

Knows prompts, not what was said in the sessions: that nothing answers a near miss is `dream.near_misses`' to know.
"""

from __future__ import annotations

from collections.abc import Sequence

from journeyman.learn.exposures import Exposure, observe, proven, replies_of
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.records import Situation

ANCHOR_TOKENS = 24
NOT_SAID = "You have not told me."


def quiet(engine: TransformersEngine, situations: Sequence[Situation]) -> list[Exposure]:
    """The exposures of near misses (kind "unknown") and of anchors, in this order."""
    unknown = [engine.user(s.prompt) for s in situations if s.kind == "unknown"]
    general = [
        engine.encode(s.prompt.removeprefix(">")) if s.prompt.startswith(">") else engine.user(s.prompt)
        for s in situations
        if s.kind == "anchor"
    ]
    declined = [*engine.encode(NOT_SAID), engine.end_id]
    replies = replies_of(engine, None, general, max_new_tokens=ANCHOR_TOKENS)
    own_words = [(prompt, prompt, reply) for prompt, reply in zip(general, replies, strict=True)]
    near_misses, _ = proven(engine, observe(engine, None, [(prompt, prompt, declined) for prompt in unknown]))
    return [*near_misses, *observe(engine, None, own_words)]
