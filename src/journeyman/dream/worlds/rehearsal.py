"""Programs tried out on what was known at a moment, before there is a world.

Always holds: what was known is not touched: a rehearsal works on copies.

Knows programs and documents; nothing of states.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from journeyman.dream.worlds.calls import Call
from journeyman.dream.worlds.history import Docs, Key
from journeyman.dream.worlds.program import Program
from journeyman.world import documents
from journeyman.world.outcome import Abstain, Failure, Refused

NEW = "\0"


class Rehearsal:
    """In the place of a Desk."""

    def __init__(self, docs: Docs) -> None:
        self._docs = docs
        self.open: Docs = {}
        self._new = 0

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

    def add(self, kind: str, key: str, fields: Mapping[str, Callable[[], Any]]) -> Any:
        made: dict[str, Any] = {}
        for field, told in fields.items():
            try:
                made[field] = told()
            except (Failure, LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
                documents.unsaid(made, field)
        self.open[kind, key] = made = copy.deepcopy(made)
        return made

    def new(self, kind: str) -> str:
        self._new += 1
        return f"{NEW}{kind}-{self._new}"

    def forget(self, document: Any, field: str) -> None:
        if document is not None:
            documents.unsaid(document, field)

    def recorded(self, *_: Any, **__: Any) -> Any:
        raise Abstain("that is not rehearsed")


def afterwards(program: Program) -> Callable[[Docs, Call], Docs]:
    """The documents that differ after a call of the program. What is new has the names that the real answer gave it;
    what the answer did not name begins with NEW."""
    space: dict[str, Any] = {**vars(documents), "Any": Any, "Abstain": Abstain, "Refused": Refused}
    scopes = [program.scope, *(made.scope for made in program.made)]
    space |= {kind.upper(): kind for scope in scopes if scope is not None for kind in scope.kinds.all}
    space[program.recordings] = ""
    exec(compile(program.source(decorated=False), f"<{program.tool}>", "exec"), space)
    function = space[program.tool]

    def after(docs: Docs, call: Call) -> Docs:
        desk = Rehearsal(docs)
        try:
            answer = function(desk, **call.arguments)
        except (Failure, LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
            return {}
        names = renamed(answer, call.value)
        changed: dict[Key, dict[str, Any]] = {}
        for (kind, key), doc in desk.open.items():
            if doc != docs.get((kind, key)):
                changed[kind, names.get(key, key)] = settled(doc, names)
        return changed

    return after


def renamed(mine: Any, real: Any, new: Callable[[str], bool] = lambda text: text.startswith(NEW)) -> dict[str, str]:
    """What is new in one answer, under the names that it has in the other."""
    if isinstance(mine, str) and isinstance(real, str):
        return {mine: real} if new(mine) else {}
    found: dict[str, str] = {}
    if isinstance(mine, dict) and isinstance(real, dict):
        for name in mine:
            found |= renamed(mine[name], real.get(name), new)
    elif isinstance(mine, list) and isinstance(real, list):
        for one, other in zip(mine, real, strict=False):
            found |= renamed(one, other, new)
    return found


def settled(value: Any, names: Mapping[str, str]) -> Any:
    """The same with other names."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, dict):
        return {name: settled(each, names) for name, each in value.items()}
    return [settled(each, names) for each in value] if isinstance(value, list) else value
