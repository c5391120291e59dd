"""A house of lamps that was made up for these tests: people ask for light in their own words."""

from __future__ import annotations

import json
import random
from typing import Any


class House:
    def __init__(self) -> None:
        states = ("off", "off", "off", "broken", "on")
        self.lamps = {
            f"L-{n}": {
                "lamp_id": f"L-{n}",
                "room": f"room {n % 7}",
                "bulb": f"no {100 + n}",
                "state": states[n % 5],
            }
            for n in range(40)
        }

    def call(self, tool: str, lamp_id: str) -> str:
        lamp = self.lamps.get(lamp_id)
        if lamp is None:
            return "Error: No such lamp"
        if tool == "get_lamp":
            return json.dumps(lamp)
        wanted, says = ("off", "The lamp is not off") if tool == "switch_on" else ("on", "The lamp is not on")
        if lamp["state"] != wanted:
            return f"Error: {says}"
        lamp["state"] = "on" if tool == "switch_on" else "off"
        return json.dumps(lamp)


def session(number: int, seed: int = 0) -> dict[str, Any]:
    """Two requests, one after the other, each looked up and done, or tried in vain."""
    house, chance = House(), random.Random(f"{seed}:{number}")
    messages: list[dict[str, Any]] = []
    for lamp in chance.sample(sorted(house.lamps), 2):
        tool, verb = chance.choice((("switch_on", "light"), ("switch_off", "put out")))
        if chance.random() < 0.6:  # most ask for what can be done
            tool, verb = {"on": ("switch_off", "put out")}.get(house.lamps[lamp]["state"], ("switch_on", "light"))
        messages.append({"role": "user", "content": f"Could you {verb} {lamp}, please?"})
        for name in ("get_lamp", tool):
            key = f"c{len(messages)}"
            function = {"name": name, "arguments": json.dumps({"lamp_id": lamp})}
            messages.append({"role": "assistant", "content": "", "tool_calls": [{"id": key, "function": function}]})
            messages.append({"role": "tool", "tool_call_id": key, "content": house.call(name, lamp)})
    return {"id": f"s{number}", "messages": messages}


def log(count: int, seed: int = 0) -> list[dict[str, Any]]:
    return [session(number, seed) for number in range(count)]
