"""Read values that may be missing, and write them as a person would.

Always holds: nothing here raises on a value of the wrong type; what is not a finite number is None, and
None is written as an en dash.

Does not know: HTML, or what the values mean.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

NOTHING = "–"
_PLAIN = re.compile(r"[\w ,.;:?()'-]{1,90}")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July")
_MONTHS += ("August", "September", "October", "November", "December")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def part(source: object, name: str) -> Mapping[str, Any]:
    """The mapping called `name`, or an empty one."""
    value = source.get(name) if isinstance(source, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def rows(source: object, name: str) -> list[Mapping[str, Any]]:
    """The mappings in the list called `name`; whatever else stands there is skipped."""
    value = source.get(name) if isinstance(source, Mapping) else None
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return []
    return [row for row in value if isinstance(row, Mapping)]


def number(value: object) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an int that no float can hold
        return None


def pair(value: object) -> tuple[float, float] | None:
    """Two finite numbers (an interval, or before and after), or None."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or len(value) != 2:
        return None
    low, high = number(value[0]), number(value[1])
    return None if low is None or high is None else (low, high)


def text(value: object) -> str:
    """A string; None is the empty one."""
    return "" if value is None else str(value)


def percent(value: object, digits: int = 0) -> str:
    """0.45 as 45%."""
    share = number(value)
    return NOTHING if share is None else f"{share * 100:.{digits}f}%".replace("-", "−")


def points(value: object) -> str:
    """A difference of shares in percentage points, signed: -0.005 as −0.5."""
    share = number(value)
    if share is None:
        return NOTHING
    tenths = round(share * 100, 1)
    return "0.0" if tenths == 0 else f"{tenths:+.1f}".replace("-", "−")


def whole(value: object) -> str:
    """61000 as 61 000, with a space that does not break."""
    count = number(value)
    return NOTHING if count is None else f"{round(count):,}".replace(",", "\u202f").replace("-", "−")


def small(value: object) -> str:
    """A positive measure with three significant digits; very small ones as a power of ten."""
    measure = number(value)
    if measure is None:
        return NOTHING
    if measure and abs(measure) < 0.001:
        mantissa, exponent = f"{measure:.0e}".split("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(_RAISED)}".replace("-", "−")
    return f"{measure:.3g}".replace("-", "−")


def counted(value: object, noun: str) -> str:
    """1 lesson, 2 lessons."""
    return f"{whole(value)} {noun if number(value) == 1 else noun + 's'}"


def seconds(value: object) -> str:
    """713.2 as 713.2 s: exact, for tables."""
    span = number(value)
    return NOTHING if span is None else f"{span:,.1f} s".replace(",", "\u202f")


def duration(value: object) -> str:
    """713.2 as 11 min 53 s, with spaces that do not break."""
    span = number(value)
    if span is None or span < 0:
        return NOTHING
    if span < 60:
        return f"{span:.1f}\u00a0s"
    minutes, rest = divmod(round(span), 60)
    hours, minutes = divmod(minutes, 60)
    pieces = [(hours, "h"), (minutes, "min"), (0 if hours else rest, "s")]
    return "\u00a0".join(f"{n}\u00a0{unit}" for n, unit in pieces if n)


def moment(value: object) -> str:
    """2026-11-22T01:00:00+00:00 as 22 November 2026, 01:00 UTC; what is no moment is returned as it is."""
    try:
        at = datetime.fromisoformat(text(value))
    except ValueError:
        return text(value)
    offset = at.utcoffset()
    zone = "" if offset is None else " UTC" if offset == timedelta(0) else f" {at.strftime('%Z')}"
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M}{zone}"


def quotable(value: object) -> bool:
    """Whether a person can copy it between double quotes into any shell."""
    return bool(_PLAIN.fullmatch(text(value)))
