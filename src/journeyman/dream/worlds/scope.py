"""What a tool can see from its arguments: documents, their parts, and lists that run along with a list.

A name stands for one thing at each moment; a term is a Python expression over names. Both are kept as text, so that
what is induced is what is written, and as the values that the text has at each moment.

Always holds: a term that cannot be computed at a moment is UNKNOWN there, never a guess; names that are the same thing
at every moment are one name.

Knows moments; nothing of what is to be explained.
"""

from __future__ import annotations

import builtins
import keyword
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from journeyman.dream.worlds.calls import TAKEN
from journeyman.dream.worlds.history import Docs, Moment
from journeyman.dream.worlds.kinds import Kind, Kinds
from journeyman.dream.worlds.values import fields_of, is_text
from journeyman.world import documents
from journeyman.world.outcome import Failure


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()
NAMES = 90  # at most so many for one tool
_TAKEN = TAKEN.union(vars(builtins), ("answered", "each", "value", "x", "y"))  # mean something else


class Sight:
    """The documents known at a moment, in the place of a Desk."""

    def __init__(
        self, docs: Docs, mentioned: frozenset[str], closed: frozenset[str], heard: frozenset[str] = frozenset()
    ) -> None:
        self._docs = docs
        self._mentioned = mentioned
        self._heard = heard
        self._closed = closed

    def find(self, kind: str, key: Any) -> Any:
        found = self._docs.get((kind, key))
        if found is not None:
            return found
        if type(key) is not str or kind not in self._closed or key in self._mentioned or key in self._heard:
            raise KeyError(key)
        return found

    def search(self, kind: str, **wanted: Any) -> Any:
        for (name, _), doc in self._docs.items():
            if name == kind and documents.matches(doc, wanted):
                return doc
        if kind in self._closed:
            return None
        raise KeyError(kind)


class Name(NamedTuple):
    """shape: "text" or "texts" (an argument), "doc" (a document), "part" (of one), "row" (a list along a list), or
    "value". `along`: which list a row runs along."""

    name: str
    text: str
    shape: str
    values: tuple[Any, ...]
    along: str = ""
    depth: float = 0
    kind: str = ""

    @property
    def elements(self) -> Iterator[Any]:
        """Those of all the lists that it is."""
        return (each for value in self.values if isinstance(value, list) for each in value)


