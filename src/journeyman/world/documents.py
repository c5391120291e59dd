"""Rows that hold JSON documents, and the few words in which tools over them are written.

    ORDER = Documents("order", ("order_id", "status", "items"))

    @write
    def cancel_order(here: Context, order_id: str) -> Any:
        '''Cancel an order.'''
        with Desk(here) as desk:
            order = desk.find(ORDER, order_id)
            refuse_if(order is None, "Order not found")
            refuse_if(order["status"] != "pending", "Non-pending order cannot be cancelled")
            order["status"] = "cancelled"
            return desk.done(order)

Always holds: a field that was never seen is unknown, and asking for it abstains instead of inventing; a document that
was only ever named is unknown as a whole; where two readings of the evidence disagree, the tool abstains.

Knows rows and failures; nothing of how tools came to be written.
"""

from __future__ import annotations

import ast
import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from math import isclose
from typing import Any, NamedTuple, NoReturn

from journeyman.world.context import Context
from journeyman.world.outcome import Abstain, Refused, Tier
from journeyman.world.tables import Table

_MORE = "more_"  # the column for fields that have none of their own
UNSAID = "?"  # among a document's fields: those that are not known
_UNTOLD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class Known(dict[str, Any]):
    """A JSON object of which perhaps not all fields are known: asking for another one abstains."""

    def __missing__(self, key: str) -> NoReturn:
        raise Abstain(f"nobody has seen {key!r} here")


class Documents:
    """A table of JSON documents: one column for each top-level field, each value as JSON.

    closed: a key that no document and no reference has is known not to exist; otherwise it is unknown.
    """

    def __init__(self, name: str, fields: Sequence[str], *, closed: bool = False) -> None:
        self.name = name
        self.closed = closed
        self.columns = {
            field: f"f_{at}" if not field.isidentifier() else f"{field}_" for at, field in enumerate(fields)
        }
        hints = [("key", str), *((column, str | None) for column in self.columns.values())]
        row: Any = NamedTuple(_title(name), [*hints, (_MORE, str), ("tier", int)])  # pyright: ignore
        self.table: Table[Any] = Table(name, row, tier="tier")

    def row(self, key: str, document: Mapping[str, Any] | None, tier: Tier = Tier.RECORDED) -> Any:
        """The row of a document; of one that is only named, if it is None."""
        if document is None:
            return self.table.row(key, *(None for _ in self.columns), "", int(tier))
        held = [_encode(document[field]) if field in document else None for field in self.columns]
        rest = {field: value for field, value in document.items() if field not in self.columns}
        return self.table.row(key, *held, _encode(rest), int(tier))

    def document(self, row: Any) -> Known | None:
        """None: it is only named."""
        if not row[-2]:
            return None
        found = Known()
        for field, text in zip(self.columns, row[1:-2], strict=True):
            if text is not None:
                found[field] = _decoded(text)
        if row[-2] != "{}":
            found.update(_decoded(row[-2]))
        return found


