"""A shop on some morning, made from a seed.

Always holds: the same seed makes the same shop; windows and limits of its policy are its own, so that they have to be
looked up; every product is kept in every warehouse.

Knows the shop's tables.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, get_args

from journeyman.world.chance import Stream
from journeyman.world.context import instant
from journeyman.world.shop.tables import (
    TABLES,
    Case,
    Category,
    Customer,
    Line,
    Order,
    Policy,
    Product,
    Stock,
    Where,
)
from journeyman.world.state import State

_FIRST = (
    "Amara Bruno Chiara Deniz Elif Farid Greta Hana Ivo Jonas Katya Luca Mira Nils Oksana Pablo Quentin Rosa Samir "
    "Tove Ulrich Vera Wanda Yusuf Zoe"
).split()
_LAST = (
    "Abara Brandt Costa Dumont Ekström Fischer Gallo Haddad Ivanova Jansen Kowalski Lindgren Moreau Novak Okafor "
    "Petrov Quist Rossi Sato Tanaka Ueda Vogel Weber Yilmaz Zhang"
).split()
_STREETS = "Mill Lane|Harbour Road|Birch Avenue|Station Street|Castle Hill|Orchard Way|Bridge Street|Garden Row".split(
    "|"
)
CITIES = "Bergen Graz Leuven Porto Tartu Utrecht Verona Zadar".split()
_GOODS: dict[str, tuple[str, ...]] = {
    "electronics": ("noise-cancelling headphones", "e-reader", "webcam", "wireless mouse", "USB-C dock", "smart plug"),
    "kitchen": ("espresso maker", "cast-iron pan", "stand mixer", "knife set", "electric kettle", "salad spinner"),
    "books": (
        "atlas of islands",
        "bread baking manual",
        "chess primer",
        "star guide",
        "sourdough diary",
        "tide tables",
    ),
    "toys": ("wooden railway", "kite", "marble run", "puzzle of 1000 pieces", "microscope kit", "hand puppet"),
    "clothing": ("rain jacket", "merino sweater", "hiking boots", "wool scarf", "linen shirt", "running shorts"),
    "furniture": ("desk lamp", "bookshelf", "folding chair", "coat rack", "standing desk", "bedside table"),
}
_MAKES = ("Nordlys", "Alba", "Kestrel")
WAREHOUSES: tuple[Where, ...] = get_args(Where)


class Terms(NamedTuple):
    """The numbers in this shop's policy."""

    days: int  # to return goods
    electronics_days: int
    gold_days: int  # more, for gold customers
    limit: int  # cents: refunds above are finance's to decide
    keep_below: int  # cents: damaged goods below this stay with the customer
    late_days: int  # from order to delivery
    late_percent: int


@lru_cache(maxsize=32)
def terms(seed: int) -> Terms:
    chance = Stream("terms", seed)
    return Terms(
        chance.choice((28, 30, 35, 40)),
        chance.choice((14, 18, 21)),
        chance.choice((10, 15, 20)),
        100 * chance.choice((300, 350, 400)),
        100 * chance.choice((20, 25, 30)),
        chance.choice((7, 8, 9)),
        chance.choice((5, 10, 15)),
    )


def today(seed: int) -> date:
    return date(2026, 3, 2) + timedelta(days=Stream("day", seed).below(200))


