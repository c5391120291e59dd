"""What a night makes of calls that somebody has judged: decisions to practise, and others to judge by.

Somebody said by day what should have been called, or that what was called was right (`dream.decisions`). Each such
decision is asked for as it was by day, tools and all, and its call is what is practised: about other things, so that
nothing is learnt by heart. Those of some sessions are kept, and there the candidate, and who it has to beat, have to
make the very call.

Always holds: a night whose sessions hold no judged calls is what it would be without this file; which side a session
is on depends on the session alone; of either side the newest are taken, since what was right may have changed; no
decision to practise is asked for in the words of one to judge by.

Knows what the phases of a night hand on; what a decision is, is `dream`'s to know.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from journeyman.capture.conversations import Conversation
from journeyman.capture.messages import message
from journeyman.dream import confidential
from journeyman.dream.decisions import Decision, decisions, elsewhere
from journeyman.dream.practice import is_held_out
from journeyman.errors import ModelError
from journeyman.morning import DECIDED
from journeyman.records import Turn, content_hash
from journeyman.world.actions import Call

if TYPE_CHECKING:
    from journeyman.learn.acting import Talk
    from journeyman.learn.exposures import Exposure
    from journeyman.night import Night, Output

PHASE = DECIDED
VARIANTS = 2  # of a decision, each about other things
SECRET = "it holds a secret"
OLD = "there are newer ones"
TOO_LONG = "the model cannot be asked with it"
TWIN = "one to judge by is asked for in the same words"


def judged(conversations: Sequence[Conversation]) -> list[tuple[Decision, Conversation]]:
    """The decisions that these hold, oldest first, each with where it was taken."""
    by_id = {each.session.id: each for each in conversations}
    return [(each, by_id[each.session]) for each in decisions(by_id[id].session for id in by_id)]


def weigh(night: Night) -> Output:
    """The decisions to practise and those to judge by, with all that training and judging need of them."""
    options, dropped = night.options, Counter[str]()
    output: Output = {"train": [], "heldout": [], "tools": {}}
    taken: dict[str, list[Output]] = {"train": [], "heldout": []}
    for decision, source in reversed(night.judged):
        side = taken["heldout" if is_held_out(source.session, options.heldout) else "train"]
        entry, tools = _entry(decision, source)
        if len(side) == options.decisions:
            dropped[OLD] += 1
        elif confidential.find(json.dumps([entry["before"], entry["right"]], ensure_ascii=False)):
            dropped[SECRET] += 1
        elif _fails(night, entry, tools):
            dropped[TOO_LONG] += 1
        else:
            output["tools"].setdefault(entry["tools"], tools)
            side.append(entry)
    words = {json.dumps(entry["before"]) for entry in taken["heldout"]}
    apart = [entry for entry in taken["train"] if json.dumps(entry["before"]) not in words]
    dropped[TWIN] += len(taken["train"]) - len(apart)
    output |= {"train": apart[::-1], "heldout": taken["heldout"][::-1]}
    return {**output, "dropped": {why: n for why, n in sorted(dropped.items()) if n}}


def exposures(night: Night, found: Output) -> list[Exposure]:
    """What there is to practise of the phase's output (empty: nothing)."""
    if not found.get("train"):
        return []
    from journeyman.learn.calling import made
    from journeyman.learn.sft import replay

    pairs: dict[tuple[tuple[int, ...], tuple[int, ...]], None] = {}
    for entry in found["train"]:
        decision = Decision("", _turns(entry), Call(*entry["right"]), entry["how"])
        for variant in range(VARIANTS):
            chance = random.Random(f"{night.seed}:{entry['id']}:{variant}")
            other = elsewhere(decision, chance)
            prompt, reply = made(night.engine, _talk(other.before, found["tools"][entry["tools"]]), other.right)
            pairs[tuple(prompt), tuple(reply)] = None
    return replay(night.engine, list(pairs))


def judge(night: Night, found: Output, candidate: str, champion: str | None) -> Output:
    """How often the candidate, and who it has to beat, make the very call in the decisions that were kept apart."""
    if not found.get("heldout"):
        return {}
    from journeyman.evaluate import deciding

    cases = [
        deciding.Case(_talk(_turns(entry), found["tools"][entry["tools"]]), Call(*entry["right"]), entry["must"])
        for entry in found["heldout"]
    ]
    told = [{name: entry[name] for name in ("id", "session", "how", "words")} for entry in found["heldout"]]
    measured = deciding.measured(night.engine, cases, candidate, champion)
    items = [{**item, **entry} for item, entry in zip(measured["items"], told, strict=True)]
    return {"decisions": {**measured, "items": items, "clusters": [entry["session"] for entry in told]}}


def _entry(decision: Decision, source: Conversation) -> tuple[Output, list[dict[str, Any]]]:
    """A decision as plain JSON, and the tools that the model was shown with it."""
    tools = source.tools
    exchange = source.answers.get(len(decision.before))
    entry = {
        "id": content_hash([decision.session, len(decision.before)]),
        "session": decision.session,
        "before": [turn.to_json() for turn in decision.before],
        "right": [decision.right.tool, dict(decision.right.args)],
        "how": decision.how,
        "words": decision.words,
        "must": exchange is not None and json.loads(exchange.request).get("tool_choice") == "required",
        "tools": content_hash(tools),
    }
    return entry, tools


def _fails(night: Night, entry: Output, tools: Sequence[Mapping[str, Any]]) -> bool:
    from journeyman.learn.calling import made

    try:
        made(night.engine, _talk(_turns(entry), tools), Call(*entry["right"]))
    except ModelError:
        return True
    return False


def _turns(entry: Output) -> tuple[Turn, ...]:
    return tuple(Turn.from_json(each) for each in entry["before"])


def _talk(before: Sequence[Turn], tools: Sequence[Mapping[str, Any]]) -> Talk:
    from journeyman.learn.acting import Talk

    return Talk([message(turn) for turn in before], tuple(tools))