class Desk:
    """What a tool has taken out of the state in one call: a document is one object, however it is come by.

    Used with `with`: what cannot be computed from what is known abstains.
    """

    __slots__ = ("_here", "_open")

    def __init__(self, here: Context) -> None:
        self._here = here
        self._open: dict[tuple[str, str], tuple[Documents, Known, str]] = {}

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        if isinstance(error, _UNTOLD):
            raise Abstain(f"this cannot be told: {error}") from error

    def find(self, kind: Documents, key: Any) -> Known | None:
        """The document; None where there is none. Abstains where nobody knows."""
        if type(key) is not str:
            raise Abstain(f"{key!r} is no key")
        taken = self._open.get((kind.name, key))
        if taken is not None:
            return taken[1]
        if not self._here.has(kind.table, key):
            if kind.closed:
                return None
            raise Abstain(f"nobody has seen {kind.name} {key!r}")
        found = kind.document(self._here.get(kind.table, key))
        if found is None:
            raise Abstain(f"{kind.name} {key!r} was only named")
        self._open[kind.name, key] = (kind, found, _encode(found))
        return found

    def search(self, kind: Documents, **wanted: Any) -> Known | None:
        """The first document with these values; a path is spelled with two underscores, case is folded. Abstains
        where there is none: whom nobody has asked for yet may be there all the same."""
        for row in self._here.each(kind.table):
            document = kind.document(row)
            if document is not None and matches(document, wanted):
                return self.find(kind, row[0])
        raise Abstain(f"no {kind.name} that was seen has {wanted}")

    def known(self, asked: Callable[[], Any]) -> Any:
        """What is asked for, or None where nobody knows it."""
        try:
            return asked()
        except (Abstain, *_UNTOLD):
            return None

    def add(self, kind: Documents, key: str, fields: Mapping[str, Callable[[], Any]]) -> Known:
        """A document that is new; a field that cannot be told is marked as not known."""
        made: dict[str, Any] = {}
        for field, told in fields.items():
            try:
                made[field] = told()
            except (Abstain, *_UNTOLD):
                unsaid(made, field)
        known = _known(json.loads(_encode(made)))
        self._open[kind.name, key] = (kind, known, "")
        return known

    def new(self, kind: str) -> str:
        """A new id, which no document has; or a label that nobody could foresee."""
        return self._here.new_id(kind)

    def forget(self, document: Known | None, field: str) -> None:
        """This field is not known any more."""
        if document is not None:
            unsaid(document, field)

    def recorded(self, kind: Documents, **asked: Any) -> Any:
        """What was answered to this very call, if it was always the same."""
        found = self.find(kind, spelled(asked))
        self._here.tier = Tier.RECORDED
        return None if found is None else _bare(found["answer"])

    def done(self, value: Any = None) -> Any:
        """Write what was changed, and give the answer as plain JSON."""
        for (_, key), (kind, document, before) in self._open.items():
            if _encode(document) != before:
                self._here.put(kind.table, kind.row(key, document))
        return _bare(value)


# -- the words


def refuse_if(so: Any, says: str) -> None:
    if so:
        raise Refused(says)


def refuse_one(*refusals: tuple[Callable[[], Any], Callable[[], str]]) -> None:
    """Refuse if one of these holds. Abstains if several do: nobody saw which one comes first."""
    holding = [says for when, says in refusals if agreed(when)]
    if len(holding) > 1:
        raise Abstain("there is more than one reason to refuse, and nobody saw which comes first")
    if holding:
        raise Refused(holding[0]())


def doubt_if(so: Any) -> None:
    """Abstain where something is odd that nobody saw."""
    if so:
        raise Abstain("nobody saw what comes of such a call")


def never_below_zero(number: Any) -> Any:
    """The number. Abstains where it is below zero, as this one was never seen to be."""
    if number < 0:
        raise Abstain("this number was never seen below zero")
    return number


def past(number: Any, fine: Any, refused: Any) -> bool:
    """Whether a number lies past a limit that is somewhere between these two. Abstains in between."""
    if (number >= refused) if refused > fine else (number <= refused):
        return True
    if (number <= fine) if refused > fine else (number >= fine):
        return False
    raise Abstain(f"the limit lies between {fine} and {refused}, and nobody saw where")


def agreed(*readings: Callable[[], Any]) -> Any:
    """What all readings of the evidence say. Abstains where they differ, or where one of them cannot tell."""
    try:
        found = [reading() for reading in readings]
    except _UNTOLD as error:
        raise Abstain(f"this cannot be told: {error}") from error
    if not all(alike(found[0], each) for each in found[1:]):
        raise Abstain("what was seen can be read in more than one way")
    return found[0]


def alike(one: Any, other: Any) -> bool:
    """Equal, up to what the order of additions does to a number."""
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def entry(mapping: Any, key: Any) -> Any:
    """What a map has under a key, or None."""
    return mapping.get(key) if isinstance(mapping, dict) else _no(mapping)