@lru_cache(maxsize=32)
def shop(seed: int) -> State:
    chance = Stream("shop", seed)
    day = today(seed)
    people = [f"{first} {last}" for first, last in zip(chance.shuffled(_FIRST), chance.shuffled(_LAST), strict=True)]
    customers = [
        Customer(f"C-{101 + at}", name, _email(name), "gold" if at % 4 == 0 else "regular", 100 * chance.below(30))
        for at, name in enumerate(people)
    ]
    named = [(category, name) for category in get_args(Category) for name in _GOODS[category]]
    products = [
        Product(
            f"P-{11 + at}",
            f"{chance.choice(_MAKES)} {name}",
            category,
            100 * chance.between(8, 220) + 90,
            chance.below(6) == 0,
        )
        for at, (category, name) in enumerate(named)
    ]
    stock = [
        Stock(f"{product.id}@{where}", product.id, where, chance.between(6, 60))
        for product in products
        for where in WAREHOUSES
    ]
    orders: list[Order] = []
    lines: list[Line] = []
    for at in range(70):
        order, of_it = _order(chance, f"R-{1001 + 7 * at}", chance.choice(customers).id, day, products)
        orders.append(order)
        lines += of_it
    cases = [
        Case(f"K-{11 + at}", None, f"{day - timedelta(days=1)}", text, "open", None, None, None, "")
        for at, text in enumerate(chance.sample(_CHATTER, 4))
    ]
    rows: dict[str, list[Any]] = {
        "customers": customers,
        "products": products,
        "stock": stock,
        "orders": orders,
        "lines": lines,
        "policies": _policies(terms(seed)),
        "cases": cases,
    }
    clock = instant(day.year, day.month, day.day, 9)
    return State.build(TABLES, rows, clock=clock, counters={"K": 30, "T": 200, "F": 500})


_CHATTER = (
    "Asks whether the shop has a branch in Split.",
    "Would like to have the newsletter on paper.",
    "Thanks us for the quick delivery last month.",
    "Wants to know when kites are back in other colours.",
    "Suggests that the boxes could be smaller.",
    "Asks if gift wrapping is free in December.",
)


def _email(name: str) -> str:
    plain = name.lower().replace(" ", ".").replace("ö", "o")
    return f"{plain}@mail.example"


def _order(chance: Stream, id: str, customer: str, day: date, products: list[Product]) -> tuple[Order, list[Line]]:
    age = chance.between(1, 60)
    status = "placed" if age < 3 else "packed" if age < 5 else "shipped" if age < 9 else "delivered"
    placed = day - timedelta(days=age)
    delivered = placed + timedelta(days=chance.between(3, 6)) if status == "delivered" else None
    order = Order(
        id,
        customer,
        status,
        f"{placed}",
        None if delivered is None else f"{delivered}",
        f"{chance.choice(_STREETS)} {chance.between(1, 99)}",
        chance.choice(CITIES),
        chance.choice(("card", "paypal", "invoice")),
        chance.choice(WAREHOUSES),
    )
    chosen = chance.sample(products, chance.between(1, 3))
    return order, [
        Line(f"{id}/{number}", id, product.id, chance.between(1, 3), product.price)
        for number, product in enumerate(chosen, 1)
    ]


def _policies(terms: Terms) -> list[Policy]:
    return [
        Policy(
            "cancellation",
            "An order can be cancelled until it is shipped. A shipped or delivered order cannot: refuse the case as "
            "already_sent. Lines can be changed until the order is packed, the address until it is shipped.",
        ),
        Policy(
            "returns",
            f"Unwanted goods can come back within {terms.days} days of delivery, electronics within "
            f"{terms.electronics_days}; the last day counts. Gold customers have {terms.gold_days} days more, but what "
            "comes back in those is refunded as store credit. After that the case is refused as window_passed. "
            "Products marked final_sale never come back unless they are damaged: refuse as final_sale. Nobody can "
            "return or cancel for another customer: refuse as not_their_order.",
        ),
        Policy(
            "refunds",
            "A refund is what was paid for the pieces that come back, to the original payment. A refund above "
            f"{terms.limit} cents in one case is not ours: book nothing, and escalate the case to finance.",
        ),
        Policy(
            "delivery",
            f"An order that took more than {terms.late_days} days from placing to delivery earns a store credit of "
            f"{terms.late_percent} percent of what was paid for it, rounded down to the cent, if the customer asks. "
            "Otherwise refuse as on_time.",
        ),
        Policy(
            "damage",
            f"Damaged goods that cost less than {terms.keep_below} cents a piece stay with the customer: refund them, "
            "book no return. Dearer ones come back first (reason damaged), then are refunded. There is no time limit. "
            "Three or more damaged pieces of one line go to quality: book nothing, escalate.",
        ),
    ]
