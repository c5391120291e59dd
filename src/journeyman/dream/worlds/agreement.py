"""Whether a world's verdicts are what really came of sessions: where several sessions were about the same request.

    outcomes = known(conversations, store.outcomes())     # session -> what came of it
    print(agreement(dreamed.tasks))                       # {"n": 30, "agreed": 0.93, …}

A session that is known to have gone well makes a task; another about the same request is acted out in it, and the
verdict is compared with what is known to have come of that one. The same request is what a log says is one (tau's
`task_id`), or what was asked for in the same words.

Always holds: no session is judged by its own task; where the world does not know how such a session goes, that is no
verdict, and counted as such.

Knows tasks and recordings; nothing of who acted.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from journeyman.dream.worlds.calls import Recording
from journeyman.dream.worlds.units import Drop, recorded
from journeyman.records import Outcome
from journeyman.world.mutants import play
from journeyman.world.saying import normal

if TYPE_CHECKING:
    from journeyman.capture.conversations import Conversation
    from journeyman.dream.worlds.tasks import Tasks

ENOUGH = 20  # verdicts, for a share of them to say something
AGREED = 0.95  # of the verdicts of a world that passes, where there are enough
_NAMES = ("success", "reward", "score", "resolved", "ok")


def agreement(tasks: Tasks) -> dict[str, Any] | None:
    """None if no two sessions with a known outcome were about one request.

    paid_failures, unpaid_successes: verdicts that are not what came of it; unknown: sessions that were no verdict.
    """
    of: dict[str, list[Recording]] = defaultdict(list)
    for session in tasks.sessions:
        if session.score is not None and session.asked:
            of[session.task or normal("\n".join(text for _, text in session.asked))].append(session)
    whole = {
        origin.session: tasks.suite.task(task)
        for task, origin in tasks.origins.items()
        if origin.how == "recorded" and origin.first == origin.place == 0
    }
    found = {"n": 0, "paid_failures": 0, "unpaid_successes": 0, "unknown": 0}
    for group in of.values():
        for mine in group:
            task = whole.get(mine.id)
            for other in group if task is not None and _well(mine) else ():
                if other is mine or task is None:
                    continue
                try:
                    steps = recorded(tasks.rules, task.start, other.calls)
                except Drop:
                    found["unknown"] += 1
                    continue
                paid = play(tasks.suite, task, [step.call for step in steps]).score > 0
                found["n"] += 1
                found["paid_failures"] += paid and not _well(other)
                found["unpaid_successes"] += _well(other) and not paid
    if not found["n"] + found["unknown"]:
        return None
    wrong = found["paid_failures"] + found["unpaid_successes"]
    return {**found, "agreed": (found["n"] - wrong) / found["n"] if found["n"] else None}


def disagrees(found: Mapping[str, Any] | None) -> bool:
    """Whether enough verdicts are there to say that they are not what really came of sessions."""
    return found is not None and found["n"] >= ENOUGH and found["agreed"] < AGREED


def known(conversations: Iterable[Conversation], outcomes: Iterable[Outcome]) -> dict[str, float]:
    """For each session what came of it, where that is known: by its key or its answers', else by a receipt. The last of
    several."""
    by_receipt: dict[str, float] = {}
    by_key: dict[str, float] = {}
    for outcome in outcomes:
        if (score := scored(outcome.value)) is not None:
            by_receipt |= {outcome.receipt: score} if outcome.receipt else {}
            by_key |= {outcome.key: score} if outcome.key else {}
    found: dict[str, float] = {}
    for each in conversations:
        for key in (each.session.key, *(answer.key for answer in each.answers.values())):
            if key in by_key:
                found[each.session.id] = by_key[key]
        for receipt in each.receipts:
            if receipt in by_receipt:
                found[each.session.id] = by_receipt[receipt]
    return found


def scored(value: str) -> float | None:
    """An outcome's value as a score: a number, true or false, or an object with one of these under a usual name."""
    try:
        told = json.loads(value)
    except ValueError:
        return None
    if isinstance(told, dict):
        told = next((told[name] for name in _NAMES if name in told), None)
    return float(told) if isinstance(told, bool | int | float) else None


def _well(session: Recording) -> bool:
    return session.score is not None and session.score > 0
