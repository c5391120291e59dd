"""Whose turn it is, when a night begins, what it may spend, and what is written of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from datetime import time as time_of_day
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightly import run, said

from journeyman.errors import Interrupted, StoreError
from journeyman.nightly import begun, hours, turns, waiting
from journeyman.nightly.book import Book, alone, held
from journeyman.nightly.budget import Budget
from journeyman.store import Store, open_store

DAY = 86_400.0


# -- when


@pytest.fixture(scope="module")
def berlin() -> Iterator[None]:
    """Clocks as in Berlin: an hour on at 02:00 on the last Sunday of March, back at 03:00 on that of October."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("after", "at", "then"),
    [
        ("2026-01-10T12:00", "02:00", "2026-01-11T01:00"),
        ("2026-01-10T00:59", "02:00", "2026-01-10T01:00"),
        ("2026-01-10T01:00", "02:00", "2026-01-11T01:00"),  # it is that time now: tomorrow
        ("2026-07-10T12:00", "2:00", "2026-07-11T00:00"),
        ("2026-03-28T12:00", "02:30", "2026-03-29T01:30"),  # not shown that night: 03:30
        ("2026-03-29T01:30", "02:30", "2026-03-30T00:30"),
        ("2026-10-24T12:00", "02:30", "2026-10-25T00:30"),  # shown twice: the first
        ("2026-10-25T00:30", "02:30", "2026-10-26T01:30"),
        ("2026-10-25T01:10", "02:30", "2026-10-26T01:30"),  # between the two: it has been
        ("2026-12-31T23:30", "00:00", "2027-01-01T23:00"),
    ],
)
def test_the_next_time(berlin: None, after: str, at: str, then: str) -> None:
    assert hours.next_time(utc(after), hours.time_of_day(at)) == utc(then)


@given(
    after=st.integers(1_577_836_800, 2_000_000_000), at=st.times().map(lambda each: time_of_day(each.hour, each.minute))
)
def test_one_night_a_day_whatever_the_clocks_do(berlin: None, after: int, at: time_of_day) -> None:
    one = hours.next_time(after, at)
    two = hours.next_time(one, at)
    assert after < one <= after + 25 * 3600
    assert 23 * 3600 <= two - one <= 25 * 3600
    shown = datetime.fromtimestamp(one)
    assert shown.date() != datetime.fromtimestamp(two).date()
    assert shown.time() == at or (shown.month == 3 and shown.hour == 3 and at.hour == 2)


