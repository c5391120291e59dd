"""How many at once, how fast, and at what cost.

Always holds: a number of instances counts only if their episodes equal themselves alone; a cost is of the episodes
that were recorded, made, played and judged one after the other on one core.

Knows recorded episodes; nothing of why they might differ.
"""

from __future__ import annotations

import math
import statistics

from journeyman.grind.dynamics import ALONE, cycle
from journeyman.grind.measurement import Measurement
from journeyman.grind.report import MOST, Check, untested
from journeyman.grind.trace import difference
from journeyman.shares import wilson

AT_ONCE = 64  # what a verdict asks for
MOST_AT_ONCE = 1024
CORE_HOUR = 0.05  # dollars: about what one core of a large cloud's general machines costs on demand
EPISODES, LONGEST = 1000, 2.0  # so many, or in so many seconds, tell the cost of short episodes well enough
AFFORDABLE = 3600.0  # core-seconds for 1,000 episodes


def parallel(m: Measurement, seconds: float) -> None:
    speed(m, seconds / 3)
    instances(m, seconds * 2 / 3)


def instances(m: Measurement, seconds: float) -> None:
    """The largest number of live episodes, of 64, 256 and 1,024, or below, at which 95 % equal themselves alone."""
    if not (steady := m.steady):
        m.add(untested("parallel.instances", ALONE))
        return
    ends = m.budget.used + seconds
    largest, asked, equal, bad, took = 0, 0, 0, {}, 0.0
    sizes, falling = [AT_ONCE, 4 * AT_ONCE, MOST_AT_ONCE], False
    while sizes and (left := ends - m.budget.used) > 0:
        n = sizes.pop(0)
        if largest and not bad and took * n / largest > left:  # there would be nothing to show for it
            break
        began = m.budget.used
        found = m.played(m.lab, cycle(steady, n), left, "interleave", order=n)
        took = m.budget.used - began
        if len(found) < n:
            break
        different = [(number, parted) for number, trace in found if (parted := difference(m.traces[number], trace))]
        if (n - len(different)) / n >= MOST:
            largest, asked, equal = n, n, n - len(different)
            if falling:
                break
        else:
            bad = bad or {"at_once": n, "different": m.where(*different[0])}
            asked, equal = (n, n - len(different)) if not largest else (asked, equal)
            sizes = [] if largest else [size for size in (32, 16, 8, 4, 2, 1) if size < n]
            falling = True
    interval = wilson(equal, asked) if asked else None
    evidence = {"value_is": "live episodes at once", "interval_is": "share that equals itself alone", **bad}
    if largest < AT_ONCE and not bad:
        reason = f"the time was over before {AT_ONCE} had ended"
        m.add(Check("parallel.instances", None, None, 0, None, {"reason": reason}))
        return
    m.add(Check("parallel.instances", largest >= AT_ONCE, largest, asked, interval, evidence))


def speed(m: Measurement, seconds: float) -> None:
    """Core-seconds for 1,000 episodes of the recorded kind."""
    seconds = min(seconds, LONGEST)
    request = {"scripts": m.scripts, "times": EPISODES, "seconds": seconds}
    found = [item for _, item in m.some(m.lab, "speed", seconds, range(EPISODES), **request)]
    if not found:
        m.add(untested("parallel.speed", "the time was over before one episode had ended"))
        return
    took = [item["seconds"] for item in found]
    mean = statistics.fmean(took)
    half = 1.96 * statistics.stdev(took) / math.sqrt(len(took)) if len(took) > 1 else math.inf
    steps = sum(item["steps"] for item in found)
    evidence = {
        "value_is": "core-seconds for 1,000 episodes",
        "steps_per_second_and_core": round(steps / sum(took), 1),
        "episodes_per_second_and_core": round(1 / mean, 1),
        "cpu_share": round(sum(item["cpu"] for item in found) / sum(took), 3),
        "dollars_for_1000_episodes": round(1000 * mean / 3600 * CORE_HOUR, 6),
        "dollars_for_a_core_hour": CORE_HOUR,
    }
    low, high = 1000 * max(0.0, mean - half), 1000 * (mean + half)
    passed = True if high <= AFFORDABLE else False if low > AFFORDABLE else None
    if passed is None:
        evidence = {"reason": f"{len(took)} episodes are too few to tell whether 1,000 cost more", **evidence}
    interval = (round(low, 4), round(high, 4)) if half < math.inf else None
    m.add(Check("parallel.speed", passed, round(1000 * mean, 4), len(took), interval, evidence))
