"""A task's setting: a day of its own, a topic, the people in the story, and the rows that come with them.

Always holds: the day lies after all that the office has planned, so that what is asked for then cannot clash.

Knows the office's tables.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from journeyman.world.actions import Call, Say
from journeyman.world.making import Draft, Spec
from journeyman.world.office.people import WEEKDAYS
from journeyman.world.office.start import LAST, ME, PROJECTS, today
from journeyman.world.office.tables import EVENTS, FILES, INVITES, MAILS, PEOPLE, Event, File, Invite, Mail, Person

TOPICS = (
    "quarterly forecast|hiring plan|launch rehearsal|pricing review|offsite planning|security drill|brand refresh|"
    "vendor shortlist|migration checkpoint|annual audit|customer council|sprint closing|safety briefing|patent talk"
).split("|")


class Plan:
    """A spec with a day of its own, a topic, and the people in the story."""

    def __init__(self, spec: Spec, guests: int = 3) -> None:
        self.spec, self.chance = spec, spec.chance
        self.day: date = today(spec.seed) + timedelta(days=LAST + 1 + spec.chance.below(4))
        self.hour = spec.chance.between(9, 15)
        self.topic: str = spec.chance.choice(TOPICS)
        self.me: Person = spec.row(PEOPLE, ME)
        self.people: list[Person] = spec.chance.sample(spec.rows(PEOPLE, lambda row: row.id != ME), guests)
        self.scene: list[tuple[Any, Any]] = []

    def at(self, hour: int, minute: int = 0, days: int = 0) -> str:
        return f"{self.day + timedelta(days=days)} {hour:02}:{minute:02}"

    def spoken(self, days: int = 0) -> str:
        day = self.day + timedelta(days=days)
        return f"{WEEKDAYS[day.weekday()]} {day}"

    def event(self, title: str = "", organizer: str = ME, room: str | None = None, hour: int | None = None) -> Event:
        """Put into the calendar: an hour on the day."""
        start = self.hour if hour is None else hour
        id = f"E-{self.chance.between(40, 99)}"
        while any(row[0] == id for _, row in self.scene):
            id = f"E-{self.chance.between(40, 99)}"
        row = Event(id, title or self.topic, self.at(start), self.at(start + 1), room, organizer, "confirmed")
        self.scene.append((EVENTS, row))
        return row

    def invited(self, event: Event, *answers: tuple[Person, Any]) -> None:
        rows = (Invite(f"{event.id}:{person.id}", event.id, person.id, answer) for person, answer in answers)
        self.scene += [(INVITES, row) for row in rows]

    def file(self, name: str, text: str, folder: str = "", owner: str = ME) -> File:
        row = File(f"D-{60 + len(self.scene)}", folder or self.chance.choice(PROJECTS), name, owner, text)
        self.scene.append((FILES, row))
        return row

    def mail(self, sender: Person, subject: str, body: str) -> Mail:
        row = Mail(
            f"M-{60 + len(self.scene)}",
            "inbox",
            sender.id,
            (self.me.email,),
            subject,
            body,
            f"{self.day - timedelta(days=20)} 11:05",
            None,
        )
        self.scene.append((MAILS, row))
        return row

    def draft(self, instruction: str, *oracle: Call | Say, **rest: Any) -> Draft:
        return Draft(instruction, oracle, tuple(self.scene), **rest)
