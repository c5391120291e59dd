"""`grind`: one measurement, top to bottom.

Always holds: the report has every check exactly once, in ORDER; the budget is kept but for what is under way when it
ends, and for importing the environment's library, which is not its fault.

Knows the phases; what each does is in dynamics.py, causes.py, verdicts.py and capacity.py.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

from journeyman.errors import JourneymanError, UsageError
from journeyman.grind import capacity, causes, dynamics, verdicts
from journeyman.grind.lab import Here, LabError
from journeyman.grind.measurement import Budget, Labs, Measurement
from journeyman.grind.names import KINDS, checked, name_of
from journeyman.grind.report import ORDER, Report, named, untested
from journeyman.grind.surroundings import REFERENCE
from journeyman.grind.target import Target, adapted
from journeyman.grind.trace import raised
from journeyman.grind.worker import serving

BUDGET = 60.0
LONGEST = 30 * 86_400.0  # seconds: what a system's timers bear, and nobody waits for


def grind(
    target: Any,
    *,
    budget: float = BUDGET,
    python: str | os.PathLike[str] | None = None,
    without: Sequence[str] = (),
    labs: Labs | None = None,
    watch: Callable[[str, float], None] = lambda _phase, _share: None,
) -> Report:
    """Measure an environment: a target's name, a class or function that makes one, or one that exists.

    `budget` is in seconds. `python` is the interpreter that has the environment (default: this one). `without` names
    checks ("replayable.fork") or properties ("verifiable") that the verdict does without. `labs` are kept open for the
    next target. Raises UsageError or InputError when there is nothing to measure.

    An environment that exists, or a factory within a function, can be measured in this process only; what needs
    another is then untested.
    """
    if serving:  # each process would begin others, which import the file again, and so on
        raise UsageError(
            "importing the environment measures it again", 'put the call of grind under: if __name__ == "__main__":'
        )
    for each in without:
        if not any(named(id_, each) for id_ in ORDER):
            known = ", ".join(sorted({id_.partition(".")[0] for id_ in ORDER}))
            raise UsageError(f"there is no check {each!r}", f"name one of {known}, or one of their checks")
    if not isinstance(budget, (int, float)) or not 0 < budget <= LONGEST:
        raise UsageError(f"{budget!r} is no time to measure in", "give seconds, above 0 and at most 30 days of them")
    name = target if isinstance(target, str) else name_of(target)
    time = Budget(budget)
    if name is None:
        if labs is not None or python is not None:
            raise UsageError("an environment that exists has no other Python", "give its factory by name")
        here = _here(target)
        m = Measurement(here.name, Here(here), None, time)
        return _measured(m, tuple(without), watch)
    kind, _ = checked(name)
    own = labs is None
    _, library = KINDS[kind]
    kept = labs or Labs(python, [library] if library else [])
    try:
        m = Measurement(name, kept.lab(REFERENCE), kept, time)
        return _measured(m, tuple(without), watch)
    finally:
        if own:
            kept.close()


def _measured(m: Measurement, without: tuple[str, ...], watch: Callable[[str, float], None]) -> Report:
    watch("open the environment", 0.0)
    try:
        if m.labs is not None:  # what they import, they import while episodes are recorded
            for surroundings in dynamics.everything_else():
                m.labs.lab(surroundings).begin()
        m.ready()
        [m.said] = m.lab.run("describe", m.opening)
        watch("record episodes", m.budget.used / m.budget.seconds)
        dynamics.record(m, m.budget.part("record"))
        _phases(m, watch)
    except LabError as error:
        raise error.for_user(m.target) from error
    finally:
        m.lab.leave()
    for id_ in ORDER:
        m.add(untested(id_, f"the budget of {m.budget.seconds:g} s ended before"))
    return Report(m.target, [m.checks[id_] for id_ in ORDER], m.budget.used, without)


def _phases(m: Measurement, watch: Callable[[str, float], None]) -> None:
    def do(phase: str, what: str, work: Callable[[float], Any], *ids: str) -> Any:
        if (seconds := m.budget.part(phase)) <= 0:
            return None
        watch(what, min(1.0, m.budget.used / m.budget.seconds))
        with m.checking(*ids):
            m.ready()
            return work(seconds)

    again = do("repeat", "play them again", lambda s: dynamics.repeat(m, s), "deterministic.repeat") or []
    m.budget.explains = bool(again)
    do("starts", "start again", lambda s: dynamics.starts(m, s), "starts.identical")
    changes = [f"deterministic.{change}" for change in ("process", "chance", *dynamics.CHANGES)]
    parted = do("processes", "play them elsewhere", lambda s: dynamics.elsewhere(m, s), *changes) or []
    m.budget.explains = bool(again or parted)
    do("isolation", "interleave", lambda s: dynamics.isolation(m, s), "isolated.interleaved")
    do("concurrency", "64 threads", lambda s: dynamics.concurrency(m, s), "deterministic.concurrency")
    do("replay", "fork and restore", lambda s: dynamics.replay(m, s), *dynamics.REPLAYABLE)
    do("verdicts", "ask for verdicts", lambda s: verdicts.repeats(m, s / 6), "verifiable.repeats")
    spoken = [id_ for id_ in ORDER if id_.startswith("verifiable.")]
    do("verdicts", "solve, idle, spoil", lambda s: verdicts.believed(m, s), *spoken)
    do("parallel", "many at once", lambda s: capacity.parallel(m, s), "parallel.instances", "parallel.speed")
    if again or parted:  # what was found is kept even if no time is left to explain it
        watch("look for the cause", min(1.0, m.budget.used / m.budget.seconds))
        with m.checking(*changes):
            m.ready()
            causes.explain(m, again, parted, max(m.budget.part("diagnosis"), m.budget.seconds / 5))


def _here(target: Any) -> Target:
    """The target behind something that only this process has."""
    if isinstance(target, Target):
        return target
    if not callable(target) or (hasattr(target, "reset") and not inspect.isclass(target)):
        raise UsageError(
            "an environment that exists can be in one episode at a time",
            "give what makes it: its class, a function, or a name such as python:MODULE:FACTORY",
        )
    name = getattr(target, "__qualname__", type(target).__name__)
    try:
        return adapted(name, target)
    except JourneymanError:
        raise
    except (Exception, SystemExit) as error:
        raise LabError(raised(error)).for_user(name) from error
