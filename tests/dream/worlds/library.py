"""A lending library that was made up for these tests: its real tools, and sessions of readers with them.

Books are lent to members, who pay a fee from a deposit when they bring one back late; a desk card is made anew by
`open_request`, and changed by what comes after.
"""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from journeyman.dream.worlds.calls import Call, Recording, answer


class Library:
    def __init__(self, seed: int, member: int) -> None:
        chance = random.Random(seed)
        self.numbers = random.Random(f"{seed}-{member}")
        self.books = {
            f"B-{n:03d}": {
                "book_id": f"B-{n:03d}",
                "title": f"Volume {n}",
                "fee": chance.randrange(50, 900) / 100,
                "state": chance.choice(("shelf", "shelf", "lent", "repair")),
                "holder": None,
            }
            for n in range(60)
        }
        for book in self.books.values():
            if book["state"] == "lent":
                book["holder"] = f"M-{chance.randrange(40):02d}"
        self.members = {
            f"M-{n:02d}": {
                "member_id": f"M-{n:02d}",
                "name": {"first": f"First{n}", "last": f"Last{n}"},
                "deposit": chance.randrange(2000, 9000) / 100,
                "books": [key for key, book in self.books.items() if book["holder"] == f"M-{n:02d}"],
            }
            for n in range(40)
        }
        self.requests: dict[str, dict[str, Any]] = {}

    def call(self, tool: str, **arguments: Any) -> str:
        try:
            value = getattr(self, tool)(**arguments)
        except ValueError as error:
            return f"Error: {error}"
        return value if isinstance(value, str) else json.dumps(copy.deepcopy(value))

    def _book(self, book_id: str) -> dict[str, Any]:
        if book_id not in self.books:
            raise ValueError("No such book")
        return self.books[book_id]

    def get_book(self, book_id: str) -> Any:
        return self._book(book_id)

    def get_member(self, member_id: str) -> Any:
        if member_id not in self.members:
            raise ValueError("No such member")
        return self.members[member_id]

    def lend(self, book_id: str, member_id: str) -> Any:
        book = self._book(book_id)
        member = self.get_member(member_id)
        if book["state"] != "shelf":
            raise ValueError("The book is not on the shelf")
        book["state"], book["holder"] = "lent", member_id
        member["books"].append(book_id)
        return book

    def bring_back(self, book_id: str) -> Any:
        book = self._book(book_id)
        if book["state"] != "lent":
            raise ValueError("The book is not lent")
        member = self.members[book["holder"]]
        member["deposit"] = round(member["deposit"] - book["fee"], 2)
        book["state"], book["holder"] = "shelf", None
        return book

    def open_request(self, member_id: str, wish: str) -> Any:
        number = f"{self.numbers.randrange(10**6):06d}"
        self.requests[number] = {
            "request_id": number,
            "member_id": member_id,
            "wishes": [{"wish": wish}],
            "state": "open",
        }
        return {"request_id": number}

    def get_request(self, request_id: str) -> Any:
        return self.requests[request_id]

    def opening_hours(self) -> str:
        return "Nine to five."


def session(seed: int, member: int) -> Recording:
    """One member's: looks around, then lends and brings back, some of it in vain."""
    library = Library(seed, member)
    chance = random.Random(f"{seed}:{member}")
    key = f"M-{member:02d}"
    calls: list[Call] = []

    def ask(tool: str, **arguments: Any) -> Any:
        ok, value = answer(library.call(tool, **arguments))
        calls.append(Call(tool, arguments, ok, value))
        return value

    held = ask("get_member", member_id=key)["books"]
    books = [*chance.sample(sorted(library.books), 5), *held[:2]]
    for book in books:
        ask("get_book", book_id=book)
    for _ in range(10):
        book = chance.choice(books)
        turn = chance.randrange(8)
        if turn <= 1:
            ask("lend", book_id=book, member_id=key if chance.random() < 0.9 else "M-99")
        elif turn <= 3:
            ask("bring_back", book_id=book if chance.random() < 0.9 else "B-999")
        elif turn == 4:
            ask("get_book", book_id=book if chance.random() < 0.8 else "B-777")
        elif turn == 5:
            ask("get_member", member_id=key if chance.random() < 0.8 else "M-98")
        elif turn == 6:
            number = ask("open_request", member_id=key, wish=chance.choice(("maps", "poems", "plays")))["request_id"]
            ask("get_request", request_id=number)
        else:
            ask("opening_hours")
    return Recording(f"{seed}-{member}", tuple(calls))


def log(count: int, seed: int = 5) -> list[Recording]:
    return [session(seed, member) for member in range(count)]