class Scope:
    """`answers`: what the tool answered, where that may be spoken of, as the name `answered`."""

    def __init__(
        self,
        moments: Sequence[Moment],
        kinds: Kinds,
        closed: frozenset[str],
        answers: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        self.moments = moments
        self.kinds = kinds
        words: dict[str, Any] = {each.__name__: each for each in documents.WORDS}
        words |= {kind.upper(): kind for kind in kinds.all}
        counts = Counter(name for moment in moments for name in moment.call.arguments)
        self.arguments = sorted(counts, key=lambda name: (-counts[name], name))
        self.spaces: list[dict[str, Any]] = []
        for moment in moments:
            space = {**words, "desk": Sight(moment.docs, moment.mentioned, closed, moment.heard)}
            space |= {name: moment.call.arguments.get(name) for name in self.arguments}
            self.spaces.append(space)
        self.keys = frozenset(key for moment in moments for _, key in moment.docs)  # of documents: no words
        self.names: dict[str, Name] = {}
        self._values: dict[str, tuple[Any, ...]] = {}
        self._same: list[tuple[Any, ...]] = []
        for name in self.arguments:
            values = tuple(moment.call.arguments.get(name) for moment in moments)
            there = [value for value in values if value is not None]
            shape = "value"
            if there and all(isinstance(value, str) for value in there):
                shape = "text"
            elif there and all(isinstance(v, list) and all(isinstance(e, str) for e in v) for v in there):
                shape = "texts"
            elif there and all(isinstance(v, list) and all(isinstance(e, dict) for e in v) for v in there):
                shape = "row"
            self.names[name] = Name(name, name, shape, values, name if shape in ("texts", "row") else "")
        if answers is not None:
            self.names["answered"] = Name("answered", "answered", "part", tuple(answers))
            for space, value in zip(self.spaces, answers, strict=True):
                space["answered"] = value
        self._grow()

    # -- terms

    def values(self, text: str) -> tuple[Any, ...]:
        """What the expression is at each moment."""
        if text in self._values:
            return self._values[text]
        code = _code(text)
        found: list[Any] = []
        for space in self.spaces:
            try:
                found.append(eval(code, space))
            except (LookupError, TypeError, ValueError, AttributeError, NameError, ArithmeticError, Failure):
                found.append(UNKNOWN)
        self._values[text] = tuple(found)
        return self._values[text]

    def needs(self, text: str) -> list[str]:
        """The names in an expression that are not arguments."""
        used = _used(text)
        return [name for name in self.names if name in used and name not in self.arguments]

    def lookups(self) -> list[Name]:
        """The documents that the arguments alone name."""
        return [name for name in self.names.values() if name.shape == "doc" and not self.needs(name.text)]

    def reach(self, text: str) -> frozenset[str]:
        """The names that an expression needs, and those that they need."""
        found: set[str] = set()
        open_ = self.needs(text)
        while open_:
            name = open_.pop()
            if name not in found:
                found.add(name)
                open_ += self.needs(self.names[name].text)
        return frozenset(found)

    # -- names

    def _depth(self, text: str) -> float:
        """A step further than the furthest name that it needs."""
        return 0.5 + max((self.names[name].depth for name in self.needs(text)), default=0)

    def add(
        self, name: str, text: str, shape: str, *, along: str = "", depth: float = 0, kind: str = ""
    ) -> Name | None:
        """A name for an expression, if it is something at some moment and nothing that has a name already."""
        if len(self.names) >= NAMES:
            return None
        values = self.values(text)
        rows = shape == "row"
        hits = sum(bool(v) and (not rows or any(isinstance(e, dict) for e in v)) for v in values if v is not UNKNOWN)
        if not hits:
            return None
        mark = tuple(
            None if v is UNKNOWN else tuple(map(id, v)) if rows and isinstance(v, list) else id(v) for v in values
        )
        for other in self._same:  # the same wherever it is known at all
            if all(a is None or a == b for a, b in zip(mark, other, strict=True)):
                return None
        name = "".join(letter if letter.isalnum() else "_" for letter in name)
        taken = keyword.iskeyword(name) or name in _TAKEN or name in self.arguments or not name.isidentifier()
        name = f"the_{name}" if taken else name
        free = next(n for n in (name, *(f"{name}_{i}" for i in range(2, 99))) if n not in self.names)
        self._same.append(mark)
        for space, value in zip(self.spaces, values, strict=True):
            if value is not UNKNOWN:
                space[free] = value
        depth = self._depth(text) + depth
        self.names[free] = made = Name(free, text, shape, values, along, depth, kind)
        return made

    def _grow(self) -> None:
        """Whatever can be reached in a few steps, the nearest first."""
        self._search()
        for _ in range(3):
            before = list(self.names.values())
            for name in before:
                for key, row in self._keys(name):
                    self._find(key, row)
            docs = [n for n in self.names.values() if n.shape in ("doc", "part")]
            texts = [(k, row) for n in before for k, row in self._keys(n)]
            for doc in docs:
                for field, kind_of in self._holding(doc):
                    place = f'{doc.name}["{field}"]'
                    if kind_of == "map":
                        for key, row in texts:
                            self._entry(place, field, key, row, None)
                    elif kind_of == "list":
                        inner = self._element_fields(doc, field)
                        for key, row in texts:
                            for at in inner:
                                self._first(place, field, at, key, row)
                        self.add(f"first_{_one(field)}", f"{place}[0]", "part", depth=0.3)
                        self.add(f"last_{_one(field)}", f"{place}[-1]", "part", depth=0.35)
                        self.add(f"all_{field}", f"[each for each in {place}]", "row", along=place)
            for row in [n for n in self.names.values() if n.shape == "row"]:
                for field in self._maps_in_row(row):
                    for key, other in texts:
                        if other is not None and other.shape == "texts" and row.along in self.arguments:
                            self._entry(f'x["{field}"]', field, key, other, row)

    def _search(self) -> None:
        """Documents that are found by what they hold, where the answer is their key: who has this name?"""
        for kind in self.kinds.all.values():
            if kind.part:
                continue
            self._holder(kind)
            wanted: list[str] = []
            for name in self.arguments:
                paths: Counter[str] = Counter()
                n = 0
                for moment in self.moments:
                    if moment.call.ok and isinstance(moment.call.value, str):
                        n += 1
                        doc = moment.docs.get((kind.name, moment.call.value))
                        value = moment.call.arguments.get(name)
                        if doc is not None and isinstance(value, str):
                            paths.update(p for p, v in _flat(doc) if v.casefold() == value.casefold())
                if n and paths and paths.most_common(1)[0][1] >= 0.6 * n:
                    wanted.append(f"{paths.most_common(1)[0][0]}={name}")
            if wanted:
                text = f"desk.search({kind.name.upper()}, {', '.join(wanted)})"
                self.add(kind.name, text, "doc", kind=kind.name)

    def _holder(self, kind: Kind) -> None:
        """The document that has a part with this id."""
        fields = {each.field for each in self.kinds.all.values()}
        if kind.field in self.arguments:  # it says itself which document is meant
            return
        for name in self.arguments:
            if self.names[name].shape != "text" or not name.endswith("id") or name in fields:
                continue
            lists: Counter[str] = Counter()
            for moment in self.moments:
                for (own, _), doc in moment.docs.items():
                    if own == kind.name:
                        for field, parts in doc.items():
                            if isinstance(parts, list) and field.isidentifier():
                                value = moment.call.arguments.get(name)
                                lists[field] += any(isinstance(e, dict) and e.get(name) == value for e in parts)
            for field, n in lists.most_common(1):
                if n:
                    text = f"desk.search({kind.name.upper()}, {field}__{name}={name})"
                    self.add(kind.name, text, "doc", kind=kind.name)

    def _keys(self, name: Name) -> Iterator[tuple[str, Name | None]]:
        """Expressions for a string; with a row, `x` stands for its element."""
        if name.shape == "text":
            yield name.name, None
        elif name.shape == "texts":
            yield "x", name
        elif name.shape in ("doc", "part"):
            for field in fields_of(name.values, is_text):
                yield f'{name.name}["{field}"]', None
            for place in self._nested(name):
                yield f"{name.name}{place}", None
        elif name.shape == "row":
            for field in fields_of(name.elements, is_text):
                yield f'x["{field}"]', name

    def _nested(self, name: Name) -> list[str]:
        """Where an object within a document says which other document is meant: `["owner"]["member_id"]`."""
        found: dict[str, None] = {}
        for value in name.values:
            for field, inner in value.items() if isinstance(value, dict) else ():
                for own, key in inner.items() if isinstance(inner, dict) else ():
                    if isinstance(key, str) and key in self.keys:
                        found[f'["{field}"]["{own}"]'] = None
        return list(found)

    def _find(self, key: str, row: Name | None) -> None:
        for kind in self.kinds.all:
            if row is None:
                self.add(kind, f"desk.find({kind.upper()}, {key})", "doc", kind=kind)
            else:
                text = f"[x and desk.find({kind.upper()}, {key}) for x in {row.name}]"
                self.add(f"{kind}s", text, "row", along=row.along, kind=kind)

    def _entry(self, place: str, field: str, key: str, row: Name | None, held: Name | None) -> None:
        name = _one(field)
        if held is not None and row is not None:
            text = f"[x and entry({place}, y) for x, y in zip({held.name}, {row.name})]"
            self.add(f"{name}s", text, "row", along=held.along)
        elif row is None:
            self.add(name, f"entry({place}, {key})", "part")
        else:
            text = f"[x and entry({place}, {key}) for x in {row.name}]"
            self.add(f"{name}s", text, "row", along=row.along)

    def _first(self, place: str, field: str, at: str, key: str, row: Name | None) -> None:
        if place.startswith(key.partition("[")[0] + "[") or ('["' in key and not key.endswith(f'["{at}"]')):
            return
        if row is None:
            self.add(_one(field), f'first({place}, "{at}", {key})', "part")
        elif not row.name.startswith("all_"):
            text = f'[x and first({place}, "{at}", {key}) for x in {row.name}]'
            self.add(f"{_one(field)}s", text, "row", along=row.along)

    # -- what documents hold

    def _holding(self, doc: Name) -> list[tuple[str, str]]:
        """Fields with maps (objects whose keys differ) and with lists of objects."""
        fields: dict[str, str] = {}
        keys: dict[str, list[frozenset[str]]] = {}
        for value in doc.values:
            if not isinstance(value, dict):
                continue
            for field, held in value.items():
                if isinstance(held, list) and held and isinstance(held[0], dict) and field != documents.UNSAID:
                    fields[field] = "list"
                elif isinstance(held, dict) and held and all(isinstance(e, dict) for e in held.values()):
                    keys.setdefault(field, []).append(frozenset(held))
        for field, found in keys.items():
            if len(set(found)) > 1 or len(found) == 1:
                fields[field] = "map"
        return sorted(fields.items())

    def _element_fields(self, doc: Name, field: str) -> list[str]:
        lists = (v.get(field) for v in doc.values if isinstance(v, dict))
        return fields_of((each for held in lists if isinstance(held, list) for each in held), is_text)

    def _maps_in_row(self, row: Name) -> list[str]:
        found: dict[str, set[frozenset[str]]] = {}
        for each in row.elements:
            for field, held in each.items() if isinstance(each, dict) else ():
                if isinstance(held, dict) and held and all(isinstance(e, dict) for e in held.values()):
                    found.setdefault(field, set()).add(frozenset(held))
        return sorted(found)


def _flat(doc: dict[str, Any], before: str = "", depth: int = 2) -> Iterator[tuple[str, str]]:
    for field, value in doc.items():
        if isinstance(value, str) and field.isidentifier():
            yield before + field, value
        elif isinstance(value, dict) and depth > 1 and field.isidentifier():
            yield from _flat(value, f"{before}{field}__", depth - 1)


def _one(field: str) -> str:
    """A word for one of them."""
    word = "".join(c if c.isalnum() else "_" for c in field).strip("_").lower() or "thing"
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else f"{word}_one"


@lru_cache(maxsize=65536)
def _code(text: str) -> Any:
    return compile(text, "<term>", "eval")


@lru_cache(maxsize=65536)
def _used(text: str) -> frozenset[str]:
    return frozenset(_names(_code(text)))


def _names(code: Any) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            yield from _names(constant)
