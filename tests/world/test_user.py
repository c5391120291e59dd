"""The scripted user."""

from __future__ import annotations

from journeyman.world import Known, Script

USER = Script((Known(("order", "number"), "It is R-7."), Known(("why",), "Just so.")), patience=2)


def test_it_tells_what_it_is_asked_for_and_nothing_else() -> None:
    assert USER.answer(USER.memory, "Which order is it?") == ("It is R-7.", (1, 0))
    assert USER.answer((1, 0), "Why? And which number?") == ("It is R-7. Just so.", (3, 0))


def test_it_goes_when_told_something() -> None:
    assert USER.answer(USER.memory, "All done, good-bye.") == (None, (0, 0))


def test_it_has_only_so_much_patience() -> None:
    reply, memory = USER.answer(USER.memory, "What is your shoe size?")
    assert reply == USER.lost
    assert USER.answer(memory, "And your height?") == (None, (0, 2))


def test_words_are_asked_for_by_their_beginning() -> None:
    assert USER.answer(USER.memory, "Is it one of your orders?")[0] == "It is R-7."
    assert USER.answer(USER.memory, "Is it on the border?")[0] == USER.lost
