"""Tools that reach outside their world are found: by reading them, and while they run."""

from __future__ import annotations

import datetime
import functools
import importlib
import itertools
import json
import math
import os
import random
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from os import environ
from pathlib import Path
from random import choice as pick
from typing import Any

import lending
import pytest

from journeyman.errors import WorldError
from journeyman.world import Context, Rules, World, read
from journeyman.world.purity import check, reaches, sealed

MEMORY: list[int] = []
FIXED = (1, 2)
DICE = random.Random(7)
NUMBERS = itertools.count()
MOMENT = functools.partial(time.time)


def wall_clock(here: Context) -> float:
    return time.time()


def today(here: Context) -> str:
    return datetime.date.today().isoformat()


def now(here: Context) -> str:
    clock = datetime.datetime
    return datetime.datetime.now().isoformat() + str(clock)


def shared_chance(here: Context) -> float:
    return random.random()


def renamed_chance(here: Context) -> int:
    return pick(FIXED)


def new_uuid(here: Context) -> str:
    return str(uuid.uuid4())


def file(here: Context) -> str:
    with open("/etc/hostname") as found:
        return found.read()


def environment(here: Context) -> str:
    return os.environ["HOME"]


def home(here: Context) -> str:
    return str(Path.home())


def network(here: Context) -> None:
    socket.create_connection(("localhost", 1))


def process(here: Context) -> None:
    subprocess.run(["true"], check=True)


def inside(here: Context) -> float:
    import time as clock

    return clock.monotonic()


def remembers(here: Context) -> int:
    MEMORY.append(1)
    return len(MEMORY)


def counts(here: Context) -> int:
    global COUNT
    COUNT = 1
    return COUNT


def hashes(here: Context, text: str) -> int:
    return hash(text)


def set_order(here: Context) -> list[str]:
    return [each for each in {"a", "b"}]  # noqa: C416


def set_list(here: Context) -> list[str]:
    return list(set("ab"))


def evaluates(here: Context) -> Any:
    return eval("1 + 1")


def prints(here: Context) -> None:
    print("hello")


def helper() -> float:
    return time.perf_counter()


def by_a_helper(here: Context) -> float:
    return helper()


def own_generator(here: Context) -> int:
    return DICE.randrange(6)


def own_zone(here: Context) -> float:
    return here.now.timestamp()


def own_count(here: Context) -> int:
    return next(NUMBERS)


def by_a_partial(here: Context) -> float:
    return MOMENT()


def renamed_environment(here: Context) -> str:
    return environ["HOME"]


@functools.cache
def cached_helper() -> float:
    return time.perf_counter()


def by_a_cached_helper(here: Context) -> float:
    return cached_helper()


class Board:
    moves = 0


def marks_a_class(here: Context) -> None:
    Board.moves += 1


class Tally:
    def __init__(self) -> None:
        self.asked = 0

    def next(self) -> int:
        self.asked += 1
        return self.asked


class Cup:
    def __init__(self) -> None:
        self.dice = random.Random(3)


TALLY, CUP = Tally(), Cup()


def own_tally(here: Context) -> int:
    return TALLY.next()


def own_cup(here: Context) -> int:
    return CUP.dice.randrange(6)


def counted(function: Callable[..., Any]) -> Callable[..., Any]:
    calls: list[int] = []

    @functools.wraps(function)
    def counting(*args: Any) -> Any:
        calls.append(1)
        return function(*args) + len(calls)

    return counting


@counted
def wrapped(here: Context) -> int:
    return 1


def shares_a_default(here: Context, seen: list[str] = []) -> int:  # noqa: B006  # the defect
    seen.append("x")
    return len(seen)


OUTSIDE = [
    (wall_clock, "time", "here.clock"), (today, "date.today", "here.now"), (now, "datetime.now", "here.now"),
    (shared_chance, "random", "here.choice"), (renamed_chance, "pick", "table|state|choice"),
    (new_uuid, "uuid", "new_id"), (file, "open", "return"), (environment, "os", "state"),
    (home, "pathlib", "state"), (network, "socket", "state"), (process, "subprocess", "state"),
    (inside, "time", "here.clock"), (remembers, "MEMORY", "table"), (counts, "COUNT", "table"),
    (hashes, "hash", "keys"), (set_order, "order of a set", "sort"), (set_list, "order of a set", "sort"),
    (evaluates, "eval", "write"), (prints, "print", "return"), (by_a_helper, "time", "here.clock"),
    (own_generator, "random.Random", "here.choice"), (own_count, "NUMBERS", "table"),
    (by_a_partial, "time", "here.clock"), (by_a_cached_helper, "time", "here.clock"),
    (renamed_environment, "os", "state"), (own_zone, "time zone", "here.clock"),
    (own_tally, "TALLY", "table"), (own_cup, "CUP", "table"), (wrapped, "calls", "table"),
    (marks_a_class, "Board.moves", "table"), (shares_a_default, "default", "None"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "what", "instead"), OUTSIDE, ids=lambda each: getattr(each, "__name__", ""))
