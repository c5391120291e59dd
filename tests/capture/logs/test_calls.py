"""Calls in any order become the sessions that they were."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.capture.logs.calls import Call, Gathered, Place, sessions_of, when
from journeyman.records import Feedback, Session

HERE = Place(0, 1)


def calls(words: list[str], name: str = "", **more: Any) -> list[Call]:
    """The calls of one conversation, in which `words` take turns, from the user's on."""
    messages = [{"role": "user" if not n % 2 else "assistant", "content": word} for n, word in enumerate(words)]
    return [
        Call(Place(0, n), f"{name}{n}", {"messages": messages[:n]}, messages[n], started_at=f"{n:03}", **more)
        for n in range(1, len(words), 2)
    ]


def found(*given: Call, **more: Any) -> list[Session]:
    sessions, refused = sessions_of(Gathered(list(given), **more))
    assert refused == []
    return [session for _, session in sessions]


@given(st.integers(1, 4).flatmap(lambda n: st.permutations(list(range(n)))), st.booleans())
def test_a_conversation_is_one_session_in_any_order(order: list[int], apart: bool) -> None:
    words = [f"word {n}" for n in range(2 * len(order))]
    each = calls(words, group="" if apart else "t")
    (session,) = found(*(each[place] for place in order))
    assert [turn.content for turn in session.turns] == words
    assert session.key == ("1" if apart else "t")


def test_branches_are_one_session_and_repeats_are_none() -> None:
    main, branch = calls(["a", "b", "c", "d"], "m", group="t1"), calls(["a", "b", "x", "y"], "b", group="t2")
    sessions = found(*main, *branch, *calls(["a", "b"], "again"))
    assert sorted("".join(turn.content for turn in each.turns) for each in sessions) == ["abcd", "abxy"]
    assert {each.key for each in sessions} == {"t1"}


def test_the_logs_own_sessions_count() -> None:
    sessions = found(*calls(["a", "b"], "1", session="s1"), *calls(["a", "b", "c", "d"], "2", session="s2"))
    assert sorted((each.key, len(each.turns)) for each in sessions) == [("s1", 2), ("s2", 4)]


def test_users_share_no_conversation() -> None:
    sessions = found(*calls(["a", "b"], "1", user="ann"), *calls(["a", "b", "c", "d"], "2", user="bob"))
    assert sorted((each.user, len(each.turns)) for each in sessions) == [("ann", 2), ("bob", 4)]


def test_what_was_said_of_an_answer_stays_with_it() -> None:
    (session,) = found(*calls(["a", "b", "c", "d"], "m"), feedback=[Feedback("m1", rating=0.0)])
    assert [(remark.turn, remark.rating) for remark in session.remarks] == [(1, 0.0)]


def test_responses_go_on_by_name_and_what_is_missing_is_refused() -> None:
    def response(id: str, follows: str | None, word: str) -> Call:
        request = {"input": word, "instructions": "Be brief.", "previous_response_id": follows}
        return Call(HERE, id, request, {"role": "assistant", "content": word * 2}, started_at=id, response_id=id)

    sessions, refused = sessions_of(
        Gathered([response("r2", "r1", "b"), response("r1", None, "a"), response("r9", "r8", "x")])
    )
    assert [[turn.content for turn in session.turns] for _, session in sessions] == [
        ["Be brief.", "a", "aa", "b", "bb"]
    ]
    assert [why for _, why in refused] == [
        "r9: what went before is not here: import the log of that response in the same command"
    ]


@pytest.mark.parametrize(
    ("given", "time"),
    [
        ("2026-03-16T09:30:00Z", "2026-03-16T09:30:00.000000+00:00"),
        ("2026-03-16 09:30:00.5", "2026-03-16T09:30:00.500000+00:00"),
        ("2026-03-16T10:30:00+01:00", "2026-03-16T09:30:00.000000+00:00"),
        (1742117400, "2025-03-16T09:30:00.000000+00:00"),
        *((nothing, "") for nothing in ("", "soon", None, True, 1e30, -1e30, [], float("nan"))),
    ],
)
def test_times(given: Any, time: str) -> None:
    assert when(given) == time
