"""Who is who, and for whom the assistant acts.

Always holds: the assistant is one person; times are written 2026-03-05 14:00.

Knows the office's tables.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from journeyman.world.context import Context
from journeyman.world.office.tables import DESK, PEOPLE
from journeyman.world.shapes import WORDS
from journeyman.world.tools import read

PersonId = Annotated[str, PEOPLE]
Text = Annotated[str, WORDS]
Found = dict[str, Any]
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@read
def whoami(here: Context) -> Found:
    """For whom you act, and what time it is."""
    person = here.get(PEOPLE, me(here))
    return {"me": person._asdict(), "now": written(here.now), "day": WEEKDAYS[here.now.weekday()]}


@read
def find_people(here: Context, name: str = "", team: str = "") -> list[Found]:
    """Find people by a part of their name, by team, or by both.

    Args:
        name: a part of the name
        team: the whole name of the team
    """
    rows = here.find(PEOPLE, team=team) if team else here.each(PEOPLE)
    return [row._asdict() for row in rows if name.casefold() in row.name.casefold()]


def me(here: Context) -> str:
    """The id of whom the assistant acts for."""
    return here.get(DESK, "me").person


def written(time: datetime) -> str:
    """As this office writes times."""
    return time.isoformat(" ", "minutes")  # strftime would ask the process for its locale
