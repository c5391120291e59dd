"""Sessions -> lessons -> situations, and sessions -> worlds: what was said, and what the tools behind it do.

    import journeyman
    dreamed = journeyman.dream(sessions)      # dreamed.py, worlds/
    print(dreamed.card)

Always holds: nothing here needs a model or torch; the same sessions give the same lessons, situations and worlds in the
same order; every situation names the lesson that it came from and, where it has an answer, the words that prove it.

Knows nothing of training: whether a situation is worth it is measured elsewhere.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from journeyman.dream.dreamed import Dreamed, dream

__all__ = ["Dreamed", "dream"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'journeyman.dream' has no attribute {name!r}")
    return getattr(import_module("journeyman.dream.dreamed"), name)
