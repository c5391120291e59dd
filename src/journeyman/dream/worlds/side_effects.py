"""What tools change besides what they answer with: it shows when a document is seen again and is not as it was.

Between two sights of a document, one call was made that can have changed it: that is an example. From the examples of
a tool come effects; what no effect explains is not known after the tool was called.

Always holds: an effect that is kept gives what was seen in every example.

Knows histories and programs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from journeyman.dream.worlds.calls import leaves
from journeyman.dream.worlds.conditions import conditions, scalars
from journeyman.dream.worlds.effects import Effect, Explainer
from journeyman.dream.worlds.history import History, Key, Moment
from journeyman.dream.worlds.program import Program
from journeyman.dream.worlds.reading import Reading
from journeyman.dream.worlds.scope import UNKNOWN, Name, Scope
from journeyman.dream.worlds.values import fields_of, positive, same
from journeyman.world.documents import UNSAID

Seen = dict[int, dict[Key, dict[str, Any]]]  # call -> document -> what it was when it was seen again


class SideEffects:
    """Adds to the programs; `explainers` are those that the programs were made with."""

    def __init__(
        self,
        history: History,
        closed: frozenset[str],
        programs: Mapping[str, Program],
        explainers: Mapping[str, Explainer],
    ) -> None:
        self.history = history
        self.kinds = history.kinds
        self.closed = closed
        self.programs = programs
        self._explainers = explainers
        self._watched: dict[str, frozenset[str]] = {}  # by tool the kinds that were seen again after it
        moments = [each.scope.moments for each in explainers.values()]
        self._index = {id(moment): at for each in moments for at, moment in enumerate(each)}

    def find(self) -> None:
        examples: dict[str, Seen] = defaultdict(lambda: defaultdict(dict))
        index = self._index
        for moments in self.history.moments:
            last: dict[Key, int] = {}
            for place, moment in enumerate(moments):
                for key, doc in moment.shows.items():
                    since = last.get(key, -1)
                    if moment.call.tool not in self.kinds.partial:
                        last[key] = place
                    if key not in moment.docs:
                        continue
                    own = self._own_fields(moment)
                    between = [
                        m
                        for m in moments[since + 1 : place]
                        if m.call.ok and key in m.docs and self._may_change(m, key)
                    ]
                    if len(between) == 1 and id(between[0]) in index:
                        old = between[0].docs[key]
                        if key in between[0].shows:  # a part of it, of which that call has said itself how it is now
                            own = own | self._own_fields(between[0])
                        after = {**doc, **{name: old[name] for name in own if name in old}}
                        examples[between[0].call.tool][index[id(between[0])]][key] = after
        for tool, seen in sorted(examples.items()):
            self._side(self.programs[tool], self._explainers[tool], seen)
            self._watched[tool] = frozenset(kind for docs in seen.values() for kind, _ in docs)

    def doubt(self) -> None:
        """Documents that a tool can reach, and that were never seen again after it: what changes at all, may have
        changed."""
        for tool in sorted(self.history.writers & self.programs.keys()):
            self._doubt(self.programs[tool])

    def _doubt(self, program: Program) -> None:
        watched = self._watched.get(program.tool, frozenset())
        for name in program.names.values():
            if name.shape == "doc" and name.kind not in watched and not self._is_told(program, name):
                known = {effect.field for effect in program.side if effect.target == name.name}
                known |= self.kinds.told[program.tool] if name.name == program.document else set()
                new = sorted(self.history.changing.get(name.kind, set()) - known)
                program.forgets = tuple(dict.fromkeys((*program.forgets, *((name.name, field) for field in new))))

    def _is_told(self, program: Program, target: Name) -> bool:
        """Whether what becomes of it is in the tool's answer, all of it."""
        return target.name == program.document and program.tool not in self.kinds.partial

    def _own_fields(self, moment: Moment) -> set[str]:
        """What the call that shows a document has itself changed of it."""
        program = self.programs.get(moment.call.tool)
        if program is None or not moment.shows:
            return set()
        return {each.field for each in program.effects if "[" not in each.target} | set(program.unexplained)

    def _may_change(self, moment: Moment, key: Key) -> bool:
        """A writer that sees the document; or any other call that names it, and answers with nothing of its own."""
        if not self._reaches(moment, key):
            return False
        tool = moment.call.tool
        if tool in self.history.writers:
            return True
        return tool not in self.kinds.whole and key[1] in set(leaves(moment.call.arguments))

    def _reaches(self, moment: Moment, key: Key) -> bool:
        """Whether the tool could see the document."""
        if id(moment) not in self._index:  # not looked at more closely: it may
            return True
        scope = self._explainers[moment.call.tool].scope
        at = self._index[id(moment)]
        doc = moment.docs[key]
        return any(name.values[at] is doc for name in scope.names.values() if name.shape == "doc")

    def _side(self, program: Program, explainer: Explainer, seen: Seen) -> None:
        scope = explainer.scope
        if program.made and not program.refusals and not program.doubts:  # what was answered may be spoken of
            answers = [moment.call.value if isinstance(moment.call.value, dict) else {} for moment in scope.moments]
            scope = Scope(scope.moments, self.kinds, self.closed, answers)
            plain = scalars(scope)
            explainer = Explainer(scope, plain, conditions(scope, plain))
            program.scope, program.names = scope, scope.names
        places: dict[int, dict[int, tuple[Any, Any]]] = {}  # moment -> id of container -> (before, after)
        for at, docs in seen.items():
            places[at] = {}
            for key, after in docs.items():
                _containers(scope.moments[at].docs[key], after, places[at])
        open_ = {
            (at, where, name)
            for at, found in places.items()
            for where, (before, after) in found.items()
            for name in {**before, **after}
            if _differs(before, after, name)
        }
        if not open_:
            return
        targets: list[tuple[Name, dict[int, Any]]] = []
        for name in scope.names.values():
            if name.shape in ("doc", "part") and not self._is_told(program, name):
                there = {at: places[at].get(id(value)) for at, value in enumerate(name.values) if at in places}
                targets.append((name, {at: pair for at, pair in there.items() if pair is not None}))
        for target, held in targets:  # a whole list or object that an argument gives
            for name in sorted({name for at in held for name in held[at][1] if name != UNSAID}):
                inside = {each for each in open_ if each[0] in held and _within(held[each[0]], name, each)}
                if inside and (effect := _given(explainer, target, name, held)):
                    program.side.append(effect)
                    program.writes = True
                    open_ -= inside
        for target, held in targets:
            for name in sorted({n for at, where, n in open_ if at in held and id(target.values[at]) == where}):
                effect = self._computed(explainer, target, name, held)
                if effect is not None:
                    program.side.append(effect)
                    program.writes = True
                    open_ -= {(at, id(target.values[at]), name) for at in held}
        for target, _ in targets:  # what is left has no explanation: it is not known afterwards
            if target.shape == "doc":
                fields = {
                    field
                    for at, where, _ in open_
                    if isinstance(target.values[at], dict)
                    for field, value in target.values[at].items()
                    if _holds(value, where)
                }
                fields |= {n for at, where, n in open_ if id(target.values[at]) == where}
                program.forgets += tuple((target.name, field) for field in sorted(fields))
                program.writes = program.writes or bool(fields)
                if fields:
                    open_ = set()

    def _computed(self, explainer: Explainer, target: Name, name: str, held: dict[int, Any]) -> Effect | None:
        wanted = {
            at: _longer(before[name], after[name])
            for at, (before, after) in held.items()
            if name in after and name in before
        }
        if len(wanted) < sum(name in after for _, after in held.values()):
            return None
        readings = explainer.readings(wanted, f'{target.name}["{name}"]')
        if not readings:
            return None
        values = [v[name] for v in target.values if isinstance(v, dict) and v.get(name) is not None]
        return Effect(target.name, name, tuple(readings), positive=positive([*values, *wanted.values()]))


