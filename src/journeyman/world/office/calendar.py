"""The calendar: events, their rooms, and who is invited.

Always holds: a room is booked once at a time; only who organises an event changes it; an invitation is answered by
whom it was sent to.

Knows the office's tables and people.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated

from journeyman.world.context import Context
from journeyman.world.office.people import Found, PersonId, me, written
from journeyman.world.office.tables import EVENTS, INVITES, PEOPLE, ROOMS, Answer, Event, Invite
from journeyman.world.outcome import Conflict, Invalid, Refused
from journeyman.world.tools import read, write

RoomId = Annotated[str, ROOMS]
EventId = Annotated[str, EVENTS]
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@read
def list_rooms(here: Context, seats: int = 0, free_from: str = "", free_until: str = "") -> list[Found]:
    """Rooms with enough seats; with both times, only those that are free from the one to the other.

    Args:
        seats: how many are needed
        free_from: as 2026-03-05 14:00
        free_until: as 2026-03-05 15:00
    """
    rooms = [row for row in here.each(ROOMS) if row.seats >= seats]
    if free_from and free_until:
        start, end = _time(free_from), _time(free_until)
        rooms = [row for row in rooms if not _booked(here, row.id, start, end)]
    return [row._asdict() for row in sorted(rooms, key=lambda row: (row.seats, row.id))]


@read
def list_events(here: Context, day: str = "", person: PersonId | None = None, words: str = "") -> list[Found]:
    """Events that are not cancelled: of a day, of one person (organised or invited), or with words in the title.

    Args:
        day: as 2026-03-05
        person: a person's id, as in U-4
        words: all of them stand in the title
    """
    if day and _DAY.fullmatch(day) is None:
        raise Invalid("a day is written 2026-03-05")
    wanted = words.casefold().split()
    rows = [row for row in here.each(EVENTS) if row.status == "confirmed" and row.start.startswith(day)]
    rows = [row for row in rows if all(word in row.title.casefold() for word in wanted)]
    if person:
        here.get(PEOPLE, person)
        invited = {invite.event for invite in here.find(INVITES, person=person) if invite.answer != "declined"}
        rows = [row for row in rows if row.organizer == person or row.id in invited]
    return [row._asdict() for row in sorted(rows, key=lambda row: (row.start, row.id))]


@read
def get_event(here: Context, event: EventId) -> Found:
    """An event, and who is invited.

    Args:
        event: the event's id, as in E-14
    """
    invited = [
        {"person": row.person, "name": here.get(PEOPLE, row.person).name, "answer": row.answer}
        for row in here.find(INVITES, event=event)
    ]
    return {**here.get(EVENTS, event)._asdict(), "invited": invited}


@write
def create_event(
    here: Context, title: str, start: str, minutes: int, people: list[PersonId], room: RoomId | None = None
) -> Found:
    """Put an event of yours into the calendar, and invite people.

    Args:
        title: what it is
        start: as 2026-03-05 14:00
        minutes: how long
        people: the ids of those who are invited, without yourself
        room: a room that is free then
    """
    start, end = _span(start, minutes)
    _book(here, room, start, end)
    event = here.add(EVENTS, Event(here.new_id("E"), title.strip(), start, end, room, me(here), "confirmed"))
    for person in people:
        _invite(here, event.id, person)
    return event._asdict()


@write
def move_event(here: Context, event: EventId, start: str, minutes: int | None = None) -> Found:
    """Move an event of yours; it stays as long as it was, if nothing else is said.

    Args:
        event: the event's id
        start: when it shall begin
        minutes: how long it shall be
    """
    found = _mine(here, event)
    if minutes is None:
        minutes = int((_parsed(found.end) - _parsed(found.start)).total_seconds() // 60)
    start, end = _span(start, minutes)
    _book(here, found.room, start, end, event)
    return here.put(EVENTS, found._replace(start=start, end=end))._asdict()


@write
def set_room(here: Context, event: EventId, room: RoomId) -> Found:
    """Hold an event of yours in another room.

    Args:
        event: the event's id
        room: a room that is free then
    """
    found = _mine(here, event)
    _book(here, room, found.start, found.end, event)
    return here.put(EVENTS, found._replace(room=room))._asdict()


@write
def cancel_event(here: Context, event: EventId) -> Found:
    """Cancel an event of yours. Nobody is told by this.

    Args:
        event: the event's id
    """
    return here.put(EVENTS, _mine(here, event)._replace(status="cancelled"))._asdict()


@write
def invite(here: Context, event: EventId, person: PersonId) -> Found:
    """Invite somebody to an event of yours.

    Args:
        event: the event's id
        person: the person's id
    """
    _mine(here, event)
    return _invite(here, event, person)._asdict()


@write
def answer_invite(here: Context, event: EventId, answer: Answer) -> Found:
    """Answer an invitation that you have.

    Args:
        event: the event's id
        answer: whether you come
    """
    found = here.get(INVITES, f"{event}:{me(here)}")
    return here.put(INVITES, found._replace(answer=answer))._asdict()


def _parsed(time: str) -> datetime:
    if _TIME.fullmatch(time) is None:
        raise Invalid("a time is written 2026-03-05 14:00")
    try:
        return datetime.fromisoformat(time)
    except ValueError as error:
        raise Invalid(f"there is no {time}") from error


def _time(time: str) -> str:
    return written(_parsed(time))


def _span(start: str, minutes: int) -> tuple[str, str]:
    if not 5 <= minutes <= 24 * 60:
        raise Invalid("an event lasts from 5 minutes to a day")
    begin = _parsed(start)
    return written(begin), written(begin + timedelta(minutes=minutes))


def _booked(here: Context, room: str, start: str, end: str, besides: str = "") -> bool:
    return any(
        row.status == "confirmed" and row.id != besides and row.start < end and start < row.end
        for row in here.find(EVENTS, room=room)
    )


def _book(here: Context, room: str | None, start: str, end: str, besides: str = "") -> None:
    if room is not None:
        here.get(ROOMS, room)
        if _booked(here, room, start, end, besides):
            raise Conflict(f"{room} is taken at that time")


def _mine(here: Context, event: str) -> Event:
    found = here.get(EVENTS, event)
    if found.organizer != me(here):
        raise Refused(f"{event} is organised by somebody else")
    if found.status == "cancelled":
        raise Refused(f"{event} is cancelled")
    return found


def _invite(here: Context, event: str, person: str) -> Invite:
    return here.add(INVITES, Invite(f"{event}:{person}", event, person, "pending"))
