"""A shop, seen from its support desk: customers, orders, stock, refunds, and the policy that binds them.

Always holds: policy is kept by the agent, not by the tools, wherever a shop leaves it to its people; so a task is
solved by who reads the policy and acts on it, and every case ends with a decision on record.

Knows the world room; nothing above it.
"""

from __future__ import annotations

from functools import lru_cache

from journeyman.world.shop.tables import TABLES
from journeyman.world.shop.tasks import tasks
from journeyman.world.shop.tools import TOOLS
from journeyman.world.suite import Suite
from journeyman.world.world import Rules

GUIDE = """You work at the support desk of a shop. Today's date is in every case; amounts are in cents.
Look policy up before you decide (get_policy), and keep to it even where a tool would let you do more.
Refund exactly what was paid for what comes back. Do nothing that was not asked for.
Every case ends with close_case (granted or refused, with the reason) or with escalate_case."""


@lru_cache(maxsize=4)
def suite(seed: int = 0, per_family: int = 8) -> Suite:
    """The shop with `per_family` tasks of each kind."""
    rules = Rules("shop", TABLES, TOOLS, guide=GUIDE)
    return Suite(rules, tasks(rules, seed, per_family))