def first(items: Any, field: str, value: Any) -> Any:
    """The first of these objects with that value in that field, or None."""
    return next((each for each in items if each.get(field) == value), None)


def beyond(these: Sequence[Any], those: Sequence[Any]) -> Any:
    """The first of `these` that is there more often than among `those`, or None."""
    return next((each for each in these if these.count(each) > those.count(each)), None)


def culprit(items: Sequence[Any], guilty: Iterable[Any]) -> Any:
    """The first item whose place is marked, or None."""
    return next((item for item, so in zip(items, guilty, strict=False) if so), None)


def present(**fields: Any) -> dict[str, Any]:
    """The fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def case(*cases: tuple[Any, Callable[[], Any]]) -> Any:
    """What stands beside the first condition that holds. Abstains where none does: there, answers differed."""
    for so, value in cases:
        if so:
            return value()
    raise Abstain("calls like this were answered in more than one way")


def shown(document: Mapping[str, Any], *fields: str) -> dict[str, Any]:
    """These fields of a document, of those that it has. Abstains where one of them is not known."""
    unknown = document.get(UNSAID, ())
    return {field: document[field] for field in fields if field in document or field in unknown}


def merged(old: Sequence[Any], new: Sequence[Any], field: str) -> list[Any]:
    """`old` with each of `new` in the place of the one with its `field`, or at the end."""
    held = {each.get(field): each for each in old}
    for each in new:
        held[each.get(field)] = {**held.get(each.get(field), {}), **each}
    return list(held.values())


def matches(document: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a document has these values; a path that leads through a list leads to all its parts."""
    return all(_leads(document, path.split("__"), value) for path, value in wanted.items())


def _leads(at: Any, path: Sequence[str], value: Any) -> bool:
    if isinstance(at, list):
        return any(_leads(each, path, value) for each in at)
    if path:
        return isinstance(at, dict) and path[0] in at and _leads(at[path[0]], path[1:], value)
    return at == value or (isinstance(at, str) and isinstance(value, str) and at.casefold() == value.casefold())


_OPERATIONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def calculated(text: str) -> float:
    """The value of an arithmetic expression of numbers, + - * / and parentheses. Abstains for anything else."""
    try:
        return float(_value(ast.parse(text.strip(), mode="eval").body))
    except (SyntaxError, ValueError, ArithmeticError, RecursionError) as error:
        raise Abstain(f"{text!r} is no arithmetic") from error


# All of them; a tool also says Abstain, Desk and Refused.
WORDS: tuple[Callable[..., Any], ...] = (
    *(agreed, beyond, case, calculated, culprit, doubt_if, entry, first, merged, never_below_zero, past, present),
    *(refuse_if, refuse_one, shown),
)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        return _OPERATIONS[type(node.op)](_value(node.left), _value(node.right))
    raise ValueError("no arithmetic")


def _no(mapping: Any) -> NoReturn:
    raise TypeError(f"{mapping!r} is no map")


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return Known((name, _known(each)) for name, each in value.items())
    return [_known(each) for each in value] if isinstance(value, list) else value


def unsaid(document: dict[str, Any], field: str) -> None:
    """Mark a field as not known: a document cannot be shown as a whole until it is."""
    document.pop(field, None)
    document[UNSAID] = sorted({*document.get(UNSAID, ()), field})


def spelled(arguments: Mapping[str, Any]) -> str:
    """One text for one set of arguments."""
    given = {name: value for name, value in arguments.items() if value is not None}
    return json.dumps(given, sort_keys=True, ensure_ascii=False)


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(UNSAID):
            raise Abstain(f"nobody knows {', '.join(value[UNSAID])}")
        return {name: _bare(each) for name, each in value.items()}
    return [_bare(each) for each in value] if isinstance(value, list) else value


_parse = json.JSONDecoder(object_hook=Known).decode


def _decoded(text: str) -> Any:
    return _parse(text)


@lru_cache(maxsize=1024)
def _title(name: str) -> str:
    return "".join(part.title() for part in name.split("_")) or "Row"
