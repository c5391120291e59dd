"""The job: customers of the shop, each with one decision to be taken, and the policy by which it is right.

What the assistant is shown is what the desk's screen shows: the case, the order, the customer's words. Policy is not in
it. So the assistant can know which order is meant, but not what this shop does about it: that is what there is to
learn. A case is the first step of a task of the shop (`world.shop.tasks`), with its state and its verifier.

Always holds: the same seed, day and policy give the same customers; customers of two days are of two shops, with other
people, orders and cases; a policy decides what is right and what is said of it, and nothing that is shown.

Knows the shop; nothing of who serves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from journeyman.world.actions import Call
from journeyman.world.chance import Stream
from journeyman.world.making import Draft, Spec, with_rows
from journeyman.world.shop import suite as shop_suite
from journeyman.world.shop.start import shop
from journeyman.world.shop.tables import CASES, CUSTOMERS, LINES, ORDERS, PRODUCTS
from journeyman.world.shop.tasks import FAMILIES
from journeyman.world.state import State
from journeyman.world.tables import Table
from journeyman.world.task import Task
from journeyman.world.world import Rules

KINDS = ("cancel", "cancel-late", "return", "final-sale", "many-damaged", "not-theirs")
TOOLS = ("cancel_order", "return_line", "close_case", "escalate_case")
SYSTEM = "You decide the cases at a shop's desk, by its policy. Answer each with one call."
_OPTIONAL = ("note",)  # arguments that the desk's client does not show


Instead = Callable[[str, str], Call]  # of the case and the line


class Rule(NamedTuple):
    """What policy says of a kind of case, in words, and what is to be called instead of the shop's own way (None)."""

    says: str
    instead: Instead | None = None


class Customer(NamedTuple):
    """`text`: the screen; `task`: one decision, with its verifier; `right`: what policy has decided; `says`: policy."""

    id: str
    kind: str
    text: str
    task: Task
    right: Call
    says: str


def _to(team: str) -> Instead:
    return lambda case, _: Call("escalate_case", {"case": case, "team": team})


def _returned(_: str, line: str) -> Call:
    return Call("return_line", {"line": line, "quantity": 1, "reason": "unwanted"})


BEFORE: Mapping[str, Rule] = {
    "cancel": Rule("An order that has not left the house is cancelled."),
    "cancel-late": Rule("What is shipped or delivered cannot be cancelled: refuse it as already_sent."),
    "return": Rule("Unwanted goods come back: book the return of one piece, reason unwanted."),
    "final-sale": Rule("Goods of the final sale never come back: refuse it as final_sale."),
    "many-damaged": Rule("Where many pieces are damaged, quality decides: escalate it."),
    "not-theirs": Rule("Nobody may cancel another customer's order: refuse it as not_their_order."),
}
# From the day of the change three of the six kinds are decided otherwise, two of them by somebody else.
AFTER: Mapping[str, Rule] = BEFORE | {
    "cancel-late": Rule(
        "From now on logistics turns round what is shipped or delivered: escalate it to them.", _to("logistics")
    ),
    "many-damaged": Rule(
        "From now on the carrier pays where many pieces are damaged: escalate it to logistics.", _to("logistics")
    ),
    "final-sale": Rule(
        "From now on goods of the final sale come back too: book the return of one piece, reason unwanted.", _returned
    ),
}


def tools(rules: Rules) -> list[dict[str, Any]]:
    """The tools of the desk, as its client shows them: without what it does not use, and without descriptions."""
    found = {each["function"]["name"]: each["function"] for each in rules.schemas()}
    return [{"type": "function", "function": _brief(found[name])} for name in TOOLS]


def _brief(function: Mapping[str, Any]) -> dict[str, Any]:
    given = function["parameters"]
    properties = {
        name: {key: value for key, value in each.items() if key in ("type", "enum")}
        for name, each in given["properties"].items()
        if name not in _OPTIONAL
    }
    takes = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {"name": function["name"], "parameters": takes}


def customers(seed: int, day: int, count: int, policy: Mapping[str, Rule]) -> list[Customer]:
    """Those of one day, the kinds in turn."""
    rules = shop_suite().rules
    return [_customer(rules, seed, day, at, policy) for at in range(count)]


def _customer(rules: Rules, seed: int, day: int, at: int, policy: Mapping[str, Rule]) -> Customer:
    kind, place = KINDS[at % len(KINDS)], 1000 * (seed + 1) + day  # the shop's own tasks have places of their own
    chance = Stream("week", kind, seed, day, at)
    draft = FAMILIES[kind](Spec(chance, shop(place), place, chance.below(1000)))
    start = with_rows(shop(place), draft.scene)
    case = _row(draft, CASES).id
    rule, first = policy[kind], draft.oracle[0]
    assert isinstance(first, Call)
    line = _row(draft, LINES).id
    right = rule.instead(case, line) if rule.instead else first
    id = f"day{day}-{at + 1}"
    text = _screen(start, draft, case)
    task = Task.derive(rules, id, text, start, [right], limit=1, family=kind)
    return Customer(id, kind, text, task, right, rule.says)


def _row(draft: Draft, wanted: Table[Any]) -> Any:
    """The first of this table that sets the scene."""
    return next(row for table, row in draft.scene if table is wanted)


def _screen(state: State, draft: Draft, case: str) -> str:
    """What the desk sees before it decides: the case with the customer's words, and the order that it is about."""
    asked: Any = state.row(CASES.name, case)
    order, line = _row(draft, ORDERS), _row(draft, LINES)
    product: Any = state.row(PRODUCTS.name, line.product)
    people: dict[str, Any] = {who: state.row(CUSTOMERS.name, who) for who in (asked.customer, order.customer)}
    asks, owner = people[asked.customer].name, people[order.customer].name
    sale = " (final sale)" if product.final_sale else ""
    return (
        f"Case {case}, from {asks}: {asked.text}\n"
        f"Order {order.id} of {owner}, {order.status}. Line {line.id}: {line.quantity} x {product.name}{sale}"
    )
