"""What a tool answers: a document, perhaps changed; a plain value; or names for what is new, and what that holds.

Always holds: what is said to be the answer is what was answered at every call that was looked at.

Knows histories and programs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from journeyman.dream.worlds.calls import leaves
from journeyman.dream.worlds.conditions import conditions, scalars
from journeyman.dream.worlds.effects import Effect, Explainer
from journeyman.dream.worlds.history import History, Key, Moment
from journeyman.dream.worlds.kinds import Kind
from journeyman.dream.worlds.program import Made, Program
from journeyman.dream.worlds.reading import Reading, said
from journeyman.dream.worlds.scope import UNKNOWN, Name, Scope
from journeyman.dream.worlds.values import fields_of, quoted, same
from journeyman.world.documents import UNSAID

_TWICE = 2  # a document was known before a call with more than its key, for that to be a mere look
_BIRTHS = 400  # new documents that are looked at


class Answers:
    """Adds to the programs."""

    def __init__(self, history: History, closed: frozenset[str]) -> None:
        self.history = history
        self.kinds = history.kinds
        self.closed = closed
        self._born = {(session, place) for session, place, _ in history.births}

    def makes(self, moments: list[Moment], oks: list[int]) -> bool:
        """Whether what it answers with is new."""
        return any((moments[at].session, moments[at].place) in self._born for at in oks)

    def value(self, program: Program, explainer: Explainer, moments: list[Moment], oks: list[int]) -> None:
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
                kind = self._kind_born(moments, born, field)
                stem = kind.name if kind is not None else field.removesuffix("_id")
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
            kind = self._kind_born(moments, born, field)
            if kind is not None and (birth := self._birth(kind, field, moments, born, text)):
                made.append(birth)
        program.made = tuple(made)
        program.answer = (Reading("answered", 0.0),)

    def _kind_born(self, moments: list[Moment], born: list[int], field: str) -> Kind | None:
        """What kind of thing has this field's value as its name."""
        found = [self.history.births.get((moments[at].session, moments[at].place, field)) for at in born]
        kinds = Counter(each[1][0] for each in found if each is not None)
        return self.kinds.all[kinds.most_common(1)[0][0]] if kinds else None

    def _birth(self, kind: Kind, field: str, moments: list[Moment], born: list[int], text: str) -> Made | None:
        """What a new document holds, from the first sight of those that nothing named in between."""
        history = self.history
        clean: list[Moment] = []
        seen: list[dict[str, Any]] = []
        for at in born:
            moment = moments[at]
            key = (kind.name, moment.call.value[field])
            if (moment.session, moment.place, field) not in history.births:
                continue
            if key in moment.shows:
                clean.append(moment)
                seen.append(moment.shows[key])
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
        fields += [(name, "") for name in sorted(self.kinds.partial.get(clean[0].call.tool, ()))]
        when = text.partition(" is not None")[0].rpartition(" ")[2] if " is not None" in text else ""
        return Made(kind.name, f'answered["{field}"]', tuple(fields), f"{when} is None" if when else "", scope)

    def document(self, program: Program, explainer: Explainer, moments: list[Moment], oks: list[int]) -> None:
        """The answer is a document: what of it has changed?"""
        scope = explainer.scope
        shown = {at: next(iter(moments[at].shows.items())) for at in oks if moments[at].shows}
        known = [at for at in shown if shown[at][0] in moments[at].docs]
        docs = [name for name in scope.names.values() if name.shape == "doc"] if known else []
        target = next(
            (name for name in docs if all(name.values[at] is moments[at].docs[shown[at][0]] for at in known)), None
        )
        program.document = target.name if target is not None else ""
        further = any(name != self.kinds.whole[program.tool].argument for name in program.parameters)
        if target is None or (further and not program.writes and len(known) < _TWICE):
            program.unexplained = ("a document that is new",)
            return
        changed: dict[str, None] = {}
        known = [at for at in known if self._is_fresh(moments[at], shown[at][0])] or known
        for at in known if program.writes else ():
            old, new = moments[at].docs[shown[at][0]], shown[at][1]
            for name in new if program.tool in self.kinds.partial else {**old, **new}:
                unsaid = name == UNSAID or name in old.get(UNSAID, ())
                if not unsaid and not same(old.get(name, UNKNOWN), new.get(name, UNKNOWN)):
                    changed[name] = None
        unexplained: list[str] = []
        for name in sorted(changed):
            wanted = {at: shown[at][1][name] for at in known if name in shown[at][1]}
            every = {at: document[name] for at, (_, document) in shown.items() if name in document}
            old = f'{target.name}["{name}"]'
            if not wanted:  # it is not there any more
                unexplained.append(name)
            elif readings := explainer.readings(every, old) or explainer.readings(wanted, old):
                program.effects.append(Effect(target.name, name, tuple(readings)))
            elif parts := _along(explainer, target, name, wanted) or _inside(explainer, target, name, wanted):
                program.effects += parts
            else:
                unexplained.append(name)
        if unexplained:
            program.unexplained = tuple(unexplained)
        else:
            program.answer = (Reading(self._shown(program.tool, target), 0.0),)

    def _shown(self, tool: str, target: Name) -> str:
        """The document, or so much of it as the tool shows."""
        if tool not in self.kinds.partial:
            return target.name
        fields = ", ".join(quoted(field) for field in sorted(self.kinds.told[tool]))
        return f"shown({target.name}, {fields})"

    def _is_fresh(self, moment: Moment, key: Key) -> bool:
        """Whether nothing was written since the document was seen."""
        for earlier in reversed(self.history.moments[moment.session][: moment.place]):
            if key in earlier.shows:
                return True
            if earlier.call.ok and earlier.call.tool in self.history.writers:
                return False
        return True


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
            found_at = [next((i for i, e in enumerate(old) if e is part), None) for part in picked]
            places = [place for place in found_at if place is not None]
            if len(old) != len(new) or len(places) < len(found_at):
                break
            if any(not same(a, b) for i, (a, b) in enumerate(zip(old, new, strict=True)) if i not in places):
                break
            if len(set(places)) < len(places):
                continue
            for name in new[places[0]] if places else ():
                found[name][at] = [new[i].get(name) for i in places]
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


def _inside(explainer: Explainer, target: Name, field: str, wanted: dict[int, Any]) -> list[Effect]:
    """One part of a list that is changed, the one that a name stands for."""
    for part in [each for each in explainer.scope.names.values() if each.shape == "part"]:
        found: dict[str, dict[int, Any]] = defaultdict(dict)
        for at, new in wanted.items():
            old, picked = target.values[at].get(field), part.values[at]
            if not (isinstance(old, list) and isinstance(new, list) and isinstance(picked, dict)):
                break
            place = next((i for i, each in enumerate(old) if each is picked), None)
            if place is None or len(old) != len(new) or not isinstance(new[place], dict):
                break
            if any(not same(a, b) for i, (a, b) in enumerate(zip(old, new, strict=True)) if i != place):
                break
            if picked.keys() != new[place].keys():
                break
            for name, value in new[place].items():
                found[name][at] = value
        else:
            changed = {
                name: values
                for name, values in found.items()
                if any(not same(part.values[at][name], value) for at, value in values.items())
            }
            readings = {n: explainer.readings(values, f'{part.name}["{n}"]') for n, values in changed.items()}
            if readings and all(readings.values()):
                return [Effect(part.name, name, tuple(each)) for name, each in readings.items()]
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
            for field in fields_of(name.elements):
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
