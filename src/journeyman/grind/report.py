"""What was found: checks, the verdict they amount to, and what to mend first.

Always holds: a check that could not be done, or not often enough, has passed neither way and says why; an environment
is grindable when no check has failed and each that a verdict needs has passed, or asks for what the environment does
not have; the binding constraint is the failed check that stands first in ORDER, causes before what they cause, or,
where none has failed, the first that is missing.

Knows nothing of how things are measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from journeyman.shares import Interval, wilson

MOST = 0.95  # of tasks, of mutants, of episodes: a share that counts as all of them
# A check passes only where the lower end of its 95 % interval is above this: with 8 of 8 and 19 of 20, not 7 of 7.
SURE = 2 / 3
MORE = "give more --budget, make it possible to test, or do --without it"

# id -> (what it says when it holds, what to do when it does not). Causes come before what they cause.
ORDER: dict[str, tuple[str, str]] = {
    "deterministic.clock": (
        "does not depend on the clock",
        "take the time from the task or the seed, and never from the machine",
    ),
    "deterministic.chance": (
        "draws all chance from its seed",
        "give each episode a generator of its own, random.Random(seed), and draw from nothing else",
    ),
    "deterministic.hash_seed": (
        "does not depend on the order of hashes",
        "sort sets before choosing from them or going through them; never use hash() of a text",
    ),
    "deterministic.time_zone": ("does not depend on the time zone", "keep times in UTC"),
    "deterministic.locale": ("does not depend on the locale", "format and sort without the locale"),
    "isolated.sequence": (
        "an episode leaves nothing behind for the next",
        "keep what an episode changes in its instance, not in a class, a module or a file; set it anew in reset",
    ),
    "deterministic.repeat": (
        "the same actions show the same again in one process",
        "find what the two traces differ in, and take it from the seed",
    ),
    "deterministic.process": (
        "the same actions show the same in another process",
        "find what the two traces differ in: a process id, an address, a path, what was drawn at import",
    ),
    "starts.identical": (
        "a task starts the same each time",
        "make reset build its state from the task and the seed alone",
    ),
    "isolated.interleaved": (
        "episodes side by side are as if alone",
        "share nothing that changes between instances",
    ),
    "deterministic.concurrency": (
        "64 threads at once are as if alone",
        "guard or copy what all instances use, or run each in a process of its own",
    ),
    "replayable.fork": (
        "a fork goes on as its origin does, and apart from it",
        "copy all that changes when forking: what both still share shows in the trace",
    ),
    "replayable.restore": (
        "a snapshot restores all",
        "put everything that changes into the snapshot: the clock, generators and counters too",
    ),
    "replayable.replay": ("any step is reached again from the start", "mend what keeps it from being deterministic"),
    "verifiable.repeats": (
        "the same episode gets the same verdict",
        "make the verdict a function of the episode: no chance, no clock, no model",
    ),
    "verifiable.oracle": (
        "the oracle reaches the top",
        "publish for each task a solution that its own verifier accepts",
    ),
    "verifiable.no_op": ("doing nothing is not paid", "let a task ask for something that must be done or said"),
    "verifiable.random": ("acting at random is not paid", "ask for more than chance can give"),
    "verifiable.read_only": ("only looking is not paid", "pay for the change that the task asks for"),
    "verifiable.echo": ("repeating the task is not paid", "compare the reply with the answer, not with its words"),
    "verifiable.wrong_entity": (
        "the right deed to the wrong thing is not paid",
        "let the verifier look at which rows have changed, and that no other has",
    ),
    "verifiable.mutants": (
        "a spoilt solution is caught",
        "compare the whole final state and answer with what the task asks for",
    ),
    "parallel.instances": (
        "64 episodes at once equal themselves alone",
        "make instances smaller and independent",
    ),
    "parallel.speed": (
        "1,000 episodes cost at most one core-hour",
        "find what an episode waits for: building the state anew, a process, the network",
    ),
}

# What a verdict needs: all that makes practice sound, except that the cost is only measured (parallel.speed), and that
# isolated.sequence and deterministic.chance are what the same episodes say that deterministic.repeat and .process ask.
NEEDED = tuple(id_ for id_ in ORDER if id_ not in ("isolated.sequence", "deterministic.chance", "parallel.speed"))


@dataclass(frozen=True)
class Check:
    """One question to the environment. `value` is a share unless `evidence` says otherwise; `n` is how often it was
    asked; `interval` is a 95 % interval of the value, None where there is none to give."""

    id: str
    passed: bool | None
    value: float | None = None
    n: int = 0
    interval: Interval | None = None
    evidence: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "passed": self.passed,
            "value": self.value,
            "n": self.n,
            "interval": None if self.interval is None else list(self.interval),
            "evidence": _plain(self.evidence),
        }


def share(id_: str, good: int, n: int, least: float, evidence: dict[str, Any] | None = None) -> Check:
    """A check that holds where `good` of `n` do, `least` of them being enough, and the interval is above SURE; it fails
    where fewer hold and the interval leaves no room for `least`, which for a `least` of 1 is one that does not hold.
    In between, and where nothing was asked, it has neither passed nor failed."""
    if n == 0:
        return untested(id_, "the time was over before it could be asked once")
    value, interval, evidence = good / n, wilson(good, n), evidence or {}
    passed: bool | None = None
    if value >= least and interval[0] > SURE:
        passed = True
    elif value < least and (least >= 1 or interval[1] < least):
        passed = False
    else:
        told = f"to be sure of more than {SURE:.0%}" if value >= least else f"to tell from {least:.0%}"
        evidence = {"reason": f"{good} of {n} are too few {told}", **evidence}
    return Check(id_, passed, round(value, 4), n, interval, evidence)


def named(id_: str, word: str) -> bool:
    """Whether the word is this check, or the property that it belongs to."""
    return id_ == word or id_.startswith(f"{word}.")


def untested(id_: str, reason: str) -> Check:
    return Check(id_, None, evidence={"reason": reason})


def inapplicable(id_: str, reason: str) -> Check:
    """Untested, because there is nothing of which it could be asked, however long: a verdict does without it."""
    return Check(id_, None, evidence={"reason": reason, "applies": False})


def applies(check: Check) -> bool:
    """Whether the environment has that of which it asks."""
    return check.evidence.get("applies", True)


def _plain(value: Any) -> Any:
    """As JSON, which knows no NaN and no infinity: an environment may pay either."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value


