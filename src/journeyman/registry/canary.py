"""The canary: whether an adapter that was loaded is the one that was made, and is in force.

A night writes down how likely its adapter makes a fixed sentence; who serves it later asks the same of what is loaded.

Always holds: an adapter that changes nothing, or something else than it did on the night it was made, does not pass.

Knows an engine and a lineage; nothing of serving.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from journeyman.errors import AdapterError
from journeyman.model import Engine

FIELD = "canary"  # of a lineage
QUESTION = "What have you learned about me?"
_ANSWER = "You told me about your work, your family and what you like."
_TOLERANCE = 0.05  # nats a token: other machines and half precision round differently
_LEAST = 1e-5  # nats: less than any training step changes


def sing(engine: Engine, adapter: str | None) -> list[float]:
    """Log p of each token of the canary under an adapter."""
    with engine.using(adapter):
        prompt = engine.chat([{"role": "user", "content": QUESTION}])
        return engine.score([(prompt, engine.encode(_ANSWER))])[0]


def prove(engine: Engine, adapter: str, lineage: Mapping[str, Any]) -> Iterator[None]:
    """AdapterError if `adapter`, as the engine has it loaded, is not what its lineage says; a pause within, in which
    the engine may do something else."""
    found = sing(engine, adapter)
    yield
    if _apart(found, sing(engine, None)) < _LEAST:
        raise AdapterError(f"adapter {adapter} changes nothing when it is loaded", "run a new night")
    written = lineage.get(FIELD)  # nights before there were canaries wrote none
    if written is not None and _apart(found, written) > _TOLERANCE:
        raise AdapterError(
            f"adapter {adapter} does not say what it said on the night that made it",
            "restore its files from a backup, or load it over the model that it was made for",
        )


def _apart(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest difference at any token; infinite if they are not of the same tokens."""
    if len(one) != len(other):
        return math.inf
    return max((abs(a - b) for a, b in zip(one, other, strict=True)), default=0.0)
