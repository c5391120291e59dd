"""From a log to programs: one for each tool, and what is known at the beginning.

Always holds: the same log gives the same programs; a tool of which nothing could be explained has a program that
abstains.

Knows all parts of the induction; nothing of worlds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from journeyman.dream.worlds.calls import Recording
from journeyman.dream.worlds.conditions import Scalar, conditions, scalars
from journeyman.dream.worlds.effects import Effect, Explainer, Reading, positive, same, sums
from journeyman.dream.worlds.history import History, Key, Moment
from journeyman.dream.worlds.kinds import Kinds
from journeyman.dream.worlds.program import Program
from journeyman.dream.worlds.rehearsal import afterwards
from journeyman.dream.worlds.refusals import refusals
from journeyman.dream.worlds.scope import UNKNOWN, Name, Scope

_UNEXPLAINED = 0.08  # of the calls that seem to succeed, no more may be refused for reasons unknown
_CLOSED = 3  # so many calls named what nothing else named, and all failed


class Induction:
    """Programs by tool, and the kinds and documents that they are about."""

    def __init__(self, sessions: Sequence[Recording]) -> None:
        self.kinds = Kinds(sessions)
        self.history = History(sessions, self.kinds)
        self.closed = closed(self.history)
        self.programs: dict[str, Program] = {}
        self._explainers: dict[str, Explainer] = {}
        self._pass()
        if any(program.side for program in self.programs.values()):
            self.history.replay({tool: afterwards(program) for tool, program in self.programs.items() if program.side})
            self._pass()

    def _pass(self) -> None:
        for tool, moments in self.history.by_tool().items():
            self.programs[tool] = self._induced(tool, moments)
        self._side_effects()

    def _induced(self, tool: str, moments: list[Moment]) -> Program:
        scope = Scope(moments, self.kinds, self.closed)
        plain = scalars(scope)
        extra = sorted(sums(scope), key=lambda each: (each.cost, each.text))[:40]
        found = conditions(scope, plain, extra)
        refused = refusals(scope, found, plain)
        writes = tool in self.history.writers
        program = Program(
            tool,
            writes,
            _parameters(moments),
            scope.names,
            refused.listed,
            seen=len(moments),
            refused=sum(not moment.call.ok for moment in moments),
            scope=scope,
            doubts=refused.doubts,
        )
        explainer = self._explainers[tool] = Explainer(scope, plain, found)
        oks = [at for at, moment in enumerate(moments) if moment.call.ok]
        if not oks:
            program.unexplained = ("what it answers: it was never seen to succeed",)
        elif tool in self.kinds.whole:
            self._document(program, explainer, moments, oks)
        else:
            readings = explainer.readings({at: moments[at].call.value for at in oks})
            if readings:
                program.answer = tuple(readings)
        if refused.unexplained > _UNEXPLAINED * (len(oks) + refused.unexplained):
            program.answer, program.unexplained = None, ("when it refuses",)
        return program

    # -- what a tool answers with

    def _document(self, program: Program, explainer: Explainer, moments: list[Moment], oks: list[int]) -> None:
        """The answer is a document: what of it has changed?"""
        scope = explainer.scope
        shown = {at: next(iter(moments[at].shows.items())) for at in oks if moments[at].shows}
        known = [at for at in shown if shown[at][0] in moments[at].docs]
        target = next(
            (
                name
                for name in scope.names.values()
                if name.shape == "doc" and all(name.values[at] is moments[at].docs[shown[at][0]] for at in known)
            ),
            None,
        )
        if target is None or not known:
            program.unexplained = ("a document that is new",)
            return
        changed: dict[str, None] = {}
        known = [at for at in known if self._fresh(moments[at], shown[at][0])] or known
        for at in known if program.writes else ():
            old, new = moments[at].docs[shown[at][0]], shown[at][1]
            for name in {**old, **new}:
                if not same(old.get(name, UNKNOWN), new.get(name, UNKNOWN)):
                    changed[name] = None
        unexplained: list[str] = []
        for name in sorted(changed):
            wanted = {at: shown[at][1][name] for at in known if name in shown[at][1]}
            readings = explainer.readings(wanted, f'{target.name}["{name}"]')
            if readings:
                program.effects.append(Effect(target.name, name, tuple(readings)))
            elif parts := _along(explainer, target, name, wanted):
                program.effects += parts
            else:
                unexplained.append(name)
        if unexplained:
            program.unexplained = tuple(unexplained)
        else:
            program.answer = (Reading(target.name, 0.0),)

    def _fresh(self, moment: Moment, key: Key) -> bool:
        """Whether nothing was written since the document was seen."""
        for earlier in reversed(self.history.moments[moment.session][: moment.place]):
            if key in earlier.shows:
                return True
            if earlier.call.ok and earlier.call.tool in self.history.writers:
                return False
        return True

    # -- what a tool changes besides

    def _side_effects(self) -> None:
        examples: dict[str, dict[int, dict[Key, dict[str, Any]]]] = defaultdict(lambda: defaultdict(dict))
        index = {
            id(moment): at for tool, moments in self.history.by_tool().items() for at, moment in enumerate(moments)
        }
        for moments in self.history.moments:
            last: dict[Key, int] = {}
            for place, moment in enumerate(moments):
                for key, doc in moment.shows.items():
                    since = last.get(key, -1)
                    last[key] = place
                    if key not in moments[0].docs and since < 0:
                        continue
                    own = self._own_fields(moment)
                    between = [
                        m
                        for m in moments[since + 1 : place]
                        if m.call.ok and m.call.tool in self.history.writers and key in m.docs and self._reaches(m, key, index)
                    ]
                    if len(between) == 1:
                        old = between[0].docs[key]
                        after = {**doc, **{name: old[name] for name in own if name in old}}
                        examples[between[0].call.tool][index[id(between[0])]][key] = after
        for tool, seen in sorted(examples.items()):
            self._side(self.programs[tool], self._explainers[tool], seen)

    def _own_fields(self, moment: Moment) -> set[str]:
        """What the call that shows a document has itself changed of it."""
        program = self.programs.get(moment.call.tool)
        if program is None or not moment.shows:
            return set()
        return {each.field for each in program.effects if "[" not in each.target} | set(program.unexplained)

    def _reaches(self, moment: Moment, key: Key, index: dict[int, int]) -> bool:
        """Whether the tool could see the document."""
        scope = self._explainers[moment.call.tool].scope
        at = index[id(moment)]
        doc = moment.docs[key]
        return any(name.values[at] is doc for name in scope.names.values() if name.shape == "doc")

    def _side(self, program: Program, explainer: Explainer, seen: dict[int, dict[Key, dict[str, Any]]]) -> None:
        scope = explainer.scope
        open_: set[tuple[int, int, str]] = set()  # moment, container, field
        places: dict[int, dict[int, tuple[Any, Any]]] = {}  # moment -> id of container -> (before, after)
        for at, docs in seen.items():
            places[at] = {}
            for key, after in docs.items():
                before = scope.moments[at].docs[key]
                if any(before is value for value in scope.moments[at].shows.values()):
                    continue
                _containers(before, after, places[at])
            for where, (before, after) in places[at].items():
                for name in before:
                    if isinstance(before[name], dict | list) and not _leaf(before[name], after.get(name)):
                        continue
                    if name in after and not same(before[name], after[name]):
                        open_.add((at, where, name))
        if not open_:
            return
        shown = self.kinds.whole.get(program.tool)
        for target in scope.names.values():
            if target.shape not in ("doc", "part") or not open_:
                continue
            if shown and target.kind == shown.kind.name:
                continue
            fields = sorted({n for at, where, n in open_ if id(target.values[at]) == where})
            for name in fields:
                wanted = {
                    at: places[at][id(target.values[at])][1][name]
                    for at in places
                    if id(target.values[at]) in places[at] and name in places[at][id(target.values[at])][1]
                }
                readings = explainer.readings(wanted, f'{target.name}["{name}"]')
                if readings:
                    values = [v for t in target.values if isinstance(t, dict) for v in (t.get(name),) if v is not None]
                    never = positive([*values, *wanted.values()])
                    program.side.append(Effect(target.name, name, tuple(readings), positive=never))
                    open_ -= {(at, id(target.values[at]), name) for at in wanted}


def _along(explainer: Explainer, target: Name, field: str, wanted: dict[int, Any]) -> list[Effect]:
    """Parts of a list that are changed, each as its place in another list says."""
    scope = explainer.scope
    for row in scope.names.values():
        if row.shape != "row" or row.along not in scope.arguments:
            continue
        found: dict[str, dict[int, list[Any]]] = defaultdict(dict)
        for at, new in wanted.items():
            old = target.values[at].get(field)
            picked = row.values[at]
            if not (isinstance(old, list) and isinstance(new, list) and isinstance(picked, list)):
                break
            places = [next((i for i, e in enumerate(old) if e is part), None) for part in picked]
            if len(old) != len(new) or None in places:
                break
            if any(not same(a, b) for i, (a, b) in enumerate(zip(old, new, strict=True)) if i not in places):
                break
            if len(set(places)) < len(places):
                continue
            for name in new[places[0]] if places else ():
                found[name][at] = [new[i].get(name) for i in places if i is not None]
        else:
            effects: list[Effect] = []
            for name, lists in found.items():
                if all(same(v, [e.get(name) for e in row.values[at]]) for at, v in lists.items()):
                    continue
                readings = _in_step(explainer, row, lists)
                if not readings:
                    break
                effects.append(Effect(row.name, name, tuple(readings), along=True))
            else:
                if effects:
                    return effects
    return []


def _in_step(explainer: Explainer, row: Name, lists: dict[int, list[Any]]) -> list[Reading]:
    """A list as long as the row that gives these values."""
    scope = explainer.scope
    found: list[Reading] = []

    def tried(text: str, cost: float) -> None:
        values = scope.values(text)
        if all(values[at] is not UNKNOWN and same(values[at], value) for at, value in lists.items()):
            found.append(Reading(text, cost))

    for name in scope.names.values():
        if name.shape == "texts":
            tried(name.name, 0.0)
        elif name.shape == "row" and name.along in scope.arguments:
            for field in list(dict.fromkeys(f for v in name.values if isinstance(v, list) for e in v if e for f in e)):
                tried(f'[x["{field}"] for x in {name.name}]', name.depth + 0.5)
                tried(f'[{name.name}[-1]["{field}"] for _ in {row.name}]', name.depth + 1.0)
    first = next(iter(lists.values()))
    if first and all(same(e, first[0]) for v in lists.values() for e in v):
        found.append(Reading(f"[{first[0]!r} for _ in {row.name}]", 0.5))
    found.sort(key=lambda each: (each.cost, each.text))
    return [each for each in found if each.cost <= found[0].cost + 0.5][:3]


def _containers(before: Any, after: Any, found: dict[int, tuple[Any, Any]]) -> None:
    """Objects that are in both, by identity of the first."""
    if isinstance(before, dict) and isinstance(after, dict):
        found[id(before)] = (before, after)
        for name in before:
            if name in after:
                _containers(before[name], after[name], found)
    elif isinstance(before, list) and isinstance(after, list):
        for a, b in zip(before, after, strict=False):
            _containers(a, b, found)


def _leaf(before: Any, after: Any) -> bool:
    """Whether a difference is here, and not further inside."""
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() != after.keys()
    if isinstance(before, list) and isinstance(after, list):
        inner = [*before, *after]
        return len(before) != len(after) or not all(isinstance(each, dict) for each in inner)
    return True


def closed(history: History) -> frozenset[str]:
    """Kinds of which nothing exists but what is named: all calls that named what nothing had named before failed."""
    failed: Counter[str] = Counter()
    worked: set[str] = set()
    for moments in history.moments:
        for moment in moments:
            seen = history.kinds.whole.get(moment.call.tool)
            if seen is None or not seen.argument:
                continue
            key = moment.call.arguments.get(seen.argument)
            said = " ".join(text for at, text in history.sessions[moment.session].said if at <= moment.place)
            if not isinstance(key, str) or key in moment.mentioned or key in said:
                continue
            if (seen.kind.name, key) in moment.docs and not moment.call.ok:
                continue
            if moment.call.ok:
                worked.add(seen.kind.name)
            else:
                failed[seen.kind.name] += 1
    return frozenset(name for name in failed if failed[name] >= _CLOSED and name not in worked)


def _parameters(moments: Sequence[Moment]) -> dict[str, tuple[str, bool]]:
    found: dict[str, tuple[str, bool]] = {}
    names = dict.fromkeys(name for moment in moments for name in moment.call.arguments)
    for name in names:
        values = [moment.call.arguments[name] for moment in moments if name in moment.call.arguments]
        kinds = {type(value) for value in values}
        kind = "Any"
        if kinds == {str}:
            kind = "str"
        elif kinds == {bool}:
            kind = "bool"
        elif kinds == {int}:
            kind = "int"
        elif kinds <= {int, float}:
            kind = "float"
        elif kinds == {list} and all(isinstance(e, str) for v in values for e in v):
            kind = "list[str]"
        found[name] = (kind, len(values) == len(moments))
    return found
