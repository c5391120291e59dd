"""Whether the same actions show the same: again, elsewhere, side by side, from the middle, and from the start.

Always holds: a cause is named only where taking it away made the difference vanish, or where it alone made it; what
could not be told apart is left untested.

Knows recorded traces and labs; nothing of what an episode is paid.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from journeyman.grind.lab import LabError
from journeyman.grind.measurement import Measurement, unpaid
from journeyman.grind.report import Check, inapplicable, share, untested
from journeyman.grind.surroundings import REFERENCE, Surroundings, another_locale, one_by_one, together
from journeyman.grind.trace import Trace, difference, same

TASKS = 24  # whose episodes are recorded
STEPS = 40  # of a random episode
ORACLE_STEPS = 200
ROUNDS = 3  # of playing all of them again
THREADS = 64
REPLAYABLE = ("replayable.fork", "replayable.restore", "replayable.replay")
CHANGES = ("hash_seed", "clock", "time_zone", "locale")
CAUSES = {"clock": Surroundings(frozen=True), "chance": Surroundings(seeded=True)}
OFTEN = 40  # times that what differs now and then is played, so that it is not the same by luck
LATER = 1.1  # seconds: what a clock that counts seconds needs to show
UNREACHED = "a clock that cannot be stopped from here, SQLite's or another program's"
ALONE = "no episode is the same again by itself, so that there is nothing to compare with"
Parted = list[tuple[int, dict[str, Any]]]


def record(m: Measurement, seconds: float) -> None:
    """What everything else is compared with. LabError if no episode can be begun, or if none ends without an error."""
    tasks = _spread(m.said["tasks"], TASKS)
    seeds = range(1, 3 if len(tasks) > 4 else 9)
    scripts: list[dict[str, Any]] = []
    for seed in seeds:
        for task in tasks:
            if m.said["oracle"]:
                scripts.append({"task": task, "seed": seed, "policy": "oracle", "steps": ORACLE_STEPS})
            if m.said["samples"]:
                scripts.append({"task": task, "seed": seed, "policy": "random", "steps": STEPS})
            if not m.said["oracle"] and not m.said["samples"]:
                scripts.append({"task": task, "seed": seed, "actions": []})
    began, limit = m.budget.used, max(seconds, m.budget.seconds / 3)  # one episode is needed, however long it takes
    found = [trace for _, trace in m.some(m.lab, "play", limit, range(len(scripts)), scripts=scripts, seconds=seconds)]
    if not found:
        raise LabError(f"its first episode had not ended after {limit:.0f} s")
    m.pace = (m.budget.used - began) / len(found)
    if all(trace["start"] is None for trace in found):
        raise LabError(f"no episode of it can be begun ({found[0]['error']})")
    if all(trace["error"] for trace in found):  # they would all be alike, and prove nothing
        raise LabError(f"each of its first {len(found)} episodes ended in an error ({found[0]['error']})")
    m.traces = found
    m.scripts = [_script(trace) for trace in found]
    m.recorded = time.monotonic()


def repeat(m: Measurement, seconds: float) -> Parted:
    """Again in the same process, the last first, each after others; and again, for what differs but rarely."""
    ends = m.budget.used + seconds
    found: list[tuple[int, Trace]] = []
    for _ in range(ROUNDS):
        if (left := ends - m.budget.used) > 0:
            found += m.played(m.lab, list(reversed(range(len(m.scripts)))), left)
    parted = m.parted(found)
    played, different = {number for number, _ in found}, dict(reversed(parted))
    m.stable = sorted(played - different.keys())
    evidence = {"different": parted[0][1]} if parted else {}
    m.add(share("deterministic.repeat", len(found) - len(parted), len(found), 1.0, evidence))
    if found and not parted:
        m.add(share("isolated.sequence", len(found), len(found), 1.0))
    return list(different.items())


def starts(m: Measurement, seconds: float) -> None:
    """From new instances, and from one that has been used."""
    good, n, bad = 0, 0, None
    chosen = _spread(range(len(m.scripts)), 6)
    for number in chosen:
        start = m.traces[number]["start"]
        script = m.scripts[number]
        limit = seconds / len(chosen)
        for _, item in m.some(m.lab, "restart", limit, range(6), script=script, times=3, seconds=limit):
            n += 1
            if same(start, item["start"]):
                good += 1
            elif bad is None:
                parted = difference(m.traces[number], {**m.traces[number], "start": item["start"]})
                bad = {"instance": "used before" if item["used"] else "new", **m.where(number, parted)}
    m.add(share("starts.identical", good, n, 1.0, {"different": bad} if bad else {}))


def everything_else() -> list[Surroundings]:
    """Two surroundings in which everything is changed at once."""
    return [together(another_locale(), hash_seed) for hash_seed in (1, 2)]


def elsewhere(m: Measurement, seconds: float) -> Parted:
    """In two processes where everything is changed at once, and not within the same second as what was recorded: what
    stays equal there depends on none of it. The second plays the last first, and so shows what depends on those before.
    """
    if not m.stable:
        for change in ("process", "chance", *CHANGES):
            m.add(untested(f"deterministic.{change}", ALONE))
        return []
    outside = m.said["outside"]
    locale = another_locale()
    time.sleep(max(0.0, m.recorded + LATER - time.monotonic()))
    numbers = list(m.stable)
    compared = set(numbers)  # in all of them
    different: Parted = []
    for surroundings in everything_else():
        try:
            with m.elsewhere(surroundings) as lab:
                found = m.played(lab, numbers, seconds / 3)
                different += m.parted(found)
                compared &= {number for number, _ in found}
                numbers = [number for number, _ in reversed(found)]
                different += _oracles(m, lab, [number for number, _ in found], seconds / 6)
        except LabError:
            if not different:  # what one process has shown is enough
                raise
            break
    m.compared = compared
    for change in ("process", *CHANGES):
        id_ = f"deterministic.{change}"
        if change in outside:
            m.add(untested(id_, outside[change]))
        elif change == "clock" and m.clock not in ("", "late"):
            m.add(untested(id_, m.clock))
        elif change == "locale" and locale is None:
            m.add(inapplicable(id_, "no other locale is installed on this machine"))
        elif not different:
            m.add(share(id_, len(compared), len(compared), 1.0))
    if not different and "process" not in outside:
        m.add(share("deterministic.chance", len(compared), len(compared), 1.0))
    first: dict[int, dict[str, Any]] = {}
    for number, where in different:
        first.setdefault(number, where)
    return list(first.items())


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
    if not as_it_is:
        causes = [cause for cause, alike in zip(CAUSES, without, strict=True) if alike]
        if not causes and _alike(m, numbers, [Surroundings(seeded=True, frozen=True)], part / 2) == [True]:
            causes = list(CAUSES)
        for cause in causes:
            m.add(_caused(m, f"deterministic.{cause}", numbers, where, part))
        if not causes and all(_alike(m, numbers, [REFERENCE], part / 2, pause=0.0) == [True] for _ in range(2)):
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
            if alike and not as_it_is:  # two processes differ without it being taken away
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


def isolation(m: Measurement, seconds: float) -> None:
    """Eight episodes, or as many as the time allows, a step of one and a step of another."""
    if not m.stable:
        m.add(untested("isolated.interleaved", ALONE))
        return
    count = 8 if not m.pace else max(2, min(8, int(seconds / m.pace)))
    numbers = cycle(_spread(m.stable, count), count)
    found = m.played(m.lab, numbers, seconds, "interleave", order=1)
    if len(found) < count:
        m.add(untested("isolated.interleaved", f"the time was over before {count} episodes had ended"))
        return
    m.add(_as_alone(m, "isolated.interleaved", found))


def concurrency(m: Measurement, seconds: float) -> None:
    """As many threads as THREADS, all at the same time."""
    numbers = cycle(m.stable, THREADS)
    if not numbers:
        m.add(untested("deterministic.concurrency", ALONE))
        return
    found = m.played(m.lab, numbers, seconds, "together")
    if len(found) < len(numbers):
        m.lab.close()  # with the threads that still run
        reason = f"{len(found)} of {len(numbers)} threads had ended in {seconds:.0f} s"
        m.add(untested("deterministic.concurrency", reason))
        return
    m.add(_as_alone(m, "deterministic.concurrency", found))


def replay(m: Measurement, seconds: float) -> None:
    """Branch off at every step of the longest episodes: fork, restore, and play another from the start to there."""
    offers = m.said["offers"]
    if not m.steady:
        for id_ in REPLAYABLE:
            m.add(untested(id_, ALONE))
        return
    longest = sorted(m.steady, key=lambda number: -len(m.traces[number]["steps"]))[:8]
    longest = [number for number in longest if len(m.traces[number]["steps"]) <= STEPS] or longest[:1]
    ways = {"replayable.fork": "fork" if "fork" in offers else "copy"}
    if "snapshot" in offers and "restore" in offers:
        ways["replayable.restore"] = "restore"
    else:
        m.add(inapplicable("replayable.restore", "it offers no snapshot and restore"))
    ways["replayable.replay"] = "replay"
    for id_, way in ways.items():
        ok, costs, bad = [], [], None
        for number in longest:
            limit = seconds / len(ways) / len(longest)
            items = m.some(m.lab, "branch", limit, [number] * 10_000, script=m.scripts[number], way=way, seconds=limit)
            for _, item in items:
                ok.append(item["ok"])
                costs.append(item["seconds"])
                if not item["ok"] and bad is None:
                    bad = {"who": item["who"], **m.where(number, item.get("difference"))}
                    bad |= {"raised": item["raised"]} if "raised" in item else {}
        evidence: dict[str, Any] = {"way": way if way != "copy" else "copy.deepcopy"}
        if costs:
            evidence["median_microseconds"] = round(1e6 * sorted(costs)[len(costs) // 2], 1)
        if way == "copy" and bad is not None:
            said = bad.get("raised") or "a copy does not go on as its origin does"
            m.add(inapplicable(id_, f"it offers no fork, and copy.deepcopy is none: {said}"))
            continue
        m.add(share(id_, sum(ok), len(ok), 1.0, evidence | ({"different": bad} if bad else {})))


def _as_alone(m: Measurement, id_: str, found: Sequence[tuple[int, Trace]]) -> Check:
    different: Parted = []
    steady = set(m.steady)
    for number, trace in found:
        kept = m.traces[number], trace
        if parted := difference(*(kept if number in steady else map(unpaid, kept))):
            different.append((number, m.where(number, parted)))
    evidence: dict[str, Any] = {"at_once": len(found)}
    if different:
        evidence["different"] = different[0][1]
        evidence |= _reads(m, [different[0][0]], 5.0)
    return share(id_, len(found) - len(different), len(found), 1.0, evidence)


def _oracles(m: Measurement, lab: Any, numbers: Sequence[int], seconds: float) -> Parted:
    """Whether the solution that a target publishes is the same elsewhere, where it is a list of actions."""
    if not m.said["oracle"] or not numbers:
        return []
    if m.pace:
        numbers = numbers[: max(1, int(seconds / m.pace))]
    items = [(m.scripts[number]["task"], m.scripts[number]["seed"]) for number in numbers]
    here = [item for _, item in m.some(m.lab, "oracle_of", seconds, numbers, items=items)]
    m.ready()
    there = [item for _, item in m.some(lab, "oracle_of", seconds, numbers, items=items)]
    different: Parted = []
    for number, one, other in zip(numbers, here, there, strict=False):
        if not same(one, other):
            where = {"step": 0, "part": "oracle", "path": "", "one": one["actions"], "other": other["actions"]}
            different.append((number, m.where(number, where)))
    return different


def _apart(
    m: Measurement, numbers: Sequence[int], given: Surroundings, seconds: float, number: int = 0
) -> tuple[int, Parted]:
    """How many were played there, and what differs from what was recorded."""
    with m.elsewhere(given, number) as lab:
        found = m.played(lab, numbers, seconds)
        return len(found), m.parted(found) + _oracles(m, lab, [each for each, _ in found], seconds)


def _alike(
    m: Measurement,
    numbers: Sequence[int],
    surroundings: Sequence[Surroundings],
    seconds: float,
    processes: int = 1,
    pause: float = LATER,
) -> list[bool]:
    """For each of these surroundings, whether what is played there shows the same again a while later, in the same
    process or in a second one. All of them share the one pause; `seconds` are for each playing."""
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
    if processes == 1:  # where the time was not enough for all, those that were played twice
        before = [one[: len(two)] for one, two in zip(before, after, strict=True)]
    return [bool(one) and same(one, two) for one, two in zip(before, after, strict=True)]


def _caused(m: Measurement, id_: str, numbers: Sequence[int], where: dict[str, Any], seconds: float) -> Check:
    evidence = {"different": where, **_reads(m, numbers[:1], seconds)}
    return Check(id_, False, None, len(numbers), None, evidence)


def _reads(m: Measurement, numbers: Sequence[int], seconds: float) -> dict[str, Any]:
    """Which lines of the environment ask for the clock or for chance, where that can be watched."""
    try:
        with m.elsewhere(Surroundings(watched=True)) as lab:
            m.played(lab, numbers, seconds)
            [found] = lab.run("reads", 5.0)
    except LabError:
        return {}
    return {"asks_for": found["reads"]} if found["reads"] else {}


def _script(trace: Trace) -> dict[str, Any]:
    actions = [step["action"] for step in trace["steps"]]
    return {"task": trace["task"], "seed": trace["seed"], "actions": actions}


def _spread(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many, from all over the sequence."""
    if len(items) <= most:
        return list(items)
    return [items[number * len(items) // most] for number in range(most)]


def cycle(numbers: Sequence[int], count: int) -> list[int]:
    """So many, the same ones again and again; none of none."""
    return [numbers[at % len(numbers)] for at in range(count)] if numbers else []
