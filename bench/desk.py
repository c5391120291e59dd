"""A business to dream of: the built-in shop's order desk, its customers in their own words, and a log of it.

    sessions, work = log(range(40), seed=0), held_out(32, seed=0)

The desk's tools do what the shop's do (`journeyman.world.shop`) and answer with the whole order, as many services do. A
session is one customer's: they ask for one or two things, the desk looks the order up and does what was asked for, or
tries in vain and says so. What is dreamed sees only such sessions; what it is worth is measured at the desk itself, on
orders that are in no session.

Always holds: the same seed gives the same sessions; every session begins on the same morning, on which as many orders
are placed, packed, sent and delivered; customers of held-out work ask in wordings of which half are in no session.

Knows the shop; nothing of dreams or models.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, NamedTuple, get_args

from journeyman.world import Call, Context, NotFound, Refused, Rules, State, Suite, Task, Tier, World, read, write
from journeyman.world.chance import Stream
from journeyman.world.shop import tools
from journeyman.world.shop.start import CITIES, shop
from journeyman.world.shop.tables import LINES, ORDERS, PRODUCTS, TABLES, Payment

SYSTEM = "You work at the support desk of a shop. Do what the customer asks for with one call at a time."
OrderId = Annotated[str, ORDERS]
KEPT = 3  # of every so many orders one is in no session
_STATUSES = ("placed", "packed", "placed", "shipped", "delivered")
# Of each kind the first half is heard in the log, and all of them on the days after it.
_WORDS = {
    "cancel_order": (
        "Please cancel my order {order}.",
        "I do not want {order} any more, call it off please.",
        "Could you stop {order} before it leaves?",
        "{order} was a mistake, I won't need it.",
        "Let's forget about {order}.",
        "Can you undo {order} for me?",
    ),
    "change_address": (
        "I have moved. Send {order} to {street}, {city} please.",
        "Could {order} go to {street} in {city} instead?",
        "The address of {order} is wrong: it is {street}, {city}.",
        "My new home is {street}, {city}; that is where {order} has to go.",
        "Please have {order} brought to {street} in {city}.",
        "{order} should reach me at {street}, {city}.",
    ),
    "change_quantity": (
        "Please make it {quantity} of {product} in {order}.",
        "In {order} I need {quantity} pieces of {product} instead.",
        "Can {product} of {order} be changed to {quantity} pieces?",
        "{quantity} would be the right number for {product} in {order}.",
        "Let me have {quantity} of {product} in {order}.",
        "On second thoughts, {order}, {product}: {quantity} please.",
    ),
    "change_payment": (
        "I would rather pay {order} by {payment}.",
        "Can I pay {order} with {payment}?",
        "Please switch {order} to {payment}.",
        "{order} should be paid by {payment} after all.",
        "Let me use {payment} for {order}.",
        "Make {payment} the payment of {order}.",
    ),
}


@read
def get_order(here: Context, order: OrderId) -> dict[str, Any]:
    """An order with its lines, returns and refunds."""
    return tools.get_order.function(here, order)


@write
def cancel_order(here: Context, order: OrderId) -> dict[str, Any]:
    """Cancel an order that has not left the house."""
    tools.cancel_order.function(here, order)
    return tools.get_order.function(here, order)


@write
def change_address(here: Context, order: OrderId, street: str, city: str) -> dict[str, Any]:
    """Send an order that has not left the house to another address."""
    tools.change_address.function(here, order, street, city)
    return tools.get_order.function(here, order)


@write
def change_quantity(here: Context, order: OrderId, product: Annotated[str, PRODUCTS], quantity: int) -> dict[str, Any]:
    """Change how many of a product an order has, before it is packed."""
    line = next((each.id for each in here.find(LINES, order=order) if each.product == product), None)
    if line is None:
        raise NotFound(f"{product} is not in {order}")
    tools.change_quantity.function(here, line, quantity)
    return tools.get_order.function(here, order)


@write
def change_payment(here: Context, order: OrderId, payment: Payment) -> dict[str, Any]:
    """Have an order that is not packed yet paid in another way."""
    found = here.get(ORDERS, order)
    if found.status != "placed":
        raise Refused(f"{order} is {found.status}: how it is paid cannot be changed any more")
    here.put(ORDERS, found._replace(payment=payment))
    return tools.get_order.function(here, order)


TOOLS = (get_order, cancel_order, change_address, change_quantity, change_payment)
RULES = Rules("desk", TABLES, TOOLS)


class Wish(NamedTuple):
    words: str
    call: Call


def log(numbers: Iterable[int], seed: int = 0) -> list[dict[str, Any]]:
    """Sessions in OpenAI's messages, by their numbers."""
    return [_session(number, seed) for number in numbers]


