"""The shop's tasks: seventeen families of cases, each drawn from the shop as it stands.

Always holds: every case ends with a decision on record, so that doing nothing is never right, also where the answer is
no; what decides (days, limits, percentages) is in the policy and the orders, not in the instruction.

Knows the shop's tables and tools' names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from journeyman.world.actions import Call, Say
from journeyman.world.making import Draft, Family, Spec, build
from journeyman.world.saying import fact
from journeyman.world.shop.start import CITIES, WAREHOUSES, Terms, shop, terms, today
from journeyman.world.shop.tables import CASES, CUSTOMERS, LINES, ORDERS, PRODUCTS, STOCK, Case, Line, Order
from journeyman.world.task import Forbidden, Task
from journeyman.world.user import Known, Script
from journeyman.world.world import Rules

_ASK = (
    "Please take care of {name}'s case {case}.",
    "Case {case} is waiting at the desk: {text}",
    "{case} came in overnight, from {name}. Decide it by our policy and close it.",
    "Have a look at {case} and do whatever policy says. The customer writes: “{text}”",
    "Next in line: {case}, {name}. Settle it, and leave the decision on record.",
    "{name} has written to us (case {case}): {text} Handle it from start to finish.",
    "Could you finish {case} before lunch? It is from {name}.",
    "Work on case {case}. What the customer wants: {text}",
)


class Desk:
    """A spec with a customer, an order that fits the story, and the case about it."""

    def __init__(self, spec: Spec, level: str | None = None, *, sale: bool = False, category: str = "") -> None:
        self.spec, self.chance = spec, spec.chance
        self.terms: Terms = terms(spec.seed)
        self.today: date = today(spec.seed)
        self.customer = spec.one(CUSTOMERS, lambda row: level in (None, row.level))
        products = spec.rows(
            PRODUCTS,
            lambda row: (
                row.final_sale == sale and row.category in ((category,) if category else ("kitchen", "toys", "books"))
            ),
        )
        self.product = self.chance.choice(products or spec.rows(PRODUCTS, lambda row: row.final_sale == sale))
        self.other = spec.one(PRODUCTS, lambda row: row.id != self.product.id and row.category != self.product.category)
        self.case = f"K-{self.chance.between(31, 89)}"
        self.order = f"R-{self.chance.between(2001, 2989)}"
        self.scene: list[tuple[Any, Any]] = []

    def ordered(
        self, status: str, *, age: int, delivered: int | None = None, quantity: int = 1, price: int | None = None
    ) -> Line:
        """An order placed `age` days ago and delivered `delivered` days ago, with the product and something else."""
        place = self.spec.one(ORDERS)
        order = Order(
            self.order,
            self.customer.id,
            status,  # pyright: ignore[reportArgumentType]
            f"{self.today - timedelta(days=age)}",
            None if delivered is None else f"{self.today - timedelta(days=delivered)}",
            place.street,
            place.city,
            place.payment,
            place.warehouse,
        )
        line = Line(f"{self.order}/1", self.order, self.product.id, quantity, price or self.product.price)
        beside = Line(f"{self.order}/2", self.order, self.other.id, 1, self.other.price)
        self.scene += [(ORDERS, order), (LINES, line), (LINES, beside)]
        return line

    def asked(self, text: str, *wordings: str) -> str:
        """The case's text is what the customer wrote; the instruction is what the desk is told."""
        row = Case(self.case, self.customer.id, f"{self.today}", text, "open", None, None, None, "")
        self.scene.append((CASES, row))
        return self.spec.worded(*(wordings or _ASK), case=self.case, text=text, name=self.customer.name)

    def draft(self, instruction: str, *oracle: Call | Say, **rest: Any) -> Draft:
        return Draft(instruction, oracle, tuple(self.scene), **rest)

    def granted(self) -> Call:
        return Call("close_case", {"case": self.case, "decision": "granted", "because": "within_policy"})

    def refused(self, because: str) -> Call:
        return Call("close_case", {"case": self.case, "decision": "refused", "because": because})

    def escalated(self, team: str) -> Call:
        return Call("escalate_case", {"case": self.case, "team": team})

    def refund(self, amount: int, to: str = "original") -> Call:
        return Call("refund", {"order": self.order, "amount": amount, "to": to})

    def window(self) -> int:
        days = self.terms.electronics_days if self.product.category == "electronics" else self.terms.days
        return days + (self.terms.gold_days if self.customer.level == "gold" else 0)


