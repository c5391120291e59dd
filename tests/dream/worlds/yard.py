"""A bicycle yard that was made up for these tests: its real tools reckon, count, and refuse beyond limits."""

from __future__ import annotations

import copy
import random
from typing import Any

from journeyman.dream.worlds.calls import Call, Recording


class Yard:
    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.bikes: dict[str, dict[str, Any]] = {
            f"K-{n:02d}": {
                "bike_id": f"K-{n:02d}",
                "station": chance.choice(("north", "south", "east", "west")),
                "rider": chance.choice((None, f"R-{n}")),
                "price": chance.randrange(200, 4000) / 100,
                "days": chance.randrange(2, 30),
                "fee": chance.randrange(100, 900) / 100,
                "discount": chance.choice((5, 10, 15, 20, 30)),
                "fines": chance.randrange(12),
                "total": 0.0,
                "rides": chance.randrange(40),
                "parts": [f"part {k}" for k in range(chance.randrange(4))],
            }
            for n in range(30)
        }

    def get_bike(self, bike_id: str) -> Any:
        return self.bikes[bike_id]

    def ride(self, bike_id: str) -> Any:
        bike = self.bikes[bike_id]
        if bike["fines"] > 5:
            raise ValueError("Too many fines are open")
        bike["rides"] += 1
        return bike

    def release(self, bike_id: str) -> Any:
        bike = self.bikes[bike_id]
        if bike["rider"] is None:
            raise ValueError("Nobody has taken this bike")
        bike["rider"] = None
        return bike

    def bill(self, bike_id: str) -> Any:
        bike = self.bikes[bike_id]
        bike["total"] = round(bike["fee"] + bike["price"] * bike["days"], 2)
        return bike

    def sell(self, bike_id: str) -> Any:
        bike = self.bikes[bike_id]
        bike["total"] = round(bike["price"] * (1 - bike["discount"] / 100), 2)
        return bike

    def tax(self, bike_id: str) -> Any:
        bike = self.bikes[bike_id]
        bike["total"] = round(bike["price"] * 1.19, 2)
        return bike

    def fit(self, bike_id: str, part: str) -> Any:
        bike = self.bikes[bike_id]
        if len(bike["parts"]) >= 3:
            raise ValueError("A bike carries at most 3 parts")
        bike["parts"] = [*bike["parts"], part]
        return bike

    def swap(self, bike_id: str, other_id: str) -> Any:
        one, other = self.bikes[bike_id], self.bikes[other_id]
        one["station"], other["station"] = other["station"], one["station"]
        return one


def session(seed: int) -> Recording:
    """Looks at each bike before anything is done with it."""
    chance, yard = random.Random(f"s{seed}"), Yard(9)
    calls: list[Call] = []

    def ask(tool: str, **arguments: Any) -> None:
        try:
            value, ok = copy.deepcopy(getattr(yard, tool)(**arguments)), True
        except ValueError as error:
            value, ok = str(error), False
        calls.append(Call(tool, arguments, ok, value))

    for bike in chance.sample(sorted(yard.bikes), 6):
        ask("get_bike", bike_id=bike)
        for tool in chance.sample(["ride", "release", "bill", "sell", "tax", "fit"], 3):
            ask(tool, bike_id=bike, **({"part": chance.choice(("bell", "lamp", "rack"))} if tool == "fit" else {}))
    one, other = (calls[at].arguments["bike_id"] for at in (0, 4))
    ask("swap", bike_id=one, other_id=other)
    ask("get_bike", bike_id=other)
    return Recording(str(seed), tuple(calls), ((0, " ".join(sorted(yard.bikes))),))


def log(count: int, first: int = 0) -> list[Recording]:
    return [session(first + at) for at in range(count)]
