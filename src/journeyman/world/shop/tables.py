"""What a shop keeps.

Always holds: every line belongs to an order and every order to a customer; stock is never below zero; amounts are
whole cents and never negative.

Knows columns; nothing of what is done with them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from journeyman.world.shapes import WORDS
from journeyman.world.tables import Table

Category = Literal["electronics", "kitchen", "books", "toys", "clothing", "furniture"]
Status = Literal["placed", "packed", "shipped", "delivered", "cancelled"]
Payment = Literal["card", "paypal", "invoice"]
Where = Literal["north", "south", "harbour"]
Topic = Literal["cancellation", "returns", "refunds", "delivery", "damage"]
ReturnReason = Literal["unwanted", "damaged", "wrong_item", "does_not_fit"]
Decision = Literal["granted", "refused"]
Because = Literal["within_policy", "already_sent", "window_passed", "final_sale", "not_their_order", "on_time"]
Team = Literal["finance", "logistics", "quality"]


class Customer(NamedTuple):
    id: str
    name: str
    email: str
    level: Literal["regular", "gold"]
    credit: int


class Product(NamedTuple):
    id: str
    name: str
    category: Category
    price: int
    final_sale: bool


class Stock(NamedTuple):
    id: str  # product@warehouse
    product: str
    warehouse: Where
    units: int


class Order(NamedTuple):
    id: str
    customer: str
    status: Status
    placed: str
    delivered: str | None
    street: str
    city: str
    payment: Payment
    warehouse: Where


class Line(NamedTuple):
    id: str  # order/number
    order: str
    product: str
    quantity: int
    price: int  # of one, as it was paid


class Return(NamedTuple):
    id: str
    line: str
    quantity: int
    reason: ReturnReason


class Refund(NamedTuple):
    id: str
    order: str
    amount: int
    to: Literal["original", "credit"]


class Policy(NamedTuple):
    id: str
    text: str


class Case(NamedTuple):
    id: str
    customer: str | None
    opened: str
    text: str
    status: Literal["open", "closed", "escalated"]
    decision: Decision | None
    because: Because | None
    team: Team | None
    note: Annotated[str, WORDS]


def _paid(row: Any) -> bool:
    return row.price >= 0


def _some(row: Any) -> bool:
    return row.quantity > 0


def _positive(row: Any) -> bool:
    return row.amount > 0


def _in_stock(row: Any) -> bool:
    return row.units >= 0


def _solvent(row: Any) -> bool:
    return row.credit >= 0


CUSTOMERS = Table("customers", Customer, indexes=("email",), checks=(("credit is not negative", _solvent),))
PRODUCTS = Table("products", Product, indexes=("category",), checks=(("a price is not negative", _paid),))
STOCK = Table("stock", Stock, references={"product": "products"}, checks=(("there are not so many", _in_stock),))
ORDERS = Table("orders", Order, references={"customer": "customers"})
LINES = Table("lines", Line, references={"order": "orders", "product": "products"}, checks=(("too few", _some),))
RETURNS = Table("returns", Return, references={"line": "lines"}, checks=(("too few", _some),))
REFUNDS = Table("refunds", Refund, references={"order": "orders"}, checks=(("an amount is above zero", _positive),))
POLICIES = Table("policies", Policy)
CASES = Table("cases", Case, references={"customer": "customers"}, indexes=("status",))
TABLES: tuple[Table[Any], ...] = (CUSTOMERS, PRODUCTS, STOCK, ORDERS, LINES, RETURNS, REFUNDS, POLICIES, CASES)
