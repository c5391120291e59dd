"""A model in the place of a tool where the world does not know: off by default, asked once, worth less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import lamps
import pytest

from journeyman.dream.asking import Asked
from journeyman.dream.dreamed import Dreamed, dream
from journeyman.dream.worlds.imitator import look_ahead
from journeyman.world import Call, Env, Tier, World, load
from journeyman.world.outcome import TRUST

NOBODY = "L-38"


class Playing:
    """In the place of a model over HTTP: says this, and counts how often it is asked."""

    def __init__(self, says: str) -> None:
        self.says, self.requests = says, list[str]()

    def say(self, messages: list[dict[str, str]], **_: Any) -> str:
        self.requests.append(messages[0]["content"])
        return self.says


def dreamt(playing: Playing | None) -> Dreamed:
    log = [each for each in lamps.log(16) if NOBODY not in str(each)]
    return dream(log, budget=12, imitator=cast(Asked, playing))


def test_a_read_that_nobody_knows_is_answered_once_and_counts_for_less() -> None:
    playing = Playing('```json\n{"lamp_id": "L-38", "state": "off"}\n```')
    made = dreamt(playing)
    assert dreamt(None).world.call("get_lamp", {"lamp_id": NOBODY}).error == "abstain"
    outcomes = [made.world.call("get_lamp", {"lamp_id": NOBODY}) for _ in range(3)]
    assert outcomes[0].value == {"lamp_id": NOBODY, "state": "off"}
    assert {each.tier for each in outcomes} == {Tier.IMITATED}
    assert outcomes[0].trust == pytest.approx(TRUST[Tier.IMITATED])
    [request] = playing.requests
    assert "get_lamp" in request
    assert '"bulb"' in request  # it was shown how the tool answers
    assert made.card == dreamt(None).card


def test_what_strays_is_not_cut_and_is_paid_less() -> None:
    made = dreamt(Playing('{"lamp_id": "L-38"}'))
    task = next(iter(made.suite.tasks.values()))
    env = Env(made.suite)
    env.reset(task)
    assert not env.step(Call("get_lamp", {"lamp_id": NOBODY})).truncated
    for action in task.oracle:
        env.step(action)
    assert env.leave().score == pytest.approx(TRUST[Tier.IMITATED])


@pytest.mark.parametrize(
    "says",
    [
        *("null", "I do not know.", "", "{", "NaN", '{"a": 1e999}', f'{{"a": {"9" * 400}}}', "[" * 900 + "]" * 900),
        "[" * 300 + "]" * 300,
        *("[" * 100_000, '"\\ud800"', '"\ud800"'),
    ],
)
def test_what_is_no_answer_is_none(says: str) -> None:
    playing = Playing(says)
    world = dreamt(playing).world
    assert [world.call("get_lamp", {"lamp_id": NOBODY}).error for _ in range(2)] == ["abstain", "abstain"]
    assert len(playing.requests) == 1


def test_a_write_abstains_all_the_same() -> None:
    playing = Playing("{}")
    world = dreamt(playing).world
    before = world.digest
    assert world.call("switch_on", {"lamp_id": NOBODY}).error == "abstain"
    assert world.digest == before
    assert not playing.requests


def test_what_was_said_is_saved_and_nobody_is_asked_again(tmp_path: Path) -> None:
    playing = Playing('{"lamp_id": "L-38"}')
    made = dreamt(playing)
    made.world.call("get_lamp", {"lamp_id": NOBODY})
    made.save(tmp_path)
    suite = load(str(tmp_path))
    world = World(suite.rules, made.induced.start)
    assert world.call("get_lamp", {"lamp_id": NOBODY}).value == {"lamp_id": NOBODY}
    assert world.call("get_lamp", {"lamp_id": "L-39"}).error in ("", "abstain")
    assert len(playing.requests) == 1
    dreamt(None).save(tmp_path)
    assert World(load(str(tmp_path)).rules, made.induced.start).call("get_lamp", {"lamp_id": NOBODY}).error == "abstain"


def test_an_answer_may_stand_among_words() -> None:
    world = dreamt(Playing('Here it is:\n```json\n{"lamp_id": "L-38"}\n```\nThat is all.')).world
    assert world.call("get_lamp", {"lamp_id": NOBODY}).value == {"lamp_id": NOBODY}


def test_what_may_be_looked_up_on_the_way_is_asked_beforehand_and_saved(tmp_path: Path) -> None:
    """A reader's list names books that nobody looked up: whoever opens the world can, though nobody is there to ask."""
    sessions: list[dict[str, Any]] = []
    for number in range(12):
        reader = {"reader_id": f"R-{number}", "books": [f"B-{number}", f"B-{number + 1}"], "status": "active"}
        calls = [("get_reader", {"reader_id": f"R-{number}"}, reader)]
        if number < 8:
            book = f"B-{number - number % 2}"  # each is looked up twice
            calls.append(("get_book", {"book_id": book}, {"book_id": book, "title": f"T{book}", "shelf": "left"}))
        calls.append(("block_reader", {"reader_id": f"R-{number}"}, {**reader, "status": "blocked"}))
        messages: list[dict[str, Any]] = [{"role": "user", "content": f"Block R-{number}, please."}]
        for at, (tool, arguments, answer) in enumerate(calls):
            function = {"name": tool, "arguments": json.dumps(arguments)}
            messages.append(
                {"role": "assistant", "content": "", "tool_calls": [{"id": f"c{at}", "function": function}]}
            )
            messages.append({"role": "tool", "tool_call_id": f"c{at}", "content": json.dumps(answer)})
        sessions.append({"id": f"s{number}", "messages": messages})
    playing = Playing('{"title": "made up"}')
    made = dream(sessions, budget=12, imitator=cast(Asked, playing))
    assert made.imitator is not None
    assert made.suite.tasks
    look_ahead(made.suite, made.imitator)
    assert playing.requests
    assert all("get_book" in each for each in playing.requests)
    made.save(tmp_path)
    asked = len(playing.requests)
    suite = load(str(tmp_path))
    answers = [
        World(suite.rules, task.start).call("get_book", {"book_id": key})
        for task in suite.tasks.values()
        for key in ("B-9", "B-10")
    ]
    assert Tier.IMITATED in {each.tier for each in answers}
    assert len(playing.requests) == asked
    few = dream(sessions, budget=12, imitator=cast(Asked, Playing("{}")))
    assert few.imitator is not None
    look_ahead(few.suite, few.imitator, most=2)
    assert len(few.imitator.answers) == 2