def _cancel(spec: Spec) -> Draft:
    desk = Desk(spec)
    desk.ordered(spec.chance.choice(("placed", "packed")), age=spec.chance.between(0, 3))
    text = spec.worded(
        "I don't need order {order} any more, please cancel it.",
        "Found the same thing next door. Can you stop {order}?",
        "Please call off my order {order}, I ordered in a hurry.",
        order=desk.order,
    )
    return desk.draft(desk.asked(text), Call("cancel_order", {"order": desk.order}), desk.granted())


def _cancel_late(spec: Spec) -> Draft:
    desk = Desk(spec)
    status, delivered = spec.chance.choice((("shipped", None), ("delivered", 1)))
    desk.ordered(status, age=6, delivered=delivered)
    text = spec.worded(
        "Cancel {order} at once, I have changed my mind.",
        "I'd like to cancel my order {order}, please.",
        "Is it too late to cancel {order}? I hope not!",
        order=desk.order,
    )
    return desk.draft(desk.asked(text), desk.refused("already_sent"))


def _address(spec: Spec) -> Draft:
    desk = Desk(spec)
    desk.ordered("packed", age=2)
    street = f"{spec.chance.choice(('Lighthouse Street', 'Elm Close', 'Quarry Road'))} {spec.chance.between(100, 199)}"
    city = spec.chance.choice(CITIES)
    text = spec.worded(
        "I have moved. Please send {order} to {street}, {city}.",
        "The address on {order} is my old one; the new one is {street} in {city}.",
        "Could {order} go to my office instead? That is {street}, {city}.",
        order=desk.order,
        street=street,
        city=city,
    )
    move = Call("change_address", {"order": desk.order, "street": street, "city": city})
    return desk.draft(desk.asked(text), move, desk.granted())


def _quantity(spec: Spec) -> Draft:
    desk = Desk(spec)
    line = desk.ordered("placed", age=1, quantity=spec.chance.between(2, 3))
    wanted = spec.chance.choice([n for n in (1, 4, 5) if n != line.quantity])
    text = spec.worded(
        "In {order}, please make it {n} of the {product}.",
        "I ordered {old} × {product} ({order}) but I need {n}.",
        "{n}, not {old}! I mean the {product} in order {order}.",
        order=desk.order,
        product=desk.product.name,
        n=wanted,
        old=line.quantity,
    )
    change = Call("change_quantity", {"line": line.id, "quantity": wanted})
    return desk.draft(desk.asked(text), change, desk.granted())


def _swap(spec: Spec) -> Draft:
    desk = Desk(spec)
    line = desk.ordered("placed", age=1)
    new = spec.one(PRODUCTS, lambda row: row.id not in (desk.product.id, desk.other.id))
    text = spec.worded(
        "Instead of the {old} in {order} I would rather have the {new}.",
        "Can you swap the {old} for the {new}? Order {order}, not packed yet I think.",
        "Wrong click in {order}: I wanted the {new}, not the {old}.",
        order=desk.order,
        old=desk.product.name,
        new=new.name,
    )
    swap = Call("swap_product", {"line": line.id, "product": new.id})
    return desk.draft(desk.asked(text), swap, desk.granted())


def _returning(line: Line) -> Call:
    return Call("return_line", {"line": line.id, "quantity": 1, "reason": "unwanted"})


_UNWANTED = (
    "I don't want the {product} from {order} any more and am sending it back.",
    "The {product} ({order}) is not for me. May I return it?",
    "Please take back the {product} of order {order}; it is unused.",
    "Returning the {product} I bought with {order}. It simply does not suit us.",
)


def _unwanted(desk: Desk) -> str:
    return desk.asked(desk.spec.worded(*_UNWANTED, product=desk.product.name, order=desk.order))


def _within(spec: Spec) -> Draft:
    desk = Desk(spec, "regular", category=spec.chance.choice(("electronics", "kitchen", "toys")))
    days = desk.window() - spec.chance.choice((0, 1, 5))
    price = min(desk.product.price, desk.terms.limit - 100)
    line = desk.ordered("delivered", age=days + 4, delivered=days, price=price)
    return desk.draft(_unwanted(desk), _returning(line), desk.refund(price), desk.granted())


def _too_late(spec: Spec) -> Draft:
    desk = Desk(spec, spec.chance.choice(("regular", "gold")), category=spec.chance.choice(("electronics", "kitchen")))
    days = desk.window() + spec.chance.choice((1, 2, 9))
    desk.ordered("delivered", age=days + 4, delivered=days)
    return desk.draft(_unwanted(desk), desk.refused("window_passed"))