def held_out(count: int, seed: int = 0) -> Suite:
    """Work at the real desk about orders that no session is about: all of it can be done."""
    chance = Stream("held out", seed)
    tasks: list[Task] = []
    while len(tasks) < count:
        wish = _wish(chance, kept=True)
        world = World(RULES, morning())
        if world.call(*wish.call).ok and world.state.changes():
            name = f"real-{len(tasks)}"
            tasks.append(Task.derive(RULES, name, wish.words, morning(), [wish.call], limit=4, family=wish.call.tool))
    return Suite(RULES, tasks)


def schemas() -> list[dict[str, Any]]:
    """The tools as the desk's program shows them."""
    return RULES.schemas()


@cache
def morning() -> State:
    here = Context(shop(0), True, Tier.RECORDED)
    for at, order in enumerate(here.each(ORDERS)):
        status: Any = _STATUSES[at % len(_STATUSES)]
        here.put(ORDERS, order._replace(status=status, delivered=order.placed if status == "delivered" else None))
    return here.result().as_start()


def _session(number: int, seed: int) -> dict[str, Any]:
    chance = Stream("desk", seed, number)
    world = World(RULES, morning())
    messages: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM}]
    for _ in range(chance.between(1, 2)):
        wish = _wish(chance, kept=False)
        messages.append({"role": "user", "content": wish.words})
        ok = True
        for call in (Call("get_order", {"order": wish.call.args["order"]}), wish.call):
            outcome = world.call(*call)
            ok = outcome.ok
            key = f"c{len(messages)}"
            function = {"name": call.tool, "arguments": json.dumps(call.args)}
            made = {"id": key, "type": "function", "function": function}
            messages.append({"role": "assistant", "content": "", "tool_calls": [made]})
            messages.append({"role": "tool", "tool_call_id": key, "content": outcome.text})
        messages.append({"role": "assistant", "content": "Done." if ok else "I am sorry, that cannot be done."})
    return {"id": f"desk-{seed}-{number}", "messages": messages}


def _wish(chance: Stream, kept: bool) -> Wish:
    state = morning()
    orders = [key for at, key in enumerate(state.keys("orders")) if (at % KEPT == 0) == kept]
    tool = chance.choice(tuple(_WORDS))
    order = chance.choice(orders)
    row: Any = state.row("orders", order)
    if chance.below(10):  # most ask for what can be done
        fit = {
            "cancel_order": ("placed", "packed"),
            "change_address": ("placed", "packed"),
            "change_quantity": ("placed",),
            "change_payment": ("placed",),
        }
        while tool in fit and row.status not in fit[tool]:
            order = chance.choice(orders)
            row = state.row("orders", order)
    rows: Any = state.rows("lines")
    lines = [line for line in rows if line.order == order]
    line = chance.choice(lines)
    args: dict[str, Any] = {"order": order}
    if tool == "change_address":
        args |= {"street": f"{chance.choice(_STREETS)} {chance.between(1, 99)}", "city": chance.choice(CITIES)}
    elif tool == "change_quantity":
        args |= {"product": line.product, "quantity": chance.between(1, 5)}
    elif tool == "change_payment":
        args |= {"payment": chance.choice([each for each in get_args(Payment) if each != row.payment])}
    every = _WORDS[tool]
    words = chance.choice(every if kept else every[: len(every) // 2])
    return Wish(words.format(**args), Call(tool, args))


_STREETS = ("Elm Close", "Church Walk", "Station Road", "Weavers Yard", "Long Acre", "Quay Street")
