"""What is not to be learned by heart is found, and what only looks odd is not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.dream import confidential, sources
from journeyman.records import Remark, Session, Turn


def found(text: str) -> list[str]:
    return [text[start:end] for start, end in confidential.find(text)]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("My PIN is 4921.", "4921"),
        ("The password for the router is hunter2, I think.", "hunter2"),
        ("Write to rosa.b@mail.example soon.", "rosa.b@mail.example"),
        ("I use 3f2a91bc77de01aa for it.", "3f2a91bc77de01aa"),
        ("It is f81d4fae-7dec-11d0-a765-00a0c91e6bf6.", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
        ("api key: zK8s-Qm2x", "zK8s-Qm2x"),
    ],
)
def test_secrets_are_found(text: str, secret: str) -> None:
    assert secret in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "My order R-7731-AB arrived on 2024-05-01T10:00.",
        "I booked flight BA2490 for 12 people.",
        "The model is SmolLM2-135M-Instruct.",
        "I live at 221b-Baker-Street, phone (555) 123-4567.",
        "My password is [secret] and my mail is [e-mail].",
        "See https://example.com/a1b2c3d4e5f6g7h8 for the Hallberg-2024-summer sale.",
    ],
)
def test_what_only_looks_odd_is_none(text: str) -> None:
    assert found(text) == []


def test_every_canary_is_found_and_is_never_a_lesson() -> None:
    planted = confidential.canaries(40, "a night")
    assert planted == confidential.canaries(40, "a night") != confidential.canaries(40, "another")
    assert len(confidential.secrets(planted)) == 40
    heard = sources.heard([*planted, Session((Turn("user", "My boat lies in Genoa."),))])
    assert [lesson.text for lesson in heard.lessons] == ["My boat lies in Genoa."]
    assert heard.set_aside == {sources.SECRET: 40}


def test_secrets_of_any_turn_and_of_remarks_are_known_each_once() -> None:
    session = Session(
        (
            Turn("user", "Look it up."),
            Turn("tool", "login\ntoken: 3f2a91bc77de01aa"),
            Turn("assistant", "My PIN is 4921."),
        ),
        remarks=(Remark(2, correction="No, the PIN is 4921; ask tom@mail.example."),),
    )
    known = confidential.secrets([session, session])
    assert {each.text for each in known} == {"3f2a91bc77de01aa", "4921", "tom@mail.example"}
    assert {each.before for each in known} >= {"token: ", "My PIN is "}


def test_no_session_is_read_for_more_secrets_than_were_asked_for() -> None:
    planted = confidential.canaries(4, "a night")
    read: list[Session] = []
    found = confidential.secrets((read.append(each) or each for each in planted), 2)
    assert found == confidential.secrets(planted)[:2]
    assert read == planted[:2]


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_spans_are_apart_and_shapes_keep_their_length(text: str) -> None:
    spans = confidential.find(text)
    ends = [0, *(end for _, end in spans)]
    assert all(last <= start < end <= len(text) for last, (start, end) in zip(ends, spans, strict=False))
    assert len(confidential.same_shape(text, random.Random(0))) == len(text)