def test_what_is_outside_is_named_with_its_place(function: Callable[..., Any], what: str, instead: str) -> None:
    found = reaches(function)
    assert any(what in each.what for each in found), found
    assert all(each.where.startswith(__file__) and int(each.where.rpartition(":")[2]) > 20 for each in found)
    with pytest.raises(WorldError) as caught:
        check(function)
    assert any(word in caught.value.remedy for word in instead.split("|"))


def test_a_world_with_such_a_tool_is_not_made() -> None:
    wall_clock.__doc__ = "What time is it?"
    with pytest.raises(WorldError, match=r"test_purity.py:\d+: wall_clock reaches for time"):
        Rules("x", lending.TABLES, [read(wall_clock)])


def computes(here: Context, text: str) -> Any:
    def twice(x: int) -> int:
        return 2 * x

    chosen = sorted({*text})
    moment = datetime.datetime.fromisoformat("2026-03-05")
    return json.dumps([twice(len(chosen)), math.sqrt(4), functools.reduce(max, FIXED), moment.isoformat(), here.clock])


def test_what_only_computes_may_do_so() -> None:
    assert reaches(computes) == []


class Prices:
    """What is made once and never changes may be asked."""

    def __init__(self, base: int) -> None:
        self.base = base

    def of(self, days: int) -> int:
        return self.base * days


PRICES = Prices(3)


def unchanged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def twice(*args: Any) -> Any:
        return 2 * function(*args)

    return twice


@unchanged
def priced(here: Context, days: int) -> int:
    return PRICES.of(days)


def test_what_never_changes_may_be_asked() -> None:
    assert reaches(priced) == []


LATE = '''
from journeyman.world import Context, read

@read
def middle(here: Context) -> int:
    """The one in the middle."""
    import statistics
    return statistics.median([1, 2, 3])
'''


def test_what_a_tool_imports_is_there_before_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "late_tools.py").write_text(LATE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "statistics", raising=False)
    tools: Any = importlib.import_module("late_tools")
    assert World(Rules("late", lending.TABLES, [tools.middle]), lending.start()).call("middle", {}).value == 2


def test_code_without_source_is_refused() -> None:
    names: dict[str, Any] = {}
    exec("def secret(here): return 1", names)
    with pytest.raises(WorldError, match="source cannot be read"):
        check(names["secret"])


# -- while tools run: what no reading can find


def reach_by(how: str) -> Any:
    """What a library might do out of sight."""
    ways: dict[str, Callable[[], Any]] = {
        "open": lambda: open(__file__).read(),  # noqa: SIM115
        "socket": lambda: socket.socket().connect(("127.0.0.1", 9)),
        "process": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        "listing": lambda: os.listdir("."),
        "sleep": lambda: time.sleep(0),
        "time": time.time,
        "random": random.random,
        "uuid": uuid.uuid4,
    }
    return ways[how]()


class Hidden:
    """Something whose methods cannot be told from its name."""

    def __init__(self, how: str, swallow: bool = False) -> None:
        self.how, self.swallow = how, swallow

    def reach(self) -> Any:
        try:
            return reach_by(self.how)
        except Exception:
            if not self.swallow:
                raise


def world_that(hidden: Hidden) -> World:
    @read
    def looks_harmless(here: Context) -> str:
        """Looks harmless."""
        return str(hidden.reach())

    return World(Rules("hidden", lending.TABLES, [looks_harmless]), lending.start())


@pytest.mark.parametrize("swallow", [False, True])
@pytest.mark.parametrize("how", ["open", "socket", "process", "listing"])
def test_reaching_out_while_running_ends_in_an_error(how: str, swallow: bool) -> None:
    world = world_that(Hidden(how, swallow))
    with pytest.raises(WorldError, match="reached outside"):
        world.call("looks_harmless", {})
    assert Path(__file__).read_text()  # and everything else goes on as ever


@pytest.mark.parametrize("how", ["time", "random", "uuid", "sleep"])
def test_clocks_and_shared_chance_are_taken_away_for_a_test(how: str) -> None:
    world = world_that(Hidden(how))
    assert world.call("looks_harmless", {}).ok  # nothing tells of these
    with sealed():
        assert time.time() > 0
        assert 0 <= random.random() < 1
        with pytest.raises(WorldError, match=how):
            world.call("looks_harmless", {})
    assert world.call("looks_harmless", {}).ok
