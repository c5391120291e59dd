"""When the next night begins: at a time of day, as the clocks on the wall of this machine show it.

Always holds: one night a day, also where the clocks are changed: a time that is shown twice counts once, the first
time, and one that is not shown counts as that much later. Who has slept past it (a laptop) is awake at once.

Knows no nights, only times: seconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

LONGEST_SLEEP = 30.0  # seconds: a clock that is set, or a machine that wakes up, is noticed after that


def time_of_day(word: str) -> time:
    """ "02:00"; ValueError for anything else."""
    if not re.fullmatch(r"\d{1,2}:\d{2}", word, re.ASCII):
        raise ValueError(f"{word!r} is no time of day")
    hours, minutes = map(int, word.split(":"))
    return time(hours, minutes)


def next_time(after: float, at: time) -> float:
    """The first moment after this one when it is `at` here."""
    day = datetime.fromtimestamp(after).date()
    # Yesterday's too: across a change of clocks or of zone its time may lie after now. Without a zone, Python asks the
    # system's, and takes the first (fold=0) of two times that look alike.
    days = (datetime.combine(day + timedelta(days=offset), at) for offset in range(-1, 3))
    return min(moment for each in days if (moment := each.timestamp()) > after)


def wait(until: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
    while (left := until - clock()) > 0:
        sleep(min(left, LONGEST_SLEEP))


def written(moment: float) -> str:
    """In ISO 8601, in UTC."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
