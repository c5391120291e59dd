"""How faithful an induced world is: it is shown sessions that it was not made from, call by call.

Before each call the world says what the answer will be; then it is shown what the answer was. The horizon is how many
calls of a session came before the first that was not answered as it really was.

Always holds: an answer counts as exact only if success, value and words of error are those of the real tool (as JSON,
numbers to nine digits, and up to the names of what is new); an abstention is never counted as an answer, nor is what a
world says to a tool, or to an argument, of which the log never spoke; the exact-match cache beside it sees the same
calls.

Knows induced worlds; nothing of how they were made.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

from journeyman.dream.worlds.calls import Call, Recording
from journeyman.dream.worlds.induced import Induced
from journeyman.dream.worlds.rehearsal import renamed, settled
from journeyman.world.documents import alike, spelled
from journeyman.world.outcome import CUTS, Outcome, Tier

ANSWERED, WRONG = 0.5, 0.05  # a world in which one may train answers so much, and of that so little wrong


class Tally:
    """Of the calls of one tool, or of all."""

    def __init__(self) -> None:
        self.n = self.answered = self.exact = self.cached = self.cache_exact = 0

    @property
    def wrong(self) -> int:
        return self.answered - self.exact

    def to_json(self) -> dict[str, Any]:
        return {
            "calls": self.n,
            "answered": self.answered / max(1, self.n),
            "exact": self.exact / max(1, self.n),
            "wrong_when_answered": self.wrong / max(1, self.answered),
            "cache_answered": self.cached / max(1, self.n),
            "cache_exact": self.cache_exact / max(1, self.n),
        }


class Measured:
    """`wrong` and `abstained`: (tool, what the real one said, what the world said) and how often."""

    def __init__(self) -> None:
        self.all = Tally()
        self.tools: dict[str, Tally] = defaultdict(Tally)
        self.wrong: Counter[tuple[str, str, str]] = Counter()
        self.abstained: Counter[tuple[str, str, str]] = Counter()
        self.refused: Counter[str] = Counter()  # by both, by the world, by the real one
        self.tiers: Counter[str] = Counter()
        self.horizons: list[int] = []
        self.missed: list[tuple[int, int, Outcome]] = []  # session, call, what the world said: wrong, or nothing

    @property
    def contradictions(self) -> list[tuple[int, int, Outcome]]:
        """Those where it said something."""
        return [each for each in self.missed if each[2].error not in CUTS]

    @property
    def passes(self) -> bool:
        found = self.all.to_json()
        return found["answered"] >= ANSWERED and found["wrong_when_answered"] <= WRONG

    def to_json(self) -> dict[str, Any]:
        both = self.refused["both"]
        return {
            **self.all.to_json(),
            "error_precision": both / max(1, self.refused["world"]),
            "error_recall": both / max(1, self.refused["real"]),
            "tiers": dict(sorted(self.tiers.items())),
            "median_horizon": median(self.horizons) if self.horizons else 0,
        }


def measured(
    induced: Induced, sessions: Sequence[Recording], trained: Sequence[Recording], skip: Sequence[int] = ()
) -> Measured:
    """`trained`: what the cache has seen; `skip`: how many calls of each session are only shown."""
    found = Measured()
    shared = {_asked(call): call for session in trained for call in session.calls}
    spoken = {name: frozenset(each.name for each in tool.parameters) for name, tool in induced.rules.tools.items()}
    for at, session in enumerate(sessions):
        cache: dict[str, Call] = {}
        names: dict[str, str] = {}
        only_shown = skip[at] if skip else 0
        horizon: int | None = None
        induced.world.restore(induced.start)
        for place, call in enumerate(session.calls):
            for said_at, text in session.said:
                if said_at == place:
                    induced.hear(text)
            asked, outcome = _asked(call), induced.observe(call)
            if outcome.ok and call.ok:
                names |= renamed(outcome.value, call.value, induced.is_new)
            if place >= only_shown:
                right = is_right(outcome, call, names)
                hit = cache.get(asked) or shared.get(asked)
                if call.tool not in spoken or not call.arguments.keys() <= spoken[call.tool]:
                    outcome = outcome._replace(error="abstain", tier=Tier.ABSTAINED)
                _count(found, call, outcome, right, hit)
                if not right:
                    found.missed.append((at, place, outcome))
                if not right and horizon is None:
                    horizon = place - only_shown
            cache[asked] = call
        found.horizons.append(len(session.calls) - only_shown if horizon is None else horizon)
    induced.world.restore(induced.start)
    return found


def is_right(outcome: Outcome, call: Call, names: dict[str, str]) -> bool:
    """Whether this is the answer that the real tool gave."""
    if outcome.error in CUTS or outcome.ok != call.ok:
        return False
    return alike(settled(outcome.value, names), call.value) if call.ok else outcome.message == str(call.value)


def _count(found: Measured, call: Call, outcome: Outcome, right: bool, hit: Call | None) -> None:
    answered = outcome.error not in CUTS
    for tally in (found.all, found.tools[call.tool]):
        tally.n += 1
        tally.answered += answered
        tally.exact += right
        tally.cached += hit is not None
        tally.cache_exact += hit is not None and hit.ok == call.ok and alike(hit.value, call.value)
    found.tiers[outcome.tier.name.lower()] += 1
    found.refused["real"] += not call.ok
    found.refused["world"] += answered and not outcome.ok
    found.refused["both"] += right and not call.ok
    truth = "ok" if call.ok else str(call.value)
    if not answered:
        found.abstained[call.tool, truth, outcome.message] += 1
    elif not right:
        found.wrong[call.tool, truth, "ok" if outcome.ok else outcome.message] += 1


def _asked(call: Call) -> str:
    return call.tool + spelled(call.arguments)
