"""Users as they are in the log: asked, they say what they said; talks with them are tasks; a score says how near."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import lamps
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tasks import exploits

from journeyman.dream.dreamed import Dreamed, dream
from journeyman.dream.practice import TALK, divided
from journeyman.dream.worlds.calls import recordings
from journeyman.dream.worlds.personas import foreseen, persona, replies, turns
from journeyman.world import Env, Say, load
from journeyman.world.user import Line, Recorded

VERB = {"switch_on": "light", "switch_off": "put out"}


def talk(number: int) -> dict[str, Any]:
    """Somebody wants a lamp lit or put out, and is asked which one; each has a way of speaking."""
    house, chance = lamps.House(), random.Random(number)
    lamp = chance.choice([each for each in sorted(house.lamps) if house.lamps[each]["state"] in ("off", "on")])
    tool = {"off": "switch_on", "on": "switch_off"}[house.lamps[lamp]["state"]]
    said = f"That would be {lamp}." if number % 2 else f"{lamp}, of course!"
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": f"Could you {VERB[tool]} a lamp?"},
        {"role": "assistant", "content": "Which lamp is it about?"},
        {"role": "user", "content": said},
    ]
    for name in ("get_lamp", tool):
        key = f"c{len(messages)}"
        function = {"name": name, "arguments": json.dumps({"lamp_id": lamp})}
        messages.append({"role": "assistant", "content": "", "tool_calls": [{"id": key, "function": function}]})
        messages.append({"role": "tool", "tool_call_id": key, "content": house.call(name, lamp)})
    messages.append({"role": "assistant", "content": "It is done. Anything else?"})
    messages.append({"role": "user", "content": "No, that is all." if number % 2 else "That's it."})
    return {"id": f"t{number}", "user": f"u{number % 2}", "messages": messages}


@cache
def house() -> Dreamed:
    return dream([talk(number) for number in range(24)], name="house", budget=60)


def test_a_talk_is_won_by_who_asks() -> None:
    tasks = [task for task in house().suite.tasks.values() if task.family == "talk"]
    assert len(tasks) >= 5
    for task in tasks:
        env = Env(house().suite)
        instruction, _ = env.reset(task)
        assert "L-" not in instruction
        assert "L-" in env.step("Which one do you mean?").observation
        for action in task.oracle:
            if not isinstance(action, Say):
                env.step(action)
        assert env.leave().score == 1
        assert max(exploits(house().suite, task)) == 0
    train, heldout, dropped = divided(house(), set(), set())
    assert all(task.user is None for task in [*train, *heldout])
    assert dropped[TALK] == len(tasks)


def test_talks_are_saved_with_their_users(tmp_path: Path) -> None:
    house().save(tmp_path)
    assert load(str(tmp_path)).tasks == house().suite.tasks


def test_a_user_answers_what_is_asked_goes_on_and_goes() -> None:
    person = Recorded(
        (Line("What is your name?", "Ann."), Line("Which lamp?", "L-2.")),
        (Line("Anything else?", "No, thanks."),),
    )
    answer, memory = person.answer(person.memory, "And which lamp is it?")
    assert answer == "L-2."
    answer, memory = person.answer(memory, "Fine.")
    assert answer == "Ann."
    answer, memory = person.answer(memory, "Is there anything else?")
    assert answer == "No, thanks."
    assert person.answer(memory, "Done.")[0] is None
    assert person.answer(memory, "Why?")[0] is None


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["a b?", "c?", "e?", "Fine.", ""]), max_size=8))
def test_a_user_says_each_line_once_and_comes_to_an_end(said: list[str]) -> None:
    person = Recorded((Line("a b?", "one"), Line("c d?", "two")), (Line("e?", "habit"),))
    memory, heard = person.memory, list[str | None]()
    for text in [*said, *["e?"] * 6]:
        answer, memory = person.answer(memory, text)
        heard.append(answer)
        if answer is None:
            break
    assert heard.count("one") <= 1
    assert heard.count("two") <= 1
    assert heard[-1] is None


def test_turns_keep_what_they_answer() -> None:
    [recording] = recordings([talk(3)])
    assert recording.user == "u1"
    assert [each.line.heard for each in turns(recording)] == [
        "", "Which lamp is it about?", "It is done. Anything else?",
    ]  # fmt: skip
    assert [line.said for line in persona(replies(recording), recordings([talk(5)])).habits] == ["No, that is all."]


def test_what_users_say_is_foreseen_better_than_by_who_does_not_listen() -> None:
    found = foreseen(recordings([talk(number) for number in range(24)]))
    assert found is not None
    assert found["turns"] == 48
    assert found["match"] == 1
    assert found["without_looking"] < 0.8
    assert house().card["users"] == found
    assert foreseen(recordings([talk(1)])) is None
