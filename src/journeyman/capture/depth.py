"""How deeply JSON may be nested.

Python reads and writes JSON by recursion, and how much of it there is room for depends on who calls. So one bound holds
for all that comes in: far above what requests, tools' schemas and answers need, far below what there is room for.

Always holds: what is not too deep can be read and written again, wherever.

Knows nothing of what the values mean.
"""

from __future__ import annotations

from typing import Any

MOST = 100  # lists and objects within each other


def too_deep(text: bytes | str, value: Any) -> bool:
    """Whether `value`, that was read from `text`, is nested more than MOST deep."""
    opening = text.count(b"[") + text.count(b"{") if isinstance(text, bytes) else text.count("[") + text.count("{")
    if opening <= MOST:
        return False
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MOST):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
