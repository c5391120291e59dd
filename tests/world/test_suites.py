"""The office and the shop: every task fit to train on, and no two alike."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from itertools import combinations

import lending
import pytest

from journeyman.errors import WorldError
from journeyman.world import Call, Env, Say, Suite, admit, load
from journeyman.world.admission import CAUGHT, TRIED, refused
from journeyman.world.mutants import play

WORLDS = ["office", "shop"]


@pytest.mark.parametrize("name", WORLDS)
def test_every_task_passes_every_gate(name: str) -> None:
    suite = load(name)
    counted: Counter[str] = Counter()
    for task in suite.tasks.values():
        for finding in admit(suite, task, randoms=2):
            counted[finding.check] += finding.n
            counted[f"{finding.check} right"] += finding.value
            assert finding.passed is not False or finding.check == "mutants", (task.id, finding)
            assert finding.n or finding.check not in TRIED, (task.id, finding)
    assert counted["oracle"] >= 100
    assert counted["mutants"] > 1000
    assert counted["mutants right"] / counted["mutants"] >= CAUGHT
    assert counted["collateral"] > 300
    assert counted["equivalents"] > 200
    assert counted["wrong-entity"] > 100


@pytest.mark.parametrize("name", WORLDS)
def test_other_seeds_make_other_tasks_that_pass_as_well(name: str) -> None:
    suite = load(name, seed=3, per_family=2)
    known = {task.instruction for task in load(name).tasks.values()}
    assert sum(task.instruction in known for task in suite.tasks.values()) <= len(suite) // 20
    for task in suite.tasks.values():
        findings = admit(suite, task, randoms=1)
        assert refused(findings) is None, (task.id, findings)


@pytest.mark.parametrize("name", WORLDS)
def test_tasks_are_many_and_read_differently(name: str) -> None:
    tasks = list(load(name).tasks.values())
    assert len(tasks) >= 100
    assert len({task.family for task in tasks}) >= 15
    assert len({task.instruction for task in tasks}) == len(tasks)
    assert len({tuple(action.tool for action in t.oracle if isinstance(action, Call)) for t in tasks}) >= 10
    words = [set(re.findall(r"\w+", task.instruction.casefold())) for task in tasks]
    alike = [len(a & b) / len(a | b) for a, b in combinations(words, 2)]
    assert sum(alike) / len(alike) < 0.3
    shapes = {re.sub(r"[A-Z]-\d+|\d+|“.*?”", "#", task.instruction) for task in tasks}
    assert len(shapes) > len(tasks) / 2


@pytest.mark.parametrize("name", WORLDS)
def test_every_tool_has_its_use(name: str) -> None:
    suite = load(name)
    used = {action.tool for task in suite.tasks.values() for action in task.oracle if isinstance(action, Call)}
    assert {tool.name for tool in suite.rules.tools.values() if tool.writes} <= used


@pytest.mark.parametrize("name", WORLDS)
def test_what_an_instruction_leaves_open_can_be_looked_up(name: str) -> None:
    """Each id that an oracle uses is in the instruction, or comes out of some read of the start."""
    suite = load(name)
    for task in suite.tasks.values():
        env = Env(suite)
        env.reset(task)
        seen = task.instruction + "".join(_all_reads(env))
        for action in task.oracle:
            for parameter in suite.rules.tools[action.tool].parameters if isinstance(action, Call) else ():
                assert isinstance(action, Call)
                value = action.args.get(parameter.name)
                keys = value if isinstance(value, list) else [value]
                if parameter.table and value is not None:
                    assert all(key in seen or _was_made(env, parameter.table, key) for key in keys), (task.id, value)


def _all_reads(env: Env) -> list[str]:
    found: list[str] = []
    for tool in env.suite.rules.tools.values():
        if not tool.writes:
            keys = next((p for p in tool.parameters if p.required and p.table), None)
            for key in env.world.state.contents[keys.table].rows if keys and keys.table else [""]:
                found.append(env.world.call(tool.name, {keys.name: key} if keys else {}).text)
    return found


def _was_made(env: Env, table: str, key: str) -> bool:
    return env.world.state.row(table, key) is None


def test_who_wants_to_be_asked_is_not_served_by_a_lucky_guess() -> None:
    suite = load("office")
    for task in (each for each in suite.tasks.values() if each.family == "talk"):
        asked, booked, done = task.oracle
        assert play(suite, task, (asked, booked, done)).score == 1.0
        assert play(suite, task, (Say("At what time, how long, and what title?"), booked, done)).score == 1.0
        for fewer in ((booked, done), (asked, booked), (Say("When shall it be?"), booked, done)):
            assert play(suite, task, fewer).score == 0.0


def test_worlds_are_found_by_name() -> None:
    assert load("lending:suite").name == "lending"
    assert isinstance(load("lending:suite"), Suite)
    for name, says in (
        ("nowhere", "no world"),
        ("lending:nothing", "cannot be loaded"),
        ("no.such:x", "cannot be loaded"),
    ):
        with pytest.raises(WorldError, match=says):
            load(name)
    with pytest.raises(WorldError, match="not a suite"):
        load("lending:TABLES")


def test_a_suite_is_of_one_world_and_its_ids_are_its_own() -> None:
    with pytest.raises(WorldError, match="two tasks"):
        lending.suite(lending.task(), lending.task())
    with pytest.raises(WorldError, match="another world"):
        Suite(lending.RULES, [next(iter(load("shop").tasks.values()))])


def test_importing_the_room_loads_nothing() -> None:
    code = "import sys, journeyman.world as w; assert set(w.__all__) <= set(dir(w)); sys.exit('rpds' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    code = "import journeyman.world as w; [getattr(w, name) for name in w.__all__]"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
