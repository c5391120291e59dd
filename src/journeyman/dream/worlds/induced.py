"""The induced world: rules from the book, a state from what the log knew, and a way to show it more of the real one.

    induced = Induced.of(induction, "retail")
    outcome = induced.world.call("get_order", {"order_id": "R-7"})
    induced.observe(call)     # what the real tool answered: the state follows

Always holds: what is not known is not in the state; a document that was only named is there as a name; after `observe`
the state holds what the real answer showed, whatever the world itself had said.

Knows worlds; nothing of how programs were induced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from journeyman.dream.worlds import book
from journeyman.dream.worlds.calls import Call, leaves, spoken
from journeyman.dream.worlds.history import History, initial, named, references
from journeyman.dream.worlds.induction import Induction
from journeyman.dream.worlds.rehearsal import renamed, settled
from journeyman.dream.worlds.values import same
from journeyman.world.context import Context
from journeyman.world.documents import Documents, spelled, unsaid
from journeyman.world.outcome import Outcome, Tier
from journeyman.world.state import State
from journeyman.world.world import Rules, World

_LETTERS, _DIGITS = re.compile(r"[A-Za-z]+"), re.compile(r"[0-9]+")
_SURE = 0.95  # so many of the calls that were made again were answered as before


class Induced:
    """`source`: the Python file that the rules were read from."""

    def __init__(self, rules: Rules, documents: Mapping[str, Documents], history: History, source: str) -> None:
        self.rules = rules
        self.documents = documents
        self.kinds = history.kinds
        self.refers = {field: kind for field, kind in references(history).items() if kind in documents}
        self.changing = [
            name
            for name, kind in self.kinds.all.items()
            if name in documents and not kind.part | (name in history.fixed)
        ]
        self.worked = {call.tool for session in history.sessions for call in session.calls if call.ok}
        self.source = source
        self.loose: dict[str, set[tuple[str, str]]] = {}  # what each tool changes besides what it answers with
        self.start = self._initial(history)
        self.world = World(rules, self.start)
        closed = [name for name, each in documents.items() if each.closed]
        self._shapes = {name: set(map(_shape, self.start.keys(name))) - {""} for name in closed}

    @classmethod
    def of(cls, induction: Induction, name: str) -> Induced:
        kinds = induction.kinds.all.values()
        sessions = len(induction.history.sessions)
        text = book.written(name, sessions, kinds, induction.closed, induction.programs)
        made = cls(*book.rules(book.module(text, name), name), induction.history, text)
        made.loose = {tool: program.loose() for tool, program in induction.programs.items()}
        return made

    def _initial(self, history: History) -> State:
        """What is known at the beginning: documents, names of documents, and answers that are only repeated."""
        rows: dict[str, dict[str, Any]] = {kind: {} for kind in self.documents}
        known = {key: document for key, document in initial(history).items() if key[0] in rows}
        for (kind, key), document in known.items():
            rows[kind][key] = self.documents[kind].row(key, document)
        born = {key for _, key in history.births.values()}
        for shows in history.shows:
            for kind, key in (each for docs in shows for each in docs):
                if kind in rows and (kind, key) not in born:  # it was there, whatever it was like
                    rows[kind].setdefault(key, self.documents[kind].row(key, None))
        for document in known.values():
            for kind, key in _references(document, self.refers):
                rows[kind].setdefault(key, self.documents[kind].row(key, None))
        for tool in self.rules.tools:
            kind = book.recordings_of(tool)
            for asked, answer in _answers(history, tool).items() if kind in rows else ():
                rows[kind][asked] = self.documents[kind].row(asked, {"answer": answer})
        tables = [each.table for each in self.documents.values()]
        return State.build(tables, {kind: each.values() for kind, each in rows.items()})

    def is_new(self, text: str) -> bool:
        """Whether the world has made this up, as a name for something new."""
        return any(text.startswith(f"{kind}-") for kind in self.world.state.counters)

    def hear(self, text: str) -> None:
        """Somebody names things: what looks like a name, and is none that is known, may be there all the same."""
        if not self._shapes:
            return
        here = Context(self.world.state, True, Tier.RECORDED)
        words = {word: _shape(word) for word in sorted(spoken(text))}
        for kind, shapes in self._shapes.items():
            documents = self.documents[kind]
            for word, shape in words.items():
                if shape in shapes and not here.has(documents.table, word):
                    here.put(documents.table, documents.row(word, None))
        self.world.restore(here.result())

    def _loosen(self, here: Context, call: Call) -> None:
        """The real tool did what the world did not dare to: what it may have changed is not known any more."""
        if call.tool not in self.worked:  # nobody knows what it does: what it names may be any other way now
            self._forget(here, call)
        near = {*leaves(call.arguments), *leaves(call.value)}
        for kind, field in sorted(self.loose.get(call.tool, ())):
            documents = self.documents[kind]
            for key in sorted(near):
                if here.has(documents.table, key):
                    document = documents.document(here.get(documents.table, key))
                    if document is not None:
                        unsaid(document, field)
                        here.put(documents.table, documents.row(key, document))

    def _forget(self, here: Context, call: Call) -> None:
        """What a call names, and what that speaks of, is not known any more."""
        named = [(kind, key) for key in sorted(set(leaves(call.arguments))) for kind in self.changing]
        there = [(kind, key) for kind, key in named if here.has(self.documents[kind].table, key)]
        for kind, key in list(there):
            document = self.documents[kind].document(here.get(self.documents[kind].table, key))
            there += [each for each in _references(document, self.refers) if each[0] in self.changing]
        for kind, key in dict.fromkeys(there):
            if here.has(self.documents[kind].table, key):
                here.put(self.documents[kind].table, self.documents[kind].row(key, None))

    def _rename(self, before: State, names: Mapping[str, str]) -> None:
        """What the last call made has the names that the real answer gives it."""
        here = Context(self.world.state, True, Tier.RECORDED)
        for kind, documents in self.documents.items():
            for key, row in _changed(before, self.world.state, kind):
                document = documents.document(row)
                if document is not None:
                    here.remove(documents.table, key)
                    here.put(documents.table, documents.row(names.get(key, key), settled(document, names)))
        self.world.restore(here.result())

    def observe(self, call: Call) -> Outcome:
        """The real tool was called and gave this answer. What the world would have said."""
        before = self.world.state
        outcome = self.world.call(call.tool, call.arguments)
        if outcome.ok != call.ok:
            self.world.restore(before)
        elif outcome.ok and (names := renamed(outcome.value, call.value, self.is_new)):
            self._rename(before, names)
        if call.ok:
            here = Context(self.world.state, True, Tier.RECORDED)
            if not outcome.ok:
                self._loosen(here, call)
            for kind, key, document in self.kinds.shown(call):
                if kind not in self.documents:
                    continue
                documents = self.documents[kind]
                held = documents.document(here.get(documents.table, key)) if here.has(documents.table, key) else None
                here.put(documents.table, documents.row(key, self.kinds.after(call.tool, kind, held, document)))
            for kind, key in _references(call.value, self.refers, call.tool):
                documents = self.documents[kind]
                if not here.has(documents.table, key):
                    here.put(documents.table, documents.row(key, None))
            self.world.restore(here.result())
        return outcome


def _shape(name: str) -> str:
    """What a name looks like: R-17 and K-3 look alike. Nothing, if there is no number in it: that may be any word."""
    shape = _DIGITS.sub("9", _LETTERS.sub("a", name))
    return shape if "9" in shape else ""


def _changed(before: State, after: State, table: str) -> list[tuple[str, Any]]:
    """Rows that the last call made or changed."""
    found: list[tuple[str, Any]] = []
    log = after.log
    while log is not None and log is not before.log:
        log, written, _, row, _ = log
        if row is not None and written.name == table:
            found.append((row[0], row))
    return found


def _answers(history: History, tool: str) -> dict[str, Any]:
    """What was always answered to the same call; nothing, if the tool does not answer the same twice."""
    found: dict[str, Any] = {}
    differs: set[str] = set()
    again = alike = 0
    for session in history.sessions:
        for call in session.calls:
            if call.tool == tool:
                asked = spelled(call.arguments)
                if asked in found:
                    again += 1
                    alike += call.ok and same(found[asked], call.value)
                if not call.ok or not same(found.setdefault(asked, call.value), call.value):
                    differs.add(asked)
    if alike < _SURE * again:
        return {}
    return {asked: found[asked] for asked in sorted(found) if asked not in differs}


def _references(value: Any, refers: Mapping[str, str], tool: str = "") -> Iterable[tuple[str, str]]:
    for field, key in named(value, f"{tool}()"):
        if field in refers:
            yield refers[field], key
