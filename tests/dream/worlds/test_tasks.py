"""Tasks from sessions: in the user's words, for other things, and where the right thing is not to do it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import lamps
import library
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman.dream.dreamed import Dreamed, dream
from journeyman.dream.worlds.admission import admitted
from journeyman.dream.worlds.tasks import TAKEN_BACK, Tasks
from journeyman.errors import WorldError
from journeyman.grind.names import open_target
from journeyman.world import Call, Env, Say, Suite, Task, load
from journeyman.world.drills import drills
from journeyman.world.mutants import at_random, every_tool, one_call, play, read_only
from journeyman.world.saying import holds, normal


@cache
def house() -> Dreamed:
    return dream(lamps.log(30), name="house", budget=90)


def of(how: str) -> list[Task]:
    return [task for task in house().suite.tasks.values() if task.family == how]


def test_a_task_is_asked_for_in_the_users_words_and_done_as_in_the_session() -> None:
    origins = house().tasks.origins
    task = next(each for each in of("recorded") if origins[each.id].words == "user")
    origin = origins[task.id]
    number = int(origin.session.removeprefix("s"))
    said = [each["content"] for each in lamps.session(number)["messages"] if each["role"] == "user"]
    assert task.instruction in ("\n".join(said), *said)
    env = Env(house().suite)
    env.reset(task.id)
    for action in task.oracle:
        env.step(action)
    assert env.leave().score == 1


def test_the_same_work_for_something_else_is_asked_for_by_its_name() -> None:
    tasks = of("re-entry")
    assert len(tasks) >= 5
    for task in tasks:
        old, new = house().tasks.origins[task.id].instead
        assert new in task.instruction
        assert not holds(normal(task.instruction), old)
        assert any(call.args.get("lamp_id") == new for call in task.oracle if isinstance(call, Call))


def test_a_near_miss_pays_who_leaves_it_and_does_the_rest() -> None:
    tasks = of("near miss")
    assert len(tasks) >= 3
    for task in tasks:
        [ban] = task.forbid
        refused = Call(ban.tool, dict(ban.args))
        assert dict(ban.args)["lamp_id"] in task.instruction
        assert play(house().suite, task, task.oracle).score == 1
        assert play(house().suite, task, [*task.oracle, refused]).score == 0
        assert play(house().suite, task, [refused, *task.oracle]).score == 0
        assert play(house().suite, task, [refused]).score == 0


def test_what_was_tried_is_kept_or_counted_with_its_reason() -> None:
    found = house().tasks.to_json()
    assert found["made"] == 90
    assert found["kept"] == len(house().suite) == sum(found["kinds"].values())
    assert found["kept"] + sum(found["dropped"].values()) == found["made"]
    assert found["gates"]["mutants"]["n"] > found["kept"]


def exploits(suite: Suite, task: Task) -> list[float]:
    """Empty, echo, every tool, one call again and again, reading all, at random."""
    words = [(), (Say(""),), (Say("Done."),), (Say(task.instruction),)]
    tried = [play(suite, task, actions) for actions in words]
    tried += [every_tool(suite, task), one_call(suite, task), read_only(suite, task), at_random(suite, task, 0)]
    return [each.score for each in tried]


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(4, 14), lit=st.booleans())
def test_every_task_is_solved_by_its_oracle_and_by_no_exploit(seed: int, count: int, lit: bool) -> None:
    if lit:
        suite = dream(lamps.log(2 * count, seed), budget=24).suite
    else:
        found = admitted(library.log(count, seed), "library")
        suite = Tasks(found.induced, found.induction.history, 24).suite
    for task in suite.tasks.values():
        assert play(suite, task, task.oracle).score == 1
        assert max(exploits(suite, task)) == 0


def test_calls_without_words_are_spelled_out_and_start_where_the_session_stood() -> None:
    found = admitted(library.log(12), "library")
    tasks = Tasks(found.induced, found.induction.history, 40)
    assert len(tasks.suite) >= 10
    assert {origin.words for origin in tasks.origins.values()} == {"spelled"}
    later = [task for task, origin in tasks.origins.items() if origin.place]
    assert any(tasks.suite.task(each).start != found.induced.start for each in later)


def test_the_same_log_gives_the_same_tasks() -> None:
    one, other = (dream(lamps.log(12), budget=20) for _ in range(2))
    assert list(one.suite.tasks.items()) == list(other.suite.tasks.items())
    assert one.tasks.to_json() == other.tasks.to_json()


def test_tasks_are_saved_with_their_world(tmp_path: Path) -> None:
    house().save(tmp_path)
    suite = load(str(tmp_path))
    assert suite.fingerprint == house().suite.fingerprint
    assert suite.tasks == house().suite.tasks
    assert len(drills(suite)) >= len(of("recorded"))
    target = open_target(f"world:{tmp_path}")
    assert list(target.tasks) == list(suite.tasks)
    episode = target.open()
    task = target.tasks[-1]
    episode.reset(0, task)
    assert target.oracle is not None
    for action in target.oracle(task, 0):
        episode.step(target.encode(action))
    assert episode.verdict() == 1

    book = tmp_path / "world.py"
    book.write_text(book.read_text().replace("The lamp is not off", "It is not off"))
    with pytest.raises(WorldError, match="was changed") as caught:
        load(str(tmp_path))
    assert "journeyman dream --world" in caught.value.remedy
    again = dream(lamps.log(30), name="house", world=book, budget=40)
    assert again.tasks.dropped["the world does not refuse as the log does"]
    again.save(tmp_path)
    assert load(str(tmp_path)).tasks == again.suite.tasks
    (tmp_path / "tasks.jsonl").unlink()
    with pytest.raises(WorldError):
        load(str(tmp_path))


@cache
def few() -> Dreamed:
    """So many tries of few sessions that each is asked for in all ways."""
    return dream(lamps.log(10), name="house", budget=130)


def names(task: Task) -> list[str]:
    return [str(call.args["lamp_id"]) for call in task.oracle if isinstance(call, Call)]


def test_two_things_are_asked_for_together_or_the_other_way_round() -> None:
    origins = few().tasks.origins
    together = [task for task in few().suite.tasks.values() if task.family in ("together", "other order")]
    assert {task.family for task in together} == {"together", "other order"}
    for task in together:
        lines = task.instruction.split("\n")
        assert len(lines) >= 2
        told = [name for line in lines for name in sorted(set(names(task))) if holds(normal(line), name)]
        assert told == list(dict.fromkeys(names(task)))
        assert (origins[task.id].beside == "") == (task.family == "other order")
        for action in task.oracle:
            rest = [each for each in task.oracle if each is not action]
            assert play(few().suite, task, rest).score == 0


def test_what_is_taken_back_is_not_to_be_done() -> None:
    tasks = [task for task in few().suite.tasks.values() if task.family == "other mind"]
    assert tasks
    for task in tasks:
        unwanted, wanted = few().tasks.origins[task.id].instead
        [phrase] = [phrase for phrase in TAKEN_BACK if phrase in task.instruction]
        first, _, last = task.instruction.partition(phrase)
        assert holds(normal(first), unwanted)
        assert holds(normal(last), wanted)
        assert unwanted not in names(task)
        also = [
            Call(call.tool, {**call.args, "lamp_id": unwanted} if call.args["lamp_id"] == wanted else call.args)
            for call in task.oracle
            if isinstance(call, Call)
        ]
        assert play(few().suite, task, also).score == 0
        assert play(few().suite, task, [*also, *task.oracle]).score == 0
        assert play(few().suite, task, task.oracle).score == 1
