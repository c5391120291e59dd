"""How numbers stand in the cells of a table."""

from __future__ import annotations


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"
