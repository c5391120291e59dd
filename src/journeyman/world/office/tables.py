"""What an office keeps.

Always holds: an event ends after it begins; an invitation and a share are one for each person; times are written so
that they sort.

Knows columns; nothing of what is done with them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from journeyman.world.shapes import WORDS
from journeyman.world.tables import Table

Answer = Literal["pending", "accepted", "declined"]
Place = Literal["inbox", "sent", "archive"]
Right = Literal["read", "edit"]


class Person(NamedTuple):
    id: str
    name: str
    email: str
    team: str
    title: str


class Desk(NamedTuple):
    id: str  # "me"
    person: str


class Room(NamedTuple):
    id: str
    seats: int
    floor: int


class Event(NamedTuple):
    id: str
    title: str
    start: str
    end: str
    room: str | None
    organizer: str
    status: Literal["confirmed", "cancelled"]


class Invite(NamedTuple):
    id: str  # event:person
    event: str
    person: str
    answer: Answer


class Mail(NamedTuple):
    id: str
    folder: Place
    sender: str
    to: tuple[str, ...]  # addresses, sorted
    subject: Annotated[str, WORDS]
    body: Annotated[str, WORDS]
    sent: str
    answers: str | None


class File(NamedTuple):
    id: str
    folder: str
    name: str
    owner: str
    text: Annotated[str, WORDS]


class Share(NamedTuple):
    id: str  # file:person
    file: str
    person: str
    right: Right


def _goes_on(row: Any) -> bool:
    return row.start < row.end


def _sorted(row: Any) -> bool:
    return len(row.to) > 0 and list(row.to) == sorted(row.to)


def _named(row: Any) -> bool:
    return bool(row.name.strip()) and bool(row.folder.strip())


PEOPLE = Table("people", Person, indexes=("email", "team"))
DESK = Table("desk", Desk, references={"person": "people"})
ROOMS = Table("rooms", Room)
EVENTS = Table(
    "events",
    Event,
    references={"room": "rooms", "organizer": "people"},
    checks=(("an event ends after it begins", _goes_on),),
)
INVITES = Table("invites", Invite, references={"event": "events", "person": "people"})
MAILS = Table(
    "mails",
    Mail,
    references={"sender": "people", "answers": "mails"},
    indexes=("folder",),
    checks=(("a mail goes to somebody", _sorted),),
    given=("sent",),
)
FILES = Table("files", File, references={"owner": "people"}, indexes=("folder",), checks=(("it needs a name", _named),))
SHARES = Table("shares", Share, references={"file": "files", "person": "people"})
TABLES: tuple[Table[Any], ...] = (PEOPLE, DESK, ROOMS, EVENTS, INVITES, MAILS, FILES, SHARES)
