"""Users who contradict each other are reported, and none of them is learned; who changes his mind is believed."""

from __future__ import annotations

import pytest

from journeyman.dream import sources, spans
from journeyman.dream.contradictions import CHANGED, CONTRADICTED, Contradiction, settle
from journeyman.records import Session, Turn


def said(user: str, words: str) -> Session:
    return Session((Turn("user", words),), user=user)


def settled(
    *sessions: Session, before: tuple[Session, ...] = ()
) -> tuple[set[str], list[Contradiction], dict[str, int]]:
    heard = sources.heard(sessions)
    earlier = sources.heard(before)
    heard.users |= earlier.users
    known = spans.choose(spans.weigh(earlier.lessons, None), 50)
    kept, found, _ = settle(spans.weigh(heard.lessons, None), heard, known)
    return {span.text for span in kept}, found, dict(heard.set_aside)


@pytest.mark.parametrize(
    ("one", "other", "values"),
    [
        ("The office is in Berlin.", "The office is in Rome.", {"Berlin", "Rome"}),
        ("Our office is located in Berlin.", "The office is now in Rome, you know.", {"Berlin", "Rome"}),
        ("My name is Rosa.", "My name is Tom.", {"Rosa", "Tom"}),
        ("The refund limit is $50.", "The refund limit is $9000.", {"$50", "$9000"}),
        ("Our train leaves at 8:15.", "Our train leaves at 9:40.", {"8:15", "9:40"}),
    ],
)
def test_two_users_who_contradict_each_other_teach_neither(one: str, other: str, values: set[str]) -> None:
    kept, [found], aside = settled(said("ann", one), said("bob", other))
    assert not kept & values
    assert {span.text for span in found.said} == values
    assert aside[CONTRADICTED] >= 2
    assert found.earlier == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The office is in Berlin.", "The office is in Berlin, on the third floor."),
        ("My meeting is at 3 PM on Monday.", "My meeting is at 5 PM on Friday."),
        ("I bought apples from Tom.", "I bought pears from Ann."),
        ("My doctor is in Rome.", "My doctor is very kind."),
        ("My sister lives in Rome.", "My brother lives in Berlin."),
    ],
)
def test_what_is_about_something_else_is_no_contradiction(one: str, other: str) -> None:
    assert settled(said("ann", one), said("bob", other))[1] == []
    assert settled(said("ann", one), said("ann", other))[2].get(CHANGED, 0) == 0


def test_what_one_user_says_later_holds() -> None:
    kept, found, aside = settled(
        said("ann", "The refund limit is $50."), said("bob", "My cat is grey."), said("ann", "The refund limit is $80.")
    )
    assert "$80" in kept
    assert "$50" not in kept
    assert found == []
    assert aside[CHANGED] >= 1


def test_who_repeats_anothers_words_and_takes_them_back_takes_back_his_own() -> None:
    heard = sources.heard(
        [said("ann", "The code is 4512."), said("eve", "The code is 4512."), said("eve", "The code is 9999.")]
    )
    kept, [found], _ = settle(spans.weigh(heard.lessons, None), heard)
    assert {heard.user(span.lesson) for span in found.said} == {"ann", "eve"}
    assert not {span.text for span in kept} & {"4512", "9999"}


def test_what_an_earlier_night_learned_is_named_as_changed_where_its_own_user_says_otherwise() -> None:
    def changed(*tonight: Session, before: tuple[Session, ...]) -> dict[str, str]:
        heard, earlier = sources.heard(tonight), [sources.heard([each]) for each in before]
        for each in earlier:
            heard.users |= each.users
        known = [span for each in earlier for span in spans.choose(spans.weigh(each.lessons, None), 50)]
        found = settle(spans.weigh(heard.lessons, None), heard, known).changed
        return {was.text: now.text for was, now in found}

    berlin, rome = said("ann", "The office is in Berlin."), said("ann", "The office is in Rome.")
    assert changed(rome, before=(berlin,)) == {"Berlin": "Rome"}
    assert changed(said("eve", "The office is in Rome."), before=(berlin,)) == {}, "another's word changes nothing"
    oslo = said("ann", "The office is in Oslo.")
    assert changed(oslo, before=(berlin, rome)) == {"Berlin": "Oslo", "Rome": "Oslo"}
    assert changed(said("ann", "My cat is grey."), before=(berlin, rome)) == {"Berlin": "Rome"}
    back = said("ann", "The office is in Berlin, you know.")
    assert changed(back, before=(berlin, rome)) == {"Rome": "Berlin"}, "what was said first holds again"


def test_who_gives_in_contradicts_no_longer() -> None:
    kept, found, _ = settled(
        said("ann", "The office is in Berlin."),
        said("bob", "The office is in Rome."),
        said("bob", "The office is in Berlin."),
    )
    assert found == []
    assert "Berlin" in kept


def test_what_was_learned_stays_and_who_contradicts_it_is_reported() -> None:
    before = (said("ann", "The office is in Berlin."),)
    kept, [found], _ = settled(said("eve", "The office is in Rome."), before=before)
    assert "Rome" not in kept
    assert [span.text for span in found.earlier] == ["Berlin"]
    heard = sources.Heard([], sources.heard(before).users)
    told = found.to_json(heard)
    assert told["asked"] == "The office is in …"
    assert [(each["value"], each["earlier"]) for each in told["said"]] == [("Berlin", True), ("Rome", False)]
    kept, found_none, _ = settled(said("ann", "The office is in Rome."), before=before)
    assert (found_none, "Rome" in kept) == ([], True), "the same user may change it"
