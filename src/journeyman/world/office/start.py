"""An office on some morning, made from a seed.

Always holds: the same seed makes the same office; nothing is planned later than LAST days after today, so that a task
finds a day for itself.

Knows the office's tables.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from journeyman.world.chance import Stream
from journeyman.world.context import instant
from journeyman.world.office.tables import (
    TABLES,
    Desk,
    Event,
    File,
    Invite,
    Mail,
    Person,
    Room,
    Share,
)
from journeyman.world.state import State

LAST = 9
ME = "U-1"
TEAMS = ("Design", "Finance", "Hardware", "Support", "Research")
PROJECTS = ("Atlas", "Beacon", "Cinder", "Dovetail", "Ember", "Fjord")
_FIRST = "Ada Boris Clara Dario Esther Felix Gwen Hugo Ines Jakob Kira Leon Maren Nora Oskar Pia Rafael Selma".split()
_LAST = (
    "Almeida Berg Castell Dahl Engel Farkas Grün Horvat Iversen Juhl Keller Lund Marek Nagy Orlov Prins Roth Stern"
).split()
_TITLES = ("engineer", "analyst", "lead", "writer", "buyer", "planner")
_MEETINGS = ("stand-up", "budget round", "retrospective", "supplier call", "roadmap", "demo", "interview", "workshop")
_ROOMS = (("Alder", 4), ("Birch", 6), ("Cedar", 8), ("Dogwood", 10), ("Elm", 14), ("Fir", 20))
_SUBJECTS = (
    ("Lunch on Thursday", "Shall we try the new place at the corner?"),
    ("{project}: numbers of last week", "The numbers are in; nothing to worry about."),
    ("Printer on floor {n}", "It is jammed again. Facilities know."),
    ("{project}: open questions", "Who decides on the {n} remaining points?"),
    ("Train tickets", "Mine were {n}0 euros; the receipt is attached."),
    ("{project}: photos from the workshop", "They turned out well, have a look."),
)
_NOTES = (
    "{project} kick-off notes\nOwner: {name}\nFirst delivery in week {n}.",
    "{project} risks\n1. Supplier may be late.\n2. {name} is away in week {n}.",
    "{project} costs\nTravel: {n}00 euros\nLicences: {m}00 euros",
    "{project} contacts\n{name} for everything technical.",
)


def today(seed: int) -> date:
    """A Monday."""
    return date(2026, 1, 5) + timedelta(weeks=Stream("week", seed).below(40))


@lru_cache(maxsize=32)
def office(seed: int) -> State:
    chance = Stream("office", seed)
    day = today(seed)
    names = zip(chance.shuffled(_FIRST), chance.shuffled(_LAST), strict=True)
    people = [
        Person(f"U-{at}", f"{first} {last}", _email(first, last), TEAMS[at % len(TEAMS)], chance.choice(_TITLES))
        for at, (first, last) in enumerate(names, 1)
    ]
    ids = [person.id for person in people]
    rooms = [Room(name, seats + chance.below(2), 1 + at // 2) for at, (name, seats) in enumerate(_ROOMS)]
    events, invites = _calendar(chance, day, ids, rooms)
    files = [
        File(
            f"D-{10 + at}",
            chance.choice(PROJECTS),
            f"{chance.choice(('notes', 'risks', 'costs', 'contacts'))}-{at}.txt",
            ME if at % 2 else chance.choice(ids),
            chance.choice(_NOTES).format(
                project=chance.choice(PROJECTS),
                name=chance.choice(people).name,
                n=chance.between(2, 9),
                m=chance.between(10, 40),
            ),
        )
        for at in range(18)
    ]
    shares = [
        Share(f"{file.id}:{person}", file.id, person, chance.choice(("read", "edit")))
        for file in files
        for person in chance.sample(ids[1:], 2)
    ]
    rows: dict[str, list[Any]] = {
        "people": people,
        "desk": [Desk("me", ME)],
        "rooms": rooms,
        "events": events,
        "invites": invites,
        "mails": _mails(chance, day, people),
        "files": files,
        "shares": shares,
    }
    clock = instant(day.year, day.month, day.day, 8, 30)
    return State.build(TABLES, rows, clock=clock, counters={"E": 100, "M": 100, "D": 100})


def _email(first: str, last: str) -> str:
    return f"{first}.{last}@office.example".lower().replace("ü", "u")


def _calendar(chance: Stream, day: date, ids: list[str], rooms: list[Room]) -> tuple[list[Event], list[Invite]]:
    """Two dozen events within LAST days; no room is booked twice."""
    slots = [(ahead, hour, room.id) for ahead in range(LAST) for hour in range(9, 17) for room in rooms]
    events: list[Event] = []
    invites: list[Invite] = []
    for at, (ahead, hour, room) in enumerate(chance.sample(slots, 24)):
        when = day + timedelta(days=ahead)
        organizer = ME if at % 3 == 0 else chance.choice(ids)
        title = f"{chance.choice(PROJECTS)} {chance.choice(_MEETINGS)}"
        event = Event(
            f"E-{10 + at}", title, f"{when} {hour:02}:00", f"{when} {hour:02}:45", room, organizer, "confirmed"
        )
        events.append(event)
        invites += [
            Invite(f"{event.id}:{person}", event.id, person, chance.choice(("pending", "accepted", "declined")))
            for person in chance.sample([each for each in ids if each != organizer], chance.between(1, 4))
        ]
    return events, invites


def _mails(chance: Stream, day: date, people: list[Person]) -> list[Mail]:
    mails: list[Mail] = []
    for at in range(26):
        subject, body = chance.choice(_SUBJECTS)
        project, n = chance.choice(PROJECTS), chance.between(2, 9)
        sent = f"{day - timedelta(days=chance.between(1, 12))} {chance.between(8, 18):02}:{chance.between(10, 59)}"
        mails.append(
            Mail(
                f"M-{10 + at}",
                "archive" if at % 5 == 0 else "inbox",
                chance.choice(people[1:]).id,
                (people[0].email,),
                subject.format(project=project, n=n),
                body.format(project=project, n=n),
                sent,
                None,
            )
        )
    return mails
