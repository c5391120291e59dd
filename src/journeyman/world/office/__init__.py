"""An office, seen by somebody's assistant: calendar, mail, files, and the people in them.

Always holds: the assistant acts as one person, whom `whoami` names; what others wrote is not theirs to change.

Knows the world room; nothing above it.
"""

from __future__ import annotations

from functools import lru_cache

from journeyman.world.office.tables import TABLES
from journeyman.world.office.tasks import tasks
from journeyman.world.office.tools import TOOLS
from journeyman.world.suite import Suite
from journeyman.world.world import Rules

GUIDE = """You are an office assistant and act for one person: whoami tells you for whom, and what day it is.
Times are written 2026-03-05 14:00. Look things up rather than guess, and do nothing that was not asked for.
When all is done, or when a question is answered, say so in one short sentence."""


@lru_cache(maxsize=4)
def suite(seed: int = 0, per_family: int = 7) -> Suite:
    """The office with `per_family` tasks of each kind."""
    rules = Rules("office", TABLES, TOOLS, guide=GUIDE)
    return Suite(rules, tasks(rules, seed, per_family))
