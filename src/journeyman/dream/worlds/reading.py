"""One way to read the evidence: an expression that gives what was seen.

Always holds: several readings become one expression that abstains where they differ.

Knows text; nothing of scopes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Reading(NamedTuple):
    """An expression in the names of a scope."""

    text: str
    cost: float


def said(readings: Sequence[Reading]) -> str:
    """One expression for all readings: it abstains where they differ."""
    if len(readings) == 1:
        return readings[0].text
    return f"agreed({', '.join(f'lambda: {each.text}' for each in readings)})"
