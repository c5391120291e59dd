"""Every record survives the way through JSON text, and its id depends on its content alone."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman.records import (
    ROLES,
    AdapterRecord,
    Lesson,
    NightRecord,
    PhaseRecord,
    Record,
    Remark,
    Session,
    Situation,
    ToolCall,
    Turn,
)

WORDS = st.text(max_size=12)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=4,
)
OBJECTS = st.dictionaries(WORDS, PLAIN, max_size=3)
CALLS = st.builds(ToolCall, WORDS, WORDS, WORDS)
TURNS = st.builds(
    Turn,
    st.sampled_from(ROLES),
    WORDS,
    st.lists(CALLS, max_size=2).map(tuple),
    st.none() | WORDS,
    st.none() | WORDS,
)
REMARKS = st.builds(Remark, st.integers(0, 3), st.none() | st.floats(0, 1), WORDS, WORDS, WORDS)
SESSIONS = st.builds(
    Session,
    st.lists(TURNS, max_size=4).map(tuple),
    *[WORDS] * 4,
    st.lists(REMARKS, max_size=2).map(tuple),
    WORDS,
)
RECORDS = st.one_of(
    SESSIONS,
    TURNS,
    CALLS,
    st.builds(Lesson, WORDS, WORDS, st.integers(0, 99), WORDS),
    st.builds(Situation, st.sampled_from(["ask", "unknown", "anchor"]), WORDS, WORDS, WORDS, WORDS),
    st.builds(AdapterRecord, *[WORDS] * 7),
    st.builds(NightRecord, WORDS, OBJECTS, WORDS, WORDS, st.none() | OBJECTS, WORDS),
    st.builds(PhaseRecord, WORDS, WORDS, OBJECTS, st.floats(0, 1e9), st.floats(0, 1e9), st.integers(0), WORDS),
)


@settings(deadline=None, max_examples=60)
@given(RECORDS)
def test_to_json_and_from_json_are_inverse(record: Record) -> None:
    assert type(record).from_json(json.loads(json.dumps(record.to_json()))) == record


@settings(deadline=None, max_examples=60)
@given(SESSIONS)
def test_a_session_keeps_its_id_through_json(session: Session) -> None:
    assert Session.from_json(json.loads(json.dumps(session.to_json()))).id == session.id


def test_the_id_of_a_session_is_its_words_its_key_and_its_user() -> None:
    session = Session((Turn("user", "hello"),), key="k", user="ann", topic="greeting")
    assert replace(session, topic="other", started_at="2026-01-01").id == session.id
    assert replace(session, user="bob").id != session.id
    assert replace(session, key="j").id != session.id
    assert replace(session, turns=(Turn("user", "hello!"),)).id != session.id
    assert replace(session, turns=(Turn("assistant", "hello"),)).id != session.id
    assert replace(session, tenant="t").id not in (session.id, replace(session, tenant="u").id)
    assert session.id == "42f823170d89a2e2", "what was learnt is known by it"


def test_records_do_not_change() -> None:
    turn = Turn("user", "hello")
    with pytest.raises(FrozenInstanceError):
        turn.content = "bye"  # type: ignore[misc]
