"""From a log to programs: one for each tool, and what is known at the beginning.

Always holds: the same log gives the same programs; a tool of which nothing could be explained has a program that
abstains.

Knows all parts of the induction; nothing of worlds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from journeyman.dream.worlds.calls import Recording, leaves
from journeyman.dream.worlds.conditions import Scalar, conditions, scalars
from journeyman.dream.worlds.effects import Effect, Explainer, Reading, positive, said, same, sums
from journeyman.dream.worlds.history import History, Key, Moment
from journeyman.dream.worlds.kinds import Kind, Kinds
from journeyman.dream.worlds.program import Made, Program
from journeyman.dream.worlds.rehearsal import afterwards
from journeyman.dream.worlds.refusals import refusals
from journeyman.dream.worlds.scope import UNKNOWN, Name, Scope
from journeyman.world.documents import UNSAID

_UNEXPLAINED = 0.08  # of the calls that seem to succeed, no more may be refused for reasons unknown
_PASSES = 2
_ALWAYS = 8  # calls that all give an argument, for it to be required
_ENOUGH = 400  # calls of one tool that are looked at closely
_FEW = 3  # successes, for what a tool changes to be believed
_BIRTHS = 400
_CLOSED = 3  # so many calls named what nothing else named, and all failed


class Induction:
    """Programs by tool, and the kinds and documents that they are about."""

    def __init__(self, sessions: Sequence[Recording]) -> None:
        self.kinds = Kinds(sessions)
        self.history = History(sessions, self.kinds)
        self.closed = closed(self.history)
        self._born = {(session, place) for session, place, _ in self.history.births}
        self.programs: dict[str, Program] = {}
        self._explainers: dict[str, Explainer] = {}
        self._pass()
        before: dict[str, str] = {}
        for _ in range(_PASSES):
            unseen = {
                tool: afterwards(program)
                for tool, program in self.programs.items()
                if program.answer is not None and (program.side or program.made or program.forgets)
            }
            sources = {tool: self.programs[tool].source() for tool in unseen}
            if not unseen or sources == before:
                break
            before = sources
            self.history.replay(unseen)
            self._pass()

    def _pass(self) -> None:
        all_moments = self.history.by_tool()
        self._seen = {tool: (len(m), sum(not each.call.ok for each in m)) for tool, m in all_moments.items()}
        self._moments = {tool: sampled(moments) for tool, moments in all_moments.items()}
        for tool, moments in self._moments.items():
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
            seen=self._seen[tool][0],
            refused=self._seen[tool][1],
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
            self._answer(program, explainer, moments, oks)
        if writes and program.answer is not None and len(oks) < _FEW:
            program.answer, program.unexplained = None, ("what it does: it was hardly ever seen",)
        if refused.unexplained > _UNEXPLAINED * (len(oks) + refused.unexplained):
            program.answer, program.unexplained = None, ("when it refuses",)
        return program

    def _answer(self, program: Program, explainer: Explainer, moments: list[Moment], oks: list[int]) -> None:
        """The answer is no document: a plain value, or an object, perhaps with names for what is new."""
        values = {at: moments[at].call.value for at in oks}
        born = [at for at in oks if (moments[at].session, moments[at].place) in self._born]
        if not born:
            if readings := explainer.readings(values):
                program.answer = tuple(readings)
            return
        fields: list[tuple[str, str]] = []
        fresh: dict[str, str] = {}
        for field in dict.fromkeys(field for value in values.values() for field in value):
            wanted = {at: value[field] for at, value in values.items() if field in value}
            text = ""
            if len(wanted) == len(values):
                stem = next((k.name for k in self.kinds.all.values() if k.field == field), field.removesuffix("_id"))
                text = _fresh(explainer.scope, moments, wanted, field, stem)
                if text:
                    fresh[field] = text
                elif readings := explainer.readings(wanted):
                    text = said(readings)
            if not text:
                program.unexplained = (field,)
                return
            fields.append((field, text))
        made = [Made("", "", tuple(fields))]
        for field, text in fresh.items():
            kind = next((k for k in self.kinds.all.values() if k.field == field and not k.part), None)
            if kind is not None and (birth := self._birth(program.tool, kind, field, moments, born, text)):
                made.append(birth)
        program.made = tuple(made)
        program.answer = (Reading("answer", 0.0),)

    def _birth(
        self, tool: str, kind: Kind, field: str, moments: list[Moment], born: list[int], text: str
    ) -> Made | None:
        """What a new document holds, from the first sight of those that nothing named in between."""
        history = self.history
        clean: list[Moment] = []
        seen: list[dict[str, Any]] = []
        for at in born:
            moment = moments[at]
            key = (kind.name, moment.call.value[field])
            if (moment.session, moment.place, field) not in history.births:
                continue
            place = history.sight(moment.session, moment.place, key)
            names = {value for value in moment.call.value.values() if isinstance(value, str)}
            if place is not None and not history.named_between(moment.session, moment.place, place, names):
                clean.append(moment)
                seen.append(history.shows[moment.session][place][key])
        if len(clean) < 2:
            return None
        clean, seen = clean[:_BIRTHS], seen[:_BIRTHS]
        scope = Scope(clean, self.kinds, self.closed, [moment.call.value for moment in clean])
        plain = scalars(scope)
        explainer = Explainer(scope, plain, conditions(scope, plain))
        fields: list[tuple[str, str]] = []
        for name in dict.fromkeys(name for doc in seen for name in doc):
            wanted = {at: doc[name] for at, doc in enumerate(seen) if name in doc}
            readings = explainer.readings(wanted) if len(wanted) == len(seen) else []
            fields.append((name, said(readings) if readings else ""))
        when = text.partition(" is not None")[0].rpartition(" ")[2] if " is not None" in text else ""
        return Made(kind.name, f'answer["{field}"]', tuple(fields), f"{when} is None" if when else "", scope)

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
        index = {id(moment): at for moments in self._moments.values() for at, moment in enumerate(moments)}
        for session, moments in enumerate(self.history.moments):
            last: dict[Key, int] = {}
            for place, moment in enumerate(moments):
                for key, doc in moment.shows.items():
                    since = last.get(key, -1)
                    last[key] = place
                    if key not in moment.docs:
                        continue
                    own = self._own_fields(moment)
                    between = [
                        m
                        for m in moments[since + 1 : place]
                        if m.call.ok and key in m.docs and self._may_change(m, key, index)
                    ]
                    if len(between) == 1 and id(between[0]) in index:
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

    def _may_change(self, moment: Moment, key: Key, index: dict[int, int]) -> bool:
        """A writer that sees the document; or any other call that names it, and answers with nothing of its own."""
        if not self._reaches(moment, key, index):
            return False
        tool = moment.call.tool
        if tool in self.history.writers:
            return True
        return tool not in self.kinds.whole and key[1] in set(leaves(moment.call.arguments))

    def _reaches(self, moment: Moment, key: Key, index: dict[int, int]) -> bool:
        """Whether the tool could see the document."""
        if id(moment) not in index:  # not looked at more closely: it may
            return True
        scope = self._explainers[moment.call.tool].scope
        at = index[id(moment)]
        doc = moment.docs[key]
        return any(name.values[at] is doc for name in scope.names.values() if name.shape == "doc")

    def _side(self, program: Program, explainer: Explainer, seen: dict[int, dict[Key, dict[str, Any]]]) -> None:
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
        shown = self.kinds.whole.get(program.tool)
        if not open_:
            return
        for target in scope.names.values():  # a whole list or object that an argument gives
            if target.shape not in ("doc", "part") or (shown and target.kind == shown.kind.name):
                continue
            held = {at: places[at][id(v)] for at, v in enumerate(target.values) if at in places and id(v) in places[at]}
            for name in sorted({name for at in held for name in held[at][1] if name != UNSAID}):
                inside = {each for each in open_ if each[0] in held and _within(held[each[0]], name, each)}
                if inside and (effect := _given(explainer, target, name, held)):
                    program.side.append(effect)
                    program.writes = True
                    open_ -= inside
        for target in scope.names.values():
            if target.shape not in ("doc", "part") or (shown and target.kind == shown.kind.name):
                continue
            held = {at: places[at][id(v)] for at, v in enumerate(target.values) if at in places and id(v) in places[at]}
            for name in sorted({n for at, where, n in open_ if at in held and id(target.values[at]) == where}):
                effect = self._computed(explainer, target, name, held)
                if effect is not None:
                    program.side.append(effect)
                    program.writes = True
                    open_ -= {(at, id(target.values[at]), name) for at in held}
        for target in scope.names.values():  # what is left has no explanation: it is not known afterwards
            if target.shape == "doc" and not (shown and target.kind == shown.kind.name):
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
            fields = dict.fromkeys(f for at in wanted for each in values[at] for f in each)
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


def _fresh(scope: Scope, moments: list[Moment], wanted: dict[int, Any], field: str, stem: str) -> str:
    """An expression for a name that is new each time, unless an argument gives it."""
    if not all(isinstance(value, str) for value in wanted.values()):
        return ""
    given = field if field in scope.arguments else ""
    fresh = {at: value for at, value in wanted.items() if not given or scope.names[given].values[at] is None}
    if any(scope.names[given].values[at] != value for at, value in wanted.items() if at not in fresh):
        return ""
    named = sum(
        value in moments[at].mentioned or value in set(leaves(moments[at].call.arguments))
        for at, value in fresh.items()
    )
    if not fresh or named > 0.02 * len(fresh) or len(set(fresh.values())) < 0.9 * len(fresh):
        return ""
    new = f'desk.new("{stem}")'
    return f"({given} if {given} is not None else {new})" if len(fresh) < len(wanted) or given else new


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


def sampled(moments: Sequence[Moment]) -> list[Moment]:
    """Of very many calls, so many that each answer in words is among them, spread over the log."""
    if len(moments) <= _ENOUGH:
        return list(moments)
    groups: dict[str, list[int]] = defaultdict(list)
    for at, moment in enumerate(moments):
        given = ",".join(sorted(moment.call.arguments))
        groups[f"{given}:{'' if moment.call.ok else moment.call.value}"].append(at)
    share = _ENOUGH / len(moments)
    kept: set[int] = set()
    for places in groups.values():
        wanted = max(min(len(places), 12), round(share * len(places)))
        kept |= {places[step * len(places) // wanted] for step in range(wanted)}
    return [moments[at] for at in sorted(kept)]


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
        found[name] = (kind, len(values) == len(moments) >= _ALWAYS)
    return found
