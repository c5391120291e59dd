"""Equal values have equal forms, and two traces part at a named place."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from journeyman.grind.trace import LONG, canonical, difference, raised, same, text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def trace(*observations: Any, verdict: float = 0.0, start: Any = "start") -> dict[str, Any]:
    steps = [
        {"action": number, "observation": each, "reward": 0.0, "done": False, "state": None}
        for number, each in enumerate(observations)
    ]
    return {
        "task": "t",
        "seed": 1,
        "start": start,
        "steps": steps,
        "verdict": verdict,
        "error": None,
        "finished": False,
    }


@given(VALUES)
def test_a_value_is_equal_to_itself_and_to_its_form(value: Any) -> None:
    assert same(canonical(value), canonical(value))
    assert text(canonical(canonical(value))) == text(canonical(value))


@given(VALUES, VALUES)
def test_a_difference_is_found_if_and_only_if_there_is_one(one: Any, other: Any) -> None:
    left, right = canonical(one), canonical(other)
    found = difference(trace("same", left), trace("same", right))
    assert (found is None) == same(left, right)
    if found:
        assert (found["step"], found["part"]) == (2, "observation")


def test_the_first_difference_is_the_one_that_is_named() -> None:
    one = trace({"rows": [{"id": 1}, {"id": 2}]}, "later")
    other = trace({"rows": [{"id": 1}, {"id": 3}]}, "even later")
    found = difference(one, other)
    assert found == {"step": 1, "part": "observation", "path": ".rows[1].id", "one": 2, "other": 3}
    assert difference(trace("a"), trace("a", "b"))["part"] == "steps"  # pyright: ignore[reportOptionalSubscript]
    assert difference(trace("a"), trace("a", verdict=1))["part"] == "verdict"  # pyright: ignore[reportOptionalSubscript]


def test_mappings_and_sets_have_no_order_and_objects_no_address() -> None:
    class Plain:
        def __init__(self) -> None:
            self.size = 3

    @dataclasses.dataclass
    class Row:
        id: int

    assert same(canonical({"a": 1, "b": 2}), canonical({"b": 2, "a": 1}))
    assert same(canonical({"x", "y", "z"}), canonical(frozenset("zyx")))
    assert not same(canonical([1, 2]), canonical([2, 1]))
    assert same(canonical(Plain()), canonical(Plain()))
    assert canonical(Row(4)) == {"id": 4}
    assert "0x7f" not in raised(ValueError(f"no {object()!r}"))


def test_what_is_long_is_hashed_whole() -> None:
    one, other = "x" * (LONG + 1), "x" * LONG + "y"
    assert not same(canonical(one), canonical(other))
    assert len(text(canonical(one))) < 1000


def test_a_form_is_the_same_in_a_process_with_another_hash_seed() -> None:
    code = (
        "from journeyman.grind.trace import canonical, text; "
        "print(text(canonical({'b': {1, 'two', (3,)}, 'a': float('nan')})))"
    )
    done = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert done == [text(canonical({"a": float("nan"), "b": {(3,), 1, "two"}}))] * 2


def test_numbers_too_long_for_json_are_written_as_text() -> None:
    long = 10**5000
    form = canonical({"sum": long})
    assert json.loads(text(form)) == form == canonical({"sum": 10**5000})
    assert not same(form, canonical({"sum": long + 1}))
    assert not same(form, canonical({"sum": -long}))
    assert canonical(2**64) == 2**64


class Node:
    def __init__(self, deep: int, parent: Any = None) -> None:
        self.parent = parent
        self.children = [Node(deep - 1, self) for _ in range(2 if deep else 0)]


def test_what_stands_within_itself_has_a_form() -> None:
    ring: list[Any] = [1]
    ring += [ring, ring]
    assert canonical(ring) == [1, "<list, again>", "<list, again>"]
    assert canonical([[2], [2]]) == canonical([one := [2], one])
    form = canonical(Node(5))
    assert same(form, canonical(Node(5)))
    assert not same(form, canonical(Node(4)))
