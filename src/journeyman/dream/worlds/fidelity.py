"""How faithful an induced world is: it is shown sessions that it was not made from, call by call.

Before each call the world says what the answer will be; then it is shown what the answer was.

Always holds: an answer counts as exact only if success, value and words of error are those of the real tool (as JSON);
an abstention is never counted as an answer; the exact-match cache beside it sees the same calls.

Knows induced worlds; nothing of how they were made.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from journeyman.dream.worlds.calls import Call, Recording
from journeyman.dream.worlds.effects import same
from journeyman.dream.worlds.induced import Induced
from journeyman.dream.worlds.rehearsal import renamed, settled
from journeyman.world.documents import alike
from journeyman.world.outcome import CUTS


class Tally:
    """calls, answered, exact, and for the cache: hits and exact hits."""

    def __init__(self) -> None:
        self.n = self.answered = self.exact = self.cached = self.cache_exact = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "calls": self.n,
            "answered": self.answered / max(1, self.n),
            "exact": self.exact / max(1, self.n),
            "wrong_when_answered": (self.answered - self.exact) / max(1, self.answered),
            "cache_answered": self.cached / max(1, self.n),
            "cache_exact": self.cache_exact / max(1, self.n),
        }


class Measured:
    def __init__(self) -> None:
        self.all = Tally()
        self.tools: dict[str, Tally] = defaultdict(Tally)
        self.wrong: Counter[tuple[str, str, str]] = Counter()
        self.examples: list[tuple[Call, Any]] = []
        self.abstained: Counter[tuple[str, str, str]] = Counter()


def measured(
    induced: Induced, held_out: Sequence[Recording], trained: Sequence[Recording], skip: Sequence[int] = ()
) -> Measured:
    """`skip`: how many calls of each session are only shown."""
    found = Measured()
    shared = {_spelled(call): call for session in trained for call in session.calls}
    for at, session in enumerate(held_out):
        cache: dict[str, Call] = {}
        induced.world.restore(induced.start)
        names: dict[str, str] = {}
        for place, call in enumerate(session.calls):
            outcome = induced.observe(call)
            names |= {} if not (outcome.ok and call.ok) else renamed(outcome.value, call.value, induced.is_new)
            spelled = _spelled(call)
            if place >= (skip[at] if skip else 0):
                hit = cache.get(spelled) or shared.get(spelled)
                answered = outcome.error not in CUTS
                right = answered and outcome.ok == call.ok
                right = right and (alike(settled(outcome.value, names), call.value) if call.ok else outcome.message == str(call.value))
                for tally in (found.all, found.tools[call.tool]):
                    tally.n += 1
                    tally.answered += answered
                    tally.exact += right
                    tally.cached += hit is not None
                    tally.cache_exact += hit is not None and hit.ok == call.ok and same(hit.value, call.value)
                truth = "ok" if call.ok else str(call.value)
                if not answered:
                    found.abstained[call.tool, truth, outcome.message] += 1
                elif not right:
                    found.wrong[call.tool, truth, "ok" if outcome.ok else outcome.message] += 1
                    found.examples.append((call, outcome))
            cache[spelled] = call
    return found


def _spelled(call: Call) -> str:
    return call.tool + json.dumps(call.arguments, sort_keys=True)