def _gold(spec: Spec) -> Draft:
    desk = Desk(spec, "gold")
    days = desk.window() - spec.chance.choice((0, 2, 4))
    price = min(desk.product.price, desk.terms.limit - 100)
    line = desk.ordered("delivered", age=days + 4, delivered=days, price=price)
    return desk.draft(_unwanted(desk), _returning(line), desk.refund(price, "credit"), desk.granted())


def _final_sale(spec: Spec) -> Draft:
    desk = Desk(spec, sale=True)
    desk.ordered("delivered", age=8, delivered=3)
    return desk.draft(_unwanted(desk), desk.refused("final_sale"))


def _large(spec: Spec) -> Draft:
    desk = Desk(spec, "regular")
    quantity = spec.chance.between(2, 3)
    line = desk.ordered("delivered", age=9, delivered=4, quantity=quantity, price=desk.terms.limit // quantity + 700)
    text = spec.worded(
        "All {n} {product} from {order} come back, please refund me in full.",
        "I return the whole lot: {n} × {product}, order {order}.",
        "{order}: I am sending back every {product} ({n} of them).",
        n=quantity,
        product=desk.product.name,
        order=desk.order,
    )
    never = Forbidden("refund", (("order", line.order),), why="refunds of this size are finance's")
    return desk.draft(desk.asked(text), desk.escalated("finance"), forbid=(never,))


def _damaged(spec: Spec) -> Draft:
    desk = Desk(spec)
    cheap = spec.turn % 2 == 0
    price = desk.terms.keep_below - 10 if cheap else min(desk.terms.keep_below + 4000, desk.terms.limit - 10)
    days = spec.chance.choice((3, 40, 75))
    line = desk.ordered("delivered", age=days + 5, delivered=days, price=price)
    text = spec.worded(
        "The {product} in {order} arrived broken. I want my money back.",
        "My {product} ({order}) came with a crack right through it; please refund it.",
        "{order}: the {product} is damaged, the box looked as if someone had sat on it.",
        product=desk.product.name,
        order=desk.order,
    )
    back = Call("return_line", {"line": line.id, "quantity": 1, "reason": "damaged"})
    steps = (desk.refund(price), desk.granted())
    return desk.draft(desk.asked(text), *(steps if cheap else (back, *steps)))


def _many_damaged(spec: Spec) -> Draft:
    desk = Desk(spec)
    quantity = spec.chance.between(3, 5)
    desk.ordered("delivered", age=9, delivered=2, quantity=quantity, price=1490)
    text = f"Every single {desk.product.name} in {desk.order} is damaged, all {quantity} of them!"
    return desk.draft(desk.asked(text), desk.escalated("quality"))


def _late_delivery(spec: Spec) -> Draft:
    desk = Desk(spec)
    late = spec.turn % 3 != 2
    took = desk.terms.late_days + (spec.chance.between(1, 6) if late else 0)
    line = desk.ordered("delivered", age=took + 2, delivered=2, quantity=spec.chance.between(1, 2))
    paid = line.quantity * line.price + desk.other.price
    text = spec.worded(
        "{order} took ages to arrive. Is there any compensation?",
        "I waited far too long for {order} and would like something back for that.",
        "Your website promises credit for slow deliveries. What about {order}?",
        order=desk.order,
    )
    credit = Call("give_credit", {"customer": desk.customer.id, "amount": paid * desk.terms.late_percent // 100})
    return desk.draft(desk.asked(text), *((credit, desk.granted()) if late else (desk.refused("on_time"),)))


def _not_theirs(spec: Spec) -> Draft:
    desk = Desk(spec)
    owner = spec.one(CUSTOMERS, lambda row: row.id != desk.customer.id)
    asking, desk.customer = desk.customer, owner
    desk.ordered("placed", age=1)
    street = desk.scene[0][1].street
    desk.customer = asking
    text = spec.worded(
        "Please cancel {order} for my friend {owner} and tell me where it was going.",
        "{owner} asked me to stop {order}. Which address is on it?",
        "Cancel order {order}. It belongs to {owner}, but I may do that, may I not?",
        order=desk.order,
        owner=owner.name,
    )
    silent = Forbidden(said=fact(street), why="another customer's address")
    refused = desk.refused("not_their_order")
    return desk.draft(desk.asked(text), refused, forbid=(silent,))


def _rebalance(spec: Spec) -> Draft:
    product = spec.one(PRODUCTS)
    units = {row.warehouse: row.units for row in spec.rows(STOCK, lambda row: row.product == product.id)}
    target = spec.chance.choice(WAREHOUSES)
    source = max((w for w in WAREHOUSES if w != target), key=lambda where: units[where])
    others = [row.units for row in spec.rows(STOCK, lambda row: row.product == product.id and row.warehouse != target)]
    moved = max(1, units[source] // 2 - spec.chance.below(2))
    scene: list[tuple[Any, Any]] = []
    if len(set(others)) == 1:  # the fullest has to be one
        row = next(r for r in spec.rows(STOCK) if r.product == product.id and r.warehouse == source)
        scene.append((STOCK, row._replace(units=row.units + 3)))
    instruction = spec.worded(
        "The {target} warehouse wants {n} more of the {product}. Take them from whichever of the others has most.",
        "Send {n} units of {product} to {target}, out of the fuller one of the two other warehouses.",
        "Stock request: {n} × {product} for {target}. Source: the other warehouse with the larger stock of it.",
        target=target,
        n=moved,
        product=product.name,
    )
    call = Call("move_stock", {"product": product.id, "source": source, "target": target, "units": moved})
    return Draft(instruction, (call,), tuple(scene))


def _question(spec: Spec) -> Draft:
    desk = Desk(spec)
    desk.ordered("shipped", age=5, quantity=spec.chance.between(2, 4))
    paid = {row.id: row.quantity * row.price for table, row in desk.scene if table is LINES}
    stock = [row.units for row in spec.rows(STOCK, lambda row: row.product == desk.product.id)]
    total, parts = (sum(paid.values()), list(paid.values())) if spec.turn % 2 else (sum(stock), stock)
    wordings = (
        "How many units of the {product} do we have in all warehouses together on {day}? Give me the one number.",
        "What did {name} pay for order {order} altogether, in cents? Answer with the sum only.",
        "It is {day}, and a journalist wants to know our total stock of the {product}. Just the number, please.",
        "I need the total of {order} in cents, all lines added up, and no other amounts.",
    )
    text = spec.worded(*wordings, product=desk.product.name, order=desk.order, name=desk.customer.name, day=desk.today)
    rivals = [f"{n}" for n in {*parts, *(row.units for row in spec.rows(STOCK)), desk.product.price} if n != total]
    return desk.draft(text, Say(f"{total}"), say=(fact(f"{total}", none_of=rivals),))


def _talk(spec: Spec) -> Draft:
    """The customer is on the line, and says which order only when asked."""
    desk = Desk(spec, "regular")
    cancel = spec.turn % 2 == 0
    status, age, delivered = ("placed", 2, None) if cancel else ("delivered", 9, 3)
    line = desk.ordered(status, age=age, delivered=delivered)
    decoy = desk.order
    desk.order = f"{decoy}5"
    desk.ordered(status, age=age, delivered=delivered)
    desk.order = decoy
    wish = f"cancel one of my orders with the {desk.product.name}" if cancel else f"return one {desk.product.name}"
    knows = (
        Known(("which", "order", "number"), f"It is order {desk.order}."),
        Known(("e-mail", "email", "address"), f"My e-mail address is {desk.customer.email}."),
        Known(("why", "reason", "damaged"), "I just don't need it."),
    )
    opening = spec.worded(
        "{name} is on the line (case {case}): “Hello, I'd like to {wish}.” Ask what you need to know, settle it, and "
        "say good-bye.",
        "Live chat, case {case}, {name} says: “Hi! Can I {wish}?” Find out which order is meant before you act.",
        name=desk.customer.name,
        case=desk.case,
        wish=wish,
    )
    desk.asked(f"Wants to {wish}.")
    price = line.price
    if not cancel and price > desk.terms.limit:
        desk.scene = [
            (t, r._replace(price=desk.terms.limit - 50) if t is LINES and r.product == desk.product.id else r)
            for t, r in desk.scene
        ]
        price = desk.terms.limit - 50
    acts = (Call("cancel_order", {"order": desk.order}),) if cancel else (_returning(line), desk.refund(price))
    hello, bye = Say("Which order is it about?"), Say("That is done. Have a nice day!")
    return desk.draft(opening, hello, *acts, desk.granted(), bye, user=Script(knows))


FAMILIES: Mapping[str, Family] = {
    "cancel": _cancel,
    "cancel-late": _cancel_late,
    "address": _address,
    "quantity": _quantity,
    "swap": _swap,
    "return": _within,
    "return-late": _too_late,
    "return-gold": _gold,
    "final-sale": _final_sale,
    "large-refund": _large,
    "damaged": _damaged,
    "many-damaged": _many_damaged,
    "late-delivery": _late_delivery,
    "not-theirs": _not_theirs,
    "rebalance": _rebalance,
    "question": _question,
    "talk": _talk,
}


def tasks(rules: Rules, seed: int, count: int) -> list[Task]:
    return build(rules, FAMILIES, shop, seed, count)
