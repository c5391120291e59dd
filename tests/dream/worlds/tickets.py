"""A help desk that was made up for these tests, in the manner of many: all keys are called id, what changes something
answers with a part of it, and refusals name what they speak of."""

from __future__ import annotations

import copy
import random
from typing import Any

from journeyman.dream.worlds.calls import Call, Recording

TEAMS = ("north", "south", "west")


class Tickets:
    def __init__(self, number: int) -> None:
        chance = random.Random(f"t{number}")
        self.made = 0
        self.number = number
        self.people = {
            f"P-{number}{n}": {"id": f"P-{number}{n}", "name": f"Person {number}{n}", "vip": n > 1, "since": 2000 + n}
            for n in range(3)
        }
        self.tickets = {
            f"T-{number}{n}": {
                "id": f"T-{number}{n}",
                "title": f"trouble {chance.randrange(900)}",
                "person": chance.choice(sorted(self.people)),
                "status": chance.choice(("open", "open", "closed")),
                "team": chance.choice(TEAMS),
                "open_for": chance.randrange(1, 90),
                "text": f"It does not work {chance.randrange(900)}.",
            }
            for n in range(6)
        }

    def _ticket(self, ticket: str) -> dict[str, Any]:
        if ticket not in self.tickets:
            raise ValueError(f"there is no '{ticket}' in tickets")
        return self.tickets[ticket]

    def get_ticket(self, ticket: str) -> Any:
        return self._ticket(ticket)

    def get_person(self, person: str) -> Any:
        return self.people[person]

    def close_ticket(self, ticket: str) -> Any:
        found = self._ticket(ticket)
        if found["status"] == "closed":
            raise ValueError(f"{ticket} of {found['person']} is closed already")
        found["status"], found["open_for"] = "closed", None
        return {"id": ticket, "status": "closed"}

    def move_ticket(self, ticket: str, team: str) -> Any:
        found = self._ticket(ticket)
        if found["team"] == team:
            raise ValueError(f"{ticket} is with {team}, and cannot be moved there")
        found["team"] = team
        return {field: found[field] for field in ("id", "title", "person", "status", "team")}

    def add_line(self, ticket: str, line: str) -> Any:
        found = self._ticket(ticket)
        found["text"] = f"{found['text']}\n{line}"
        return found

    def open_ticket(self, title: str, person: str) -> Any:
        self.made += 1
        made = {
            "id": f"T-{self.number}{90 + self.made}", "title": title, "person": person, "status": "open",
            "team": "west", "open_for": 0, "text": "",
        }  # fmt: skip
        self.tickets[made["id"]] = made
        return {field: made[field] for field in ("id", "title", "person", "status", "team")}


def session(number: int) -> Recording:
    chance, desk = random.Random(f"s{number}"), Tickets(number)
    calls: list[Call] = []

    def ask(tool: str, **arguments: str) -> Any:
        try:
            value, ok = copy.deepcopy(getattr(desk, tool)(**arguments)), True
        except ValueError as error:
            value, ok = str(error), False
        calls.append(Call(tool, arguments, ok, value))
        return value

    for ticket in chance.sample(sorted(desk.tickets), 3):
        ask("get_person", person=ask("get_ticket", ticket=ticket)["person"])
        for tool in chance.sample(("close_ticket", "move_ticket", "add_line"), 2):
            team, line = chance.choice(TEAMS), f"More {chance.randrange(99)}."
            ask(tool, ticket=ticket, **{"move_ticket": {"team": team}, "add_line": {"line": line}}.get(tool, {}))
        if chance.random() < 0.5:
            ask("get_ticket", ticket=ticket)
    made = ask("open_ticket", title=f"new {chance.randrange(900)}", person=chance.choice(sorted(desk.people)))
    ask("close_ticket", ticket=made["id"])
    ask("get_ticket", ticket=f"T-{number}77")
    named = " ".join([*desk.people, *desk.tickets])
    return Recording(str(number), tuple(calls), ((0, named),))


def log(count: int, first: int = 100) -> list[Recording]:
    return [session(first + at) for at in range(count)]
