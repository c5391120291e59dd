"""What a call to a tool comes to, and the words a tool has for failing.

    raise NotFound("there is no order R-7")

Always holds: a failure is one of KINDS; an outcome's trust is what the world gives to the tier that answered, never
what a tool says of itself; a fault is the tool's own and pays nobody.

Knows nothing of worlds or tools.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple


class Tier(IntEnum):
    """Where an answer comes from, the surest first."""

    RECORDED = 0  # what the real tool answered to this very call
    CODE = 1  # a tool's code on state that is known
    FILLED = 2  # a tool's code on state that was made up when the world was built
    IMITATED = 3  # a model that plays the tool
    ABSTAINED = 4  # nobody knows


TRUST = {Tier.RECORDED: 1.0, Tier.CODE: 1.0, Tier.FILLED: 0.8, Tier.IMITATED: 0.5, Tier.ABSTAINED: 0.0}


class Failure(Exception):  # they are words of a vocabulary
    """Raised by a tool: what was asked cannot be done. The state stays as it was."""

    kind = "fault"


class NotFound(Failure):
    """What is named is not there."""

    kind = "not_found"


class Invalid(Failure):
    """The arguments do not mean anything: a wrong type, an impossible date."""

    kind = "invalid"


class Refused(Failure):
    """It could be done, and the rules of this world forbid it."""

    kind = "refused"


class Conflict(Failure):
    """It does not go together with how things stand: a room that is taken, a number that is used."""

    kind = "conflict"


class Abstain(Failure):
    """The world does not know what the real tool would answer. It does not guess: the episode is cut."""

    kind = "abstain"


class Fault(Failure):
    """The tool broke. The agent is told so, and the episode is cut."""


KINDS = ("not_found", "invalid", "refused", "conflict", "abstain", "fault")
CUTS = ("abstain", "fault")  # after one of these an episode proves nothing


# What a NamedTuple's own call comes to, without the function in Python around it: three of these are made for each call
# of a tool, and they are a tenth of an episode.
made = tuple.__new__


class Outcome(NamedTuple):
    """`text` is what an agent reads: the value, or the failure, as JSON."""

    ok: bool
    value: Any
    error: str  # one of KINDS, or empty
    message: str
    tier: Tier
    trust: float
    text: str
