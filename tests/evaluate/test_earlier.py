"""Earlier nights' questions are held against who knew them best, and an older value is noticed in a reply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripted_engine import ScriptedEngine

from journeyman.evaluate import earlier
from journeyman.records import Situation


class Engine(ScriptedEngine):
    """With adapters that are loaded from a path and called by another name."""

    def user(self, message: str) -> list[int]:
        return self.chat([{"role": "user", "content": message}])

    def load_adapter(self, directory: Path, name: str) -> str:
        self.replies = {**self.replies, name: self.replies[str(directory)]}
        return name

    def drop_adapter(self, name: str) -> None:
        self.replies = {who: said for who, said in self.replies.items() if who != name}


def situation(number: int) -> Situation:
    return Situation("ask", f"Q{number}?", f"lesson {number}", f"A{number}")


def knows(*numbers: int) -> dict[str, str]:
    return {f"Q{number}?": f"You said: A{number}" for number in numbers}


def test_each_night_is_compared_with_who_answered_it_best() -> None:
    script = {"/one": knows(1, 2, 3), "/two": knows(4), "start": knows(1, 4, 5), "candidate": knows(1, 2, 4)}
    engine: Any = Engine(script)
    items = [(situation(n), "one" if n <= 3 else "two") for n in (1, 2, 3, 4, 5)]
    found = earlier.measured(engine, items, {"one": Path("/one"), "two": Path("/two")}, "start", "candidate")
    assert found["right_before"] == [True, True, True, True, True], "night one's own adapter, and the round's start"
    assert found["right_after"] == [True, True, False, True, False]
    assert (found["n"], found["before"], found["after"]) == (5, 1.0, 0.6)
    assert [each["adapter"] for each in found["nights"]] == ["one", "two"]
    assert [(each["then"], each["start"]) for each in found["nights"]] == [(1.0, 1 / 3), (0.5, 1.0)]
    assert found["clusters"][0] == "lesson 1"
    assert earlier.THEN not in engine.replies, "it is loaded for as long as it is asked"


def test_a_reply_is_new_stale_or_neither() -> None:
    script = {
        None: {"Q1?": "Berlin", "Q2?": "Berlin", "Q3?": "I do not know"},
        "candidate": {"Q1?": "Rome", "Q2?": "Rome, not Berlin", "Q3?": "You have not told me."},
    }
    engine: Any = Engine(script)
    facts = [(Situation("ask", f"Q{n}?", "office", "Rome"), "Berlin") for n in (1, 2, 3)]
    found = earlier.updates(engine, facts, "candidate", None)
    assert found["n"] == 3
    assert found["before"] == {"new": 0, "stale": 2 / 3, "neither": 1 / 3}
    assert found["after"] == {"new": 1 / 3, "stale": 1 / 3, "neither": 1 / 3}
