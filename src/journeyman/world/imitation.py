"""What is said where a world does not know: by whoever plays the tool, once, and kept from then on.

    rules = rules.imitated(Kept({"get_order …": {"id": "R-9"}}))

A world without an imitator abstains there, which is the default. With one, reads are answered at the tier of imitation,
and count for less; writes abstain all the same, for nobody knows what they would change.

Always holds: what was said of a call in a state is said of it again; nobody is asked twice.

Knows calls and states; nothing of models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from journeyman.world.documents import spelled
from journeyman.world.state import State


class Imitator(Protocol):
    """Answers as the tool would: a JSON value, or None where it cannot tell either."""

    def __call__(self, tool: str, arguments: Mapping[str, Any], state: State) -> Any: ...


class Kept:
    """`answers`: what was said, by `asked`."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = dict(answers)

    def __call__(self, tool: str, arguments: Mapping[str, Any], state: State) -> Any:
        return self.answers.get(asked(tool, arguments, state))


def asked(tool: str, arguments: Mapping[str, Any], state: State) -> str:
    """One text for one call in one state."""
    return f"{tool} {spelled(arguments)} {state.digest}"
