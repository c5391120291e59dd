"""Programs tried out on what was known at a moment, before there is a world.

Always holds: what was known is not touched: a rehearsal works on copies.

Knows programs and documents; nothing of states.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from journeyman.dream.worlds.history import Docs, Key
from journeyman.dream.worlds.program import Program
from journeyman.world import documents
from journeyman.world.outcome import Abstain, Failure, Refused


class Rehearsal:
    """In the place of a Desk."""

    def __init__(self, docs: Docs) -> None:
        self._docs = docs
        self.open: Docs = {}

    def find(self, kind: str, key: Any) -> Any:
        if (kind, key) not in self.open:
            found = self._docs.get((kind, key))
            if found is None:
                raise Abstain(f"nobody has seen {kind} {key!r}")
            self.open[kind, key] = copy.deepcopy(found)
        return self.open[kind, key]

    def search(self, kind: str, **wanted: Any) -> Any:
        for (name, key), doc in self._docs.items():
            if name == kind and documents.matches(doc, wanted):
                return self.find(name, key)
        raise Abstain(f"no {kind} has {wanted}")

    def known(self, asked: Callable[[], Any]) -> Any:
        try:
            return asked()
        except (Failure, LookupError, TypeError, ValueError, AttributeError):
            return None

    def done(self, value: Any = None) -> Any:
        return value


def afterwards(program: Program) -> Callable[[Docs, frozenset[str], Mapping[str, Any]], Docs]:
    """The documents that differ after a call of the program."""
    space: dict[str, Any] = {**vars(documents), "Any": Any, "Abstain": Abstain, "Refused": Refused}
    space |= {name.kind.upper(): name.kind for name in program.names.values() if name.kind}
    exec(compile(program.source(decorated=False), f"<{program.tool}>", "exec"), space)
    function = space[program.tool]

    def after(docs: Docs, _mentioned: frozenset[str], arguments: Mapping[str, Any]) -> Docs:
        desk = Rehearsal(docs)
        try:
            function(desk, **arguments)
        except (Failure, LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
            return {}
        changed: dict[Key, dict[str, Any]] = {}
        for key, doc in desk.open.items():
            if doc != docs.get(key):
                changed[key] = doc
        return changed

    return after
