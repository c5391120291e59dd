"""Whether the same actions show the same: again, elsewhere, side by side, from the middle, and from the start.

Always holds: what differs is told with the first place where it does; what could not be asked is left untested.

Knows recorded traces and labs; nothing of why they differ (causes.py), nor of what an episode is paid.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from journeyman.grind.lab import LabError
from journeyman.grind.measurement import Measurement, unpaid
from journeyman.grind.report import Check, inapplicable, share, untested
from journeyman.grind.surroundings import Surroundings, another_locale, together
from journeyman.grind.trace import Trace, difference, same

TASKS = 24  # whose episodes are recorded
STEPS = 40  # of a random episode
ORACLE_STEPS = 200
ROUNDS = 3  # of playing all of them again
THREADS = 64
REPLAYABLE = ("replayable.fork", "replayable.restore", "replayable.replay")
CHANGES = ("hash_seed", "clock", "time_zone", "locale")
LATER = 1.1  # seconds: what a clock that counts seconds needs to show
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
                different += oracles(m, lab, [number for number, _ in found], seconds / 6)
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
        evidence |= reads(m, [different[0][0]], 5.0)
    return share(id_, len(found) - len(different), len(found), 1.0, evidence)


def oracles(m: Measurement, lab: Any, numbers: Sequence[int], seconds: float) -> Parted:
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


def reads(m: Measurement, numbers: Sequence[int], seconds: float) -> dict[str, Any]:
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