def _given(explainer: Explainer, target: Name, name: str, held: dict[int, Any]) -> Effect | None:
    """An argument that, where it is given, becomes the field or is merged into it."""
    scope = explainer.scope
    changed = {
        at
        for at, (before, after) in held.items()
        if name not in before.get(UNSAID, ()) and not same(before.get(name, UNKNOWN), after.get(name, UNKNOWN))
    }
    held = {at: pair for at, pair in held.items() if name not in pair[0].get(UNSAID, ())}
    for argument in scope.arguments:
        values = scope.names[argument].values
        if any(values[at] is None for at in changed):
            continue
        if any(values[at] is not None for at in held if at not in changed and name not in held[at][1]):
            continue
        wanted = {at: held[at][1].get(name) for at in held if values[at] is not None}
        if len(wanted) < 2:
            continue
        old = f'{target.name}.get("{name}", [])'
        texts = [argument]
        if scope.names[argument].shape == "row":
            fields = fields_of(each for at in wanted for each in values[at])
            texts += [f'merged({old}, {argument}, "{field}")' for field in fields]
            texts += [f"{old} + {argument}"]
        fit = [
            Reading(text, 0.3 * place)
            for place, text in enumerate(texts)
            if all(v is not UNKNOWN and same(v, wanted[at]) for at, v in enumerate(scope.values(text)) if at in wanted)
        ]
        if fit:
            return Effect(target.name, name, tuple(explainer.different(fit)), where=f"{argument} is not None")
    return None


def _within(held: tuple[Any, Any], name: str, change: tuple[int, int, str]) -> bool:
    """Whether a change is in this field, or somewhere in what the field holds."""
    before, _ = held
    return (id(before) == change[1] and name == change[2]) or _holds(before.get(name), change[1])


def _longer(before: Any, after: Any) -> Any:
    """A list that has grown, with what it held as it was: how that changed is another question."""
    if isinstance(before, list) and isinstance(after, list) and len(after) > len(before):
        return before + after[len(before) :]
    return after


def _differs(before: dict[str, Any], after: dict[str, Any], name: str) -> bool:
    """Whether this field changed here, and not only within."""
    if name == UNSAID or name in before.get(UNSAID, ()):
        return False
    if name not in before or name not in after:
        return name in after
    return not same(before[name], after[name]) and _leaf(before[name], after[name])


def _holds(value: Any, where: int) -> bool:
    if id(value) == where:
        return True
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_holds(each, where) for each in parts)


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