@dataclass(frozen=True)
class Report:
    """What `journeyman.grind` returns. `without` names checks that the caller does without."""

    target: str
    checks: Sequence[Check]
    seconds: float
    without: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        return "grindable" if self.binding is None else "not grindable"

    @property
    def binding(self) -> str | None:
        """The check to mend first; None if nothing stands in the way."""
        found = self.found
        failed = [id_ for id_ in ORDER if id_ in found and found[id_].passed is False and not self._waived(id_)]
        return failed[0] if failed else next(iter(self.missing), None)

    @property
    def found(self) -> dict[str, Check]:
        return {check.id: check for check in self.checks}

    @property
    def missing(self) -> Iterator[str]:
        """What a verdict needs and could not be tested, in the order of NEEDED."""
        found = self.found
        for id_ in NEEDED:
            check = found.get(id_)
            if self._waived(id_) or (check is not None and check.passed is not None):
                continue
            if check is None or applies(check):
                yield id_

    @property
    def defective(self) -> bool | None:
        """Whether something is wrong with it; None where that is not known, because what a verdict needs was not
        tested."""
        return None if self.binding is not None and self._open(self.binding) else self.binding is not None

    @property
    def n(self) -> int:
        """The smallest n of the checks that a verdict needs and that passed; 0 if there is none."""
        found = self.found
        return min((found[id_].n for id_ in NEEDED if id_ in found and found[id_].passed), default=0)

    def _open(self, id_: str) -> bool:
        return id_ not in self.found or self.found[id_].passed is None

    @property
    def remedy(self) -> str | None:
        """What to do about the binding constraint."""
        if self.binding is None:
            return None
        if self._open(self.binding):
            check = self.found.get(self.binding)
            reason = check.evidence.get("reason") if check else None
            return f"not tested, so that nothing is known to be wrong: {reason or 'it was not asked'}; {MORE}"
        return ORDER[self.binding][1]

    def _waived(self, id_: str) -> bool:
        return any(named(id_, each) for each in self.without)

    def to_json(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "verdict": self.verdict,
            "defective": self.defective,
            "n": self.n,
            "binding": self.binding,
            "remedy": self.remedy,
            "without": list(self.without),
            "seconds": round(self.seconds, 1),
            "checks": [check.to_json() for check in self.checks],
        }