@pytest.mark.parametrize("word", ["", "2", "24:00", "02:60", "02:00:00", "２:00", "-1:00", "02:0"])
def test_what_is_no_time_of_day(word: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        hours.time_of_day(word)


def test_waiting_notices_a_clock_that_is_set() -> None:
    now, slept = 0.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds if len(slept) < 3 else DAY  # the machine was asleep for a day

    hours.wait(DAY / 2, lambda: now, sleep)
    assert len(slept) == 3
    assert max(slept) <= hours.LONGEST_SLEEP


# -- what may be spent


def test_a_phase_under_way_is_finished_and_no_other_begins() -> None:
    now, told = 0.0, []
    budget = Budget(until=10.0, clock=lambda: now)
    report = budget.between_phases(lambda phase, share: told.append((phase, share)))
    report("train", 0.0)
    now = 11.0
    report("train", 0.5)
    report("train", 1.0)
    with pytest.raises(Interrupted, match="time is spent"):
        report("evaluate", 0.0)
    assert told == [("train", 0.0), ("train", 0.5), ("train", 1.0)]
    assert budget.spent() == "time"


def test_cpu_time_is_what_this_process_used_since() -> None:
    budget = Budget(cpu=0.05)
    assert budget.spent() == ""
    while budget.spent() == "":
        sum(range(10_000))
    assert time.process_time() - budget.cpu_before >= 0.05
    assert budget.spent() == "cpu"


def test_the_first_request_waits_for_the_phase_and_the_second_does_not() -> None:
    budget, before = Budget(), signal.getsignal(signal.SIGTERM)
    with budget.heard():
        os.kill(os.getpid(), signal.SIGTERM)
        assert budget.spent() == "request"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts all of a process's memory")
def test_memory_is_a_wall_and_only_for_so_long() -> None:
    code = """
from journeyman.nightly.budget import Budget
budget = Budget(memory=300 * 2**20)
with budget.walled():
    bytearray(100 * 2**20)
    try:
        bytearray(400 * 2**20)
    except MemoryError:
        print("no more")
bytearray(400 * 2**20)
print("again")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["no more", "again"]


# -- whose turn


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "day.db") as opened:
        opened.add_sessions([said("I planted a walnut", tenant="ann"), said("my boat is called Ada", tenant="bob")])
        yield opened


def test_who_has_something_new_has_a_turn(store: Store) -> None:
    assert turns(store) == ["ann", "bob"]
    ann = run(store, "n1", tenant="ann")
    assert turns(store) == ["bob"]
    run(store, "n2", tenant="bob", verdict="REJECT")
    assert turns(store) == [], "what a night has refused is not tried again until something comes"
    store.add_sessions([said("the cat is grey", tenant="bob")])
    store.add_sessions([said("the dog is brown", tenant="ann")])
    assert turns(store) == ["ann", "bob"], "ann's last night is longer ago"
    assert len(waiting(store, "bob")) == 1
    run(store, "n3", tenant="ann", parent=ann, ends=False)
    run(store, "n4", tenant="bob", ends=False)
    run(store, "n5", tenant="ann", parent=ann)
    assert turns(store) == ["bob"], "who was interrupted"
    assert set(begun(store, "bob")) == {session.id for session in store.sessions(tenant="bob")}
    assert begun(store, "ann") == ()


def test_who_was_interrupted_comes_first_then_who_had_no_night_for_longest(store: Store) -> None:
    run(store, "n1", tenant="ann")
    store.add_sessions([said("the dog is brown", tenant="ann"), said("hello there", tenant="cat")])
    assert turns(store) == ["bob", "cat", "ann"]
    run(store, "n2", tenant="cat", ends=False)
    assert turns(store) == ["cat", "bob", "ann"]


def test_another_model_has_read_nothing(store: Store) -> None:
    run(store, "n1", tenant="ann", base="b1")
    run(store, "n2", tenant="bob", base="b2")
    assert turns(store) == []
    assert turns(store, "b1") == ["bob"]
    assert turns(store, "b2") == ["ann"]


# -- what is written


def test_lines_are_whole_whatever_was_killed_while_writing(tmp_path: Path) -> None:
    book = Book(tmp_path / "new")
    assert book.lines() == []
    book.add({"n": 1})
    with book.log.open("ab") as file:
        file.write(b'{"n": 2, "nights": [{"tena')
    book.add({"n": 3})
    book.add({"n": 4})
    assert [line["n"] for line in book.lines()] == [1, 3, 4]


def test_what_goes_on_is_said_by_who_does_it(tmp_path: Path) -> None:
    book = Book(tmp_path)
    assert book.read_now() is None
    book.set_now(state="waiting")
    assert book.read_now() == {"state": "waiting", "pid": os.getpid()}
    book.clear(os.getpid() + 1)
    assert book.read_now(), "it is another's"
    book.clear(os.getpid())
    assert book.read_now() is None
    book.now.write_text("[")
    assert book.read_now() is None


def test_one_at_a_time(store: Store) -> None:
    assert not held(store, "nightly")
    with alone(store, "nightly"):
        assert held(store, "nightly")
        with pytest.raises(StoreError, match="another nightly"), alone(store, "nightly"):
            pass
        with alone(store, "round"):
            pass
    assert not held(store, "nightly")
