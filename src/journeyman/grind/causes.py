"""Why the same actions did not show the same: the clock, chance, hash seeds, another process, what came before.

Always holds: a cause is named only where taking it away made the difference vanish, or where it alone made it; what
could not be told apart is left untested.

Knows labs and what was found to differ; nothing of what an episode is paid.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import groupby
from typing import Any

from journeyman.grind.dynamics import ALONE, CHANGES, LATER, Parted, cycle, oracles, reads
from journeyman.grind.lab import LabError
from journeyman.grind.measurement import Measurement, unpaid
from journeyman.grind.report import Check, share, untested
from journeyman.grind.surroundings import REFERENCE, Surroundings, another_locale, one_by_one
from journeyman.grind.trace import Trace, same, text

CAUSES = {"clock": Surroundings(frozen=True), "chance": Surroundings(seeded=True)}
OFTEN = 40  # times that what differs now and then is played, so that it is not the same by luck
UNREACHED = "a clock that cannot be stopped from here, SQLite's or another program's"


def explain(m: Measurement, again: Parted, parted: Parted, seconds: float) -> None:
    """Name what the differences are due to: those in one process first, since a process more explains none of them."""
    try:
        numbers = [number for number, _ in parted][:2]
        if numbers and not again and _alike(m, numbers, [REFERENCE], seconds / 12) == [False]:
            again = parted  # it only takes longer to show
        elif numbers and _alike(m, cycle(numbers, OFTEN), [REFERENCE], seconds / 12) == [False]:
            parted = []  # it shows in one process too, if seldom: another one explains nothing
            for change in ("process", "chance", *CHANGES):
                m.add(untested(f"deterministic.{change}", "what it was to be told from differs in one process as well"))
        if again:
            why_not_again(m, again, seconds / 2)
        if parted:
            why_elsewhere(m, parted, seconds / 2)
    finally:
        causes = [m.checks.get(f"deterministic.{name}") for name in ("process", "chance", *CHANGES)]
        causes.append(m.checks.get("isolated.sequence"))
        if parted and not any(check and check.passed is False for check in causes):
            evidence = {
                "different": parted[0][1],
                "note": "in another process with other surroundings; why is not found",
            }
            m.add(Check("deterministic.process", False, None, len(parted), None, evidence))


def why_not_again(m: Measurement, different: Parted, seconds: float) -> None:
    """The clock or chance, if stopping it brings the same again; the clock, too, if only time makes the difference;
    what an episode leaves behind, if it is always the same alone in a process."""
    numbers = [number for number, _ in different][:2]
    if (found := m.checks.get("deterministic.repeat")) and found.value:  # some were the same: it shows now and then
        numbers = cycle(numbers, OFTEN)
    part = seconds / 6
    where = different[0][1]
    # Always with a pause: what is the same because a second is long must not pass for mended.
    causes: list[str] = []
    as_it_is, *without = _alike(m, numbers, [REFERENCE, *CAUSES.values()], part / 2)
    if as_it_is is False:
        causes = [cause for cause, alike in zip(CAUSES, without, strict=True) if alike]
        if not causes and _alike(m, numbers, [Surroundings(seeded=True, frozen=True)], part / 2) == [True]:
            causes = list(CAUSES)
        for cause in causes:
            m.add(_caused(m, f"deterministic.{cause}", numbers, where, part))
        if not causes and all(_moves_with_time(m, numbers, part / 2) for _ in range(2)):
            evidence = {"different": where, "note": f"the same at once, another {LATER} s later: {UNREACHED}"}
            m.add(Check("deterministic.clock", False, None, len(numbers), None, evidence))
            return
    if not causes and _alike(m, numbers[:1], [REFERENCE], part, processes=2) == [True]:
        m.add(Check("isolated.sequence", False, None, len(numbers), None, {"different": where}))
    m.add(untested("isolated.sequence", ALONE))


def why_elsewhere(m: Measurement, different: Parted, seconds: float) -> None:
    """Each change alone, on what differed under all of them."""
    numbers = [number for number, _ in different][:8]
    unmoved = len(m.compared - {number for number, _ in different})  # they bear all changes at once, and so each alone
    guilty: dict[str, dict[str, Any]] = {}
    asked: dict[str, int] = {}  # change -> how many of those that differ were played under it alone
    changes = one_by_one(another_locale())
    for change, surroundings in changes.items():
        try:
            played, parted = _apart(m, numbers, surroundings, seconds / (len(changes) + 4), number=1)
        except LabError:  # what the others have shown is kept
            played, parted = 0, []
        change = change.removesuffix("_2")
        asked[change] = min(played, asked.get(change, played))
        if parted and change not in guilty:
            guilty[change] = parted[0][1]
        if "process" in guilty:
            break
    if "process" in guilty and _same_after_the_same(m, numbers, seconds / 6):
        m.checks.pop("isolated.sequence", None)  # what one process had shown spoke for it
        evidence = {"different": guilty["process"], "note": "the same after the episodes that were recorded before it"}
        m.add(Check("isolated.sequence", False, None, len(numbers), None, evidence))
        for change in ("process", "chance", *CHANGES):
            m.add(untested(f"deterministic.{change}", "what an episode shows depends on those before it"))
        return
    if "process" in guilty:
        n = unmoved + asked["process"]
        m.add(Check("deterministic.process", False, None, n, None, {"different": guilty["process"]}))
        part = seconds / 6
        as_it_is, *without = _alike(m, numbers, [REFERENCE, *CAUSES.values()], part, processes=2)
        for cause, alike in zip(CAUSES, without, strict=True):
            if alike and as_it_is is False:  # two processes differ without it being taken away
                m.add(_caused(m, f"deterministic.{cause}", numbers, guilty["process"], part))
        for change in CHANGES:
            m.add(untested(f"deterministic.{change}", "its traces already differ between two processes that are alike"))
        return
    for change in ("process", "chance", *CHANGES):
        id_ = f"deterministic.{change}"
        bore = asked.get("process" if change == "chance" else change, 0)
        if change in guilty:
            m.add(share(id_, unmoved, unmoved + len(different), 1.0, {"different": guilty[change]}))
        elif bore and (guilty or change != "process") and _can_be_changed(m, change):
            m.add(share(id_, unmoved + bore, unmoved + bore, 1.0))
        else:
            m.add(untested(id_, "the time was over before it could be tried alone"))
    if not guilty and all(asked.values()):
        evidence = {"different": different[0][1], "note": "only with all surroundings changed at once"}
        m.add(Check("deterministic.process", False, None, unmoved + len(different), None, evidence))


def _same_after_the_same(m: Measurement, numbers: Sequence[int], seconds: float) -> bool:
    """Whether they show what was recorded in another process, too, if the same episodes come before them."""
    before = list(range(max(numbers) + 1))
    played, parted = _apart(m, before, REFERENCE, seconds, number=4)
    return played == len(before) and not {number for number, _ in parted} & set(numbers)


def _can_be_changed(m: Measurement, change: str) -> bool:
    return change not in m.said["outside"] and (change != "clock" or m.clock in ("", "late"))


def _apart(
    m: Measurement, numbers: Sequence[int], given: Surroundings, seconds: float, number: int = 0
) -> tuple[int, Parted]:
    """How many were played there, and what differs from what was recorded."""
    with m.elsewhere(given, number) as lab:
        found = m.played(lab, numbers, seconds)
        return len(found), m.parted(found) + oracles(m, lab, [each for each, _ in found], seconds)


def _alike(
    m: Measurement,
    numbers: Sequence[int],
    surroundings: Sequence[Surroundings],
    seconds: float,
    processes: int = 1,
    pause: float = LATER,
) -> list[bool | None]:
    """For each of these surroundings, whether what is played there shows the same again a while later, in the same
    process or in a second one; None where there was no time to. All of them share the one pause; `seconds` are for each
    playing."""
    with ExitStack() as opened:

        def labs(number: int) -> list[Any]:
            return [opened.enter_context(m.elsewhere(given, number)) for given in surroundings]

        def played(lab: Any) -> list[Trace]:
            return [unpaid(trace) for _, trace in m.played(lab, numbers, seconds)]

        first = labs(2)
        before = [played(lab) for lab in first]
        second = first if processes == 1 else labs(3)
        time.sleep(pause)
        after = [played(lab) for lab in second]
    # Where the time was not enough for all, those that were played both times: one of the two may have come further.
    pairs = [(one[: len(two)], two[: len(one)]) for one, two in zip(before, after, strict=True)]
    return [same(one, two) if one else None for one, two in pairs]


def _moves_with_time(m: Measurement, numbers: Sequence[int], seconds: float) -> bool:
    """Whether what is shown again and again in one process changes once a second at most, and never back: a clock that
    counts seconds does that, chance and a count of episodes do not."""
    shown: defaultdict[int, list[str]] = defaultdict(list)
    with m.elsewhere(REFERENCE, 2) as lab:
        begun = time.monotonic()
        for number, trace in m.played(lab, cycle(sorted(set(numbers)), max(8, len(numbers))), seconds):
            shown[number].append(text(unpaid(trace)))
        most = 2 + time.monotonic() - begun
    stretches = [([each for each, _ in groupby(texts)], len(texts)) for texts in shown.values()]
    return bool(stretches) and all(
        len(set(found)) == len(found) < min(n, most) for found, n in stretches if n > 1 or len(stretches) == 1
    )


def _caused(m: Measurement, id_: str, numbers: Sequence[int], where: dict[str, Any], seconds: float) -> Check:
    evidence = {"different": where, **reads(m, numbers[:1], seconds)}
    return Check(id_, False, None, len(numbers), None, evidence)
