"""What was induced of one tool, and its Python.

Always holds: names are bound in the order of their need, so that nothing is asked of a document before the refusals
that guard it; new values are all computed before the first of them is set.

Knows expressions as text; nothing of the evidence for them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from journeyman.dream.worlds.conditions import Condition
from journeyman.dream.worlds.effects import Effect
from journeyman.dream.worlds.phrases import filled
from journeyman.dream.worlds.reading import Reading, said
from journeyman.dream.worlds.refusals import Refusal
from journeyman.dream.worlds.scope import Name, Scope
from journeyman.dream.worlds.values import quoted

FIELD = re.compile(r'(\w+)\["([^"]+)"\]')  # of a thing that has a name


@dataclass(frozen=True)
class Made:
    """The answer (`kind` is empty), or a new document: `key` is its key; a field that has no reading is not known."""

    kind: str
    key: str
    fields: tuple[tuple[str, str], ...]  # and their expressions ("": unknown)
    when: str = ""  # only then
    scope: Scope | None = None


@dataclass
class Program:
    """`answer`: None where what the tool answers could not be explained; `document`: the name of the document that it
    answers with, if it is one that was known before."""

    tool: str
    writes: bool
    parameters: dict[str, tuple[str, bool]]  # name -> (type, required)
    names: dict[str, Name]
    refusals: tuple[Refusal, ...] = ()
    doubts: tuple[Condition, ...] = ()
    states: tuple[Condition, ...] = ()  # doubts that come before all refusals but those of what is not there
    effects: list[Effect] = dataclasses.field(default_factory=list)
    side: list[Effect] = dataclasses.field(default_factory=list)  # on what the tool does not answer with
    made: tuple[Made, ...] = ()
    forgets: tuple[tuple[str, str], ...] = ()  # names of documents and fields that are not known afterwards
    document: str = ""
    answer: tuple[Reading, ...] | None = None
    seen: int = 0
    refused: int = 0
    unexplained: tuple[str, ...] = ()
    scope: Scope | None = None

    def loose(self) -> set[tuple[str, str]]:
        """Kinds and their fields that the tool changes besides what it answers with."""
        return self._places([*((effect.target, effect.field) for effect in self.side), *self.forgets])

    def own(self) -> set[tuple[str, str]]:
        """Kinds and their fields that the tool changes in what it answers with."""
        return self._places([(effect.target, effect.field) for effect in self.effects])

    def _places(self, changed: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        for target, field in changed:
            while (name := self.names.get(target)) is not None and name.shape != "doc":
                place = FIELD.search(name.text)
                if place is None:
                    break
                target, field = place[1], place[2]
            if name is not None and name.shape == "doc":
                found.add((name.kind, field))
        return found

    @property
    def recordings(self) -> str:
        """The table of what the tool was seen to answer."""
        return f"{self.tool.upper()}_RECORDED"

    def lines(self) -> list[str]:
        """The body, after `desk = Desk(here)`."""
        body = _Body(self)
        groups = _unordered(self.refusals)
        guards = [group for group in groups if all(map(self._is_lookup, group))]
        for group in guards:
            body.refuse(group)
        for doubt in self.states:
            body.doubt(doubt)
        for group in groups:
            if group not in guards:
                body.refuse(group)
        if self.answer is None:
            if self.writes:
                body.add(f"raise Abstain({quoted('nobody knows ' + ', '.join(self.unexplained or ('the answer',)))})")
            else:
                asked = "".join(f", {name}={name}" for name in sorted(self.parameters))
                body.add(f"return desk.recorded({self.recordings}{asked})")
            return body.lines
        for doubt in self.doubts:
            body.doubt(doubt)
        for made in self.made:
            body.make(made)
        body.change(self.effects, self.side)
        body.need(" ".join(each.text for each in self.answer))
        body.add(f"return desk.done({said(self.answer)})")
        return body.lines

    def _is_lookup(self, refusal: Refusal) -> bool:
        """Whether it says that what the arguments name is not there."""
        name = self.names.get(refusal.readings[0].text.removesuffix(" is None"))
        return name is not None and name.shape == "doc" and self.by_arguments(name)

    def by_arguments(self, name: Name) -> bool:
        """Whether the arguments alone say what this is."""
        return self.scope is not None and not self.scope.needs(name.text)

    def source(self, decorated: bool = True) -> str:
        """The whole function."""
        body = self.lines()
        writes = self.writes or any("desk.new(" in line or "desk.forget(" in line for line in body)
        lines = [f"@{'write' if writes else 'read'}"] if decorated else []
        lines.append(f"def {self.tool}({self._signature(decorated)}) -> Any:")
        said = f"{self.tool.replace('_', ' ').capitalize()}. Seen {self.seen} times, refused {self.refused} times."
        lines.append(f'    """{said}"""')
        if decorated:
            lines.append("    with Desk(here) as desk:")
        indent = "        " if decorated else "    "
        return "\n".join([*lines, *(indent + line for line in body), ""])

    def _signature(self, decorated: bool) -> str:
        parts = ["here: Context" if decorated else "desk"]
        order = sorted(self.parameters.items(), key=lambda item: not item[1][1])
        for name, (kind, required) in order:
            parts.append(f"{name}: {kind}" if required else f"{name}: {kind} | None = None")
        return ", ".join(parts)


class _Body:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.lines: list[str] = []
        self._bound: set[str] = set(program.parameters)

    def add(self, line: str) -> None:
        self.lines.append(line)

    def doubt(self, doubt: Condition) -> None:
        self.need(doubt.text)
        self.add(f"doubt_if({doubt.text})")

    def make(self, made: Made) -> None:
        before, inner = self.program.scope, "    " if made.when else ""
        names, bound = self.program.names, set(self._bound)
        if made.scope is not None:
            self.program.scope, self.program.names = made.scope, made.scope.names
        start = len(self.lines)
        for _, text in made.fields:
            if text:
                self.need(text, softly=bool(made.kind))
        if made.kind:
            self.add(f"new_{made.kind} = desk.add({made.kind.upper()}, {made.key}, {{")
            self.lines += [f"    {quoted(field)}: lambda: {text}," for field, text in made.fields if text]
            self.add("})")
            self.lines += [f"desk.forget(new_{made.kind}, {quoted(field)})" for field, text in made.fields if not text]
        else:
            self.add("answered = {" + ", ".join(f"{quoted(field)}: {text}" for field, text in made.fields) + "}")
            bound |= self._bound
        lines, self.lines = self.lines[start:], self.lines[:start]
        if made.when:
            self.add(f"if {made.when}:")
        self.lines += [inner + line for line in lines]
        self._bound = bound | {"answered"} if not made.when and not made.kind else bound
        self.program.scope, self.program.names = before, names

    def need(self, text: str, softly: bool = False) -> None:
        """Bind the names that an expression uses."""
        if self.program.scope is None:
            return
        for name in self.program.scope.needs(text):
            if name not in self._bound:
                self._bind(name, softly)

    def _bind(self, name: str, softly: bool) -> None:
        text = self.program.names[name].text
        self._bound.add(name)
        self.need(text, softly)
        self.add(f"{name} = desk.known(lambda: {text})" if softly else f"{name} = {text}")

    def refuse(self, group: Sequence[Refusal]) -> None:
        """One refusal; or several of which nobody saw which comes first."""
        for refusal in group:
            for each in (*(r.text for r in refusal.readings), refusal.who):
                if each:
                    self.need(each)
        if len(group) > 1:
            self.add("refuse_one(")
            for refusal in group:
                self.add(f"    (lambda: {self._when(refusal)}, {self._says(refusal, late=True)}),")
            self.add(")")
        elif group[0].who:
            self.add(f"if {self._when(group[0])}:")
            self.add(f"    raise Refused({self._says(group[0])})")
        else:
            self.add(f"refuse_if({self._when(group[0])}, {self._says(group[0])})")

    def _when(self, refusal: Refusal) -> str:
        return said([Reading(each.text, each.cost) for each in refusal.readings])

    def _says(self, refusal: Refusal, late: bool = False) -> str:
        says = filled(refusal.says, refusal.who) if refusal.who else quoted(refusal.says)
        return f"lambda: {says}" if late else says

    def change(self, effects: Sequence[Effect], side: Sequence[Effect]) -> None:
        """All that is new is computed before any of it is set."""
        for effect in effects:
            self.need(effect.target)
            for each in effect.readings:
                self.need(each.text)
        sets: list[str] = []
        for at, effect in enumerate(effects):
            value = said(effect.readings)
            if len(effects) + len(side) > 1 and not value.isidentifier() and value[:1] not in "'\"":
                self.add(f"new_{at} = {value}")
                value = f"new_{at}"
            sets += _set(effect, value)
        for at, effect in enumerate(side, len(effects)):
            self.need(effect.target, softly=True)
            for each in effect.readings:
                self.need(each.text, softly=True)
            place = f"{effect.target}[{quoted(effect.field)}]"
            if effect.along:
                self.add(f"new_{at} = desk.known(lambda: {said(effect.readings)}) or ()")
                sets += [
                    f"for each, value in zip({effect.target} or (), new_{at}):",
                    "    if each is not None and value is not None:",
                    f"        each[{quoted(effect.field)}] = value",
                ]
                continue
            there = effect.where or f"{quoted(effect.field)} in {effect.target}"
            self.add(f"if has_{at} := {effect.target} is not None and {there}:")
            value = said(effect.readings)
            self.add(f"    new_{at} = {f'never_below_zero({value})' if effect.positive else value}")
            sets += [f"if has_{at}:", f"    {place} = new_{at}"]
        for name, field in self.program.forgets:
            self.need(name, softly=True)
            sets.append(f"desk.forget({name}, {quoted(field)})")
        self.lines += sets


def _unordered(refusals: Sequence[Refusal]) -> list[list[Refusal]]:
    """Neighbours of which nobody saw which one comes first, together."""
    groups: list[list[Refusal]] = []
    for refusal in refusals:
        if groups and not any(earlier.ordered(refusal) for earlier in groups[-1]):
            groups[-1].append(refusal)
        else:
            groups.append([refusal])
    return groups


def _set(effect: Effect, value: str) -> list[str]:
    if effect.along:
        return [
            f"for each, value in zip({effect.target}, {value}):",
            f"    each[{quoted(effect.field)}] = value",
        ]
    return [f"{effect.target}[{quoted(effect.field)}] = {value}"]
