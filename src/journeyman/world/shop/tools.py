"""What can be done at the support desk.

Always holds: what is physically impossible is refused here (sending what is not there, cancelling what has left);
what is merely against policy is not: that is the agent's to know.

Knows the shop's tables.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from journeyman.world.context import Context
from journeyman.world.outcome import Conflict, Invalid, NotFound, Refused
from journeyman.world.shapes import WORDS
from journeyman.world.shop.tables import (
    CASES,
    CUSTOMERS,
    LINES,
    ORDERS,
    POLICIES,
    PRODUCTS,
    REFUNDS,
    RETURNS,
    STOCK,
    Because,
    Case,
    Category,
    Decision,
    Order,
    Refund,
    Return,
    ReturnReason,
    Team,
    Topic,
    Where,
)
from journeyman.world.tools import read, write

CustomerId = Annotated[str, CUSTOMERS]
ProductId = Annotated[str, PRODUCTS]
OrderId = Annotated[str, ORDERS]
LineId = Annotated[str, LINES]
CaseId = Annotated[str, CASES]
Text = Annotated[str, WORDS]
Found = dict[str, Any]
_UNSENT = ("placed", "packed")
_FIXED = "its lines cannot be changed any more"


@read
def find_customer(here: Context, email: str = "", name: str = "") -> list[Found]:
    """Find customers by e-mail address, or by a part of their name.

    Args:
        email: the whole address
        name: a part of the name
    """
    if email:
        found = here.find(CUSTOMERS, email=email.strip().lower())
    elif name:
        found = [row for row in here.each(CUSTOMERS) if name.casefold() in row.name.casefold()]
    else:
        raise Invalid("give an e-mail address or a name")
    return [row._asdict() for row in found]


@read
def list_orders(here: Context, customer: CustomerId) -> list[Found]:
    """All orders of a customer, without their lines.

    Args:
        customer: the customer's id, as in C-104
    """
    here.get(CUSTOMERS, customer)
    return [row._asdict() for row in here.find(ORDERS, customer=customer)]


@read
def get_order(here: Context, order: OrderId) -> Found:
    """An order with its lines, returns and refunds.

    Args:
        order: the order's id, as in R-1042
    """
    found = here.get(ORDERS, order)
    lines = here.find(LINES, order=order)
    returns = [each._asdict() for line in lines for each in here.find(RETURNS, line=line.id)]
    refunds = [each._asdict() for each in here.find(REFUNDS, order=order)]
    named = [{**line._asdict(), "name": here.get(PRODUCTS, line.product).name} for line in lines]
    return {**found._asdict(), "lines": named, "returns": returns, "refunds": refunds}


@read
def search_products(here: Context, words: str = "", category: Category | None = None) -> list[Found]:
    """Find products by words in their name, by category, or by both.

    Args:
        words: all of them stand in the name
        category: one of the shop's categories
    """
    rows = here.find(PRODUCTS, category=category) if category else here.each(PRODUCTS)
    wanted = words.casefold().split()
    return [row._asdict() for row in rows if all(word in row.name.casefold() for word in wanted)]


@read
def get_product(here: Context, product: ProductId) -> Found:
    """A product, with the units in each warehouse.

    Args:
        product: the product's id, as in P-12
    """
    stock = {row.warehouse: row.units for row in here.find(STOCK, product=product)}
    return {**here.get(PRODUCTS, product)._asdict(), "stock": stock}


@read
def get_policy(here: Context, topic: Topic) -> Found:
    """What the shop's policy says on a topic.

    Args:
        topic: what it is about
    """
    return {"topic": topic, "text": here.get(POLICIES, topic).text}


@read
def list_cases(here: Context, status: Literal["open", "closed", "escalated"] = "open") -> list[Found]:
    """The cases at the desk.

    Args:
        status: which of them
    """
    return [{"id": row.id, "opened": row.opened, "text": row.text} for row in here.find(CASES, status=status)]


@read
def get_case(here: Context, case: CaseId) -> Found:
    """A case: who wants what, and what was decided.

    Args:
        case: the case's id, as in K-31
    """
    return {**here.get(CASES, case)._asdict(), "today": here.now.date().isoformat()}


@write
def cancel_order(here: Context, order: OrderId) -> Found:
    """Cancel an order that has not left the house. Its goods go back into stock.

    Args:
        order: the order's id
    """
    found = _in(here, order, _UNSENT, "it cannot be cancelled any more")
    for line in here.find(LINES, order=order):
        _move(here, line.product, found.warehouse, line.quantity)
    return here.put(ORDERS, found._replace(status="cancelled"))._asdict()


@write
def change_address(here: Context, order: OrderId, street: str, city: str) -> Found:
    """Send an order that has not left the house to another address.

    Args:
        order: the order's id
        street: street and number
        city: the city
    """
    found = _in(here, order, _UNSENT, "its address cannot be changed any more")
    if not street.strip() or not city.strip():
        raise Invalid("an address has a street and a city")
    return here.put(ORDERS, found._replace(street=street.strip(), city=city.strip()))._asdict()


@write
def change_quantity(here: Context, line: LineId, quantity: int) -> Found:
    """Change how many of a product an order has, before it is packed.

    Args:
        line: the line's id, as in R-1042/1
        quantity: how many it shall be, one at least
    """
    found = here.get(LINES, line)
    order = _in(here, found.order, ("placed",), _FIXED)
    if quantity < 1:
        raise Invalid("a line has one piece at least")
    _move(here, found.product, order.warehouse, found.quantity - quantity)
    return here.put(LINES, found._replace(quantity=quantity))._asdict()


@write
def swap_product(here: Context, line: LineId, product: ProductId) -> Found:
    """Put another product, at its present price, in the place of one that was ordered, before it is packed.

    Args:
        line: the line's id
        product: what is wanted instead
    """
    found = here.get(LINES, line)
    order = _in(here, found.order, ("placed",), _FIXED)
    other = here.get(PRODUCTS, product)
    if product == found.product:
        raise Conflict(f"{line} is for {product} already")
    _move(here, found.product, order.warehouse, found.quantity)
    _move(here, product, order.warehouse, -found.quantity)
    return here.put(LINES, found._replace(product=product, price=other.price))._asdict()


@write
def return_line(here: Context, line: LineId, quantity: int, reason: ReturnReason) -> Found:
    """Book goods of a delivered order as returned. This pays nothing back.

    Args:
        line: the line's id
        quantity: how many come back
        reason: why
    """
    found = here.get(LINES, line)
    if here.get(ORDERS, found.order).status != "delivered":
        raise Refused(f"{found.order} was not delivered yet")
    back = sum(each.quantity for each in here.find(RETURNS, line=line))
    if quantity < 1 or back + quantity > found.quantity:
        raise Conflict(f"{line} has {found.quantity} pieces, {back} of which came back before")
    return here.add(RETURNS, Return(here.new_id("T"), line, quantity, reason))._asdict()


@write
def refund(here: Context, order: OrderId, amount: int, to: Literal["original", "credit"]) -> Found:
    """Pay money back for an order.

    Args:
        order: the order's id
        amount: in cents
        to: the way it was paid, or the customer's store credit
    """
    found = here.get(ORDERS, order)
    paid = sum(line.quantity * line.price for line in here.find(LINES, order=order))
    before = sum(each.amount for each in here.find(REFUNDS, order=order))
    if amount < 1 or before + amount > paid:
        raise Conflict(f"{paid} was paid for {order}, and {before} was refunded before")
    if to == "credit":
        customer = here.get(CUSTOMERS, found.customer)
        here.put(CUSTOMERS, customer._replace(credit=customer.credit + amount))
    return here.add(REFUNDS, Refund(here.new_id("F"), order, amount, to))._asdict()


@write
def give_credit(here: Context, customer: CustomerId, amount: int) -> Found:
    """Add to a customer's store credit, as a gesture.

    Args:
        customer: the customer's id
        amount: in cents
    """
    found = here.get(CUSTOMERS, customer)
    if amount < 1:
        raise Invalid("an amount is one cent at least")
    return here.put(CUSTOMERS, found._replace(credit=found.credit + amount))._asdict()


@write
def move_stock(here: Context, product: ProductId, source: Where, target: Where, units: int) -> Found:
    """Send units of a product from one warehouse to another.

    Args:
        product: the product's id
        source: where they are
        target: where they are wanted
        units: how many
    """
    here.get(PRODUCTS, product)
    if source == target or units < 1:
        raise Invalid("stock moves between two warehouses, one unit at least")
    _move(here, product, source, -units)
    _move(here, product, target, units)
    return {row.warehouse: row.units for row in here.find(STOCK, product=product)}


@write
def close_case(here: Context, case: CaseId, decision: Decision, because: Because, note: Text = "") -> Found:
    """Close a case with the decision that was taken.

    Args:
        case: the case's id
        decision: whether the customer gets what was asked for
        because: the reason
        note: anything else worth keeping
    """
    found = _open(here, case)
    if (decision == "granted") != (because == "within_policy"):
        raise Invalid("what is granted is within_policy, and what is refused has another reason")
    row = found._replace(status="closed", decision=decision, because=because, note=note)
    return here.put(CASES, row)._asdict()


@write
def escalate_case(here: Context, case: CaseId, team: Team, note: Text = "") -> Found:
    """Hand a case to another team, which decides.

    Args:
        case: the case's id
        team: who decides
        note: what they should know
    """
    return here.put(CASES, _open(here, case)._replace(status="escalated", team=team, note=note))._asdict()


def _in(here: Context, order: str, statuses: tuple[str, ...], otherwise: str) -> Order:
    """The order, which has to be in one of these statuses."""
    found = here.get(ORDERS, order)
    if found.status not in statuses:
        raise Refused(f"{order} is {found.status}: {otherwise}")
    return found


def _open(here: Context, case: str) -> Case:
    found = here.get(CASES, case)
    if found.status != "open":
        raise Refused(f"{case} is {found.status} already")
    return found


def _move(here: Context, product: str, warehouse: str, units: int) -> None:
    row = next((each for each in here.find(STOCK, product=product) if each.warehouse == warehouse), None)
    if row is None:
        raise NotFound(f"{product} is not kept in the {warehouse} warehouse")
    if row.units + units < 0:
        raise Conflict(f"the {warehouse} warehouse has {row.units} of {product}")
    here.put(STOCK, row._replace(units=row.units + units))


TOOLS = (
    find_customer,
    list_orders,
    get_order,
    search_products,
    get_product,
    get_policy,
    list_cases,
    get_case,
    cancel_order,
    change_address,
    change_quantity,
    swap_product,
    return_line,
    refund,
    give_credit,
    move_stock,
    close_case,
    escalate_case,
)
