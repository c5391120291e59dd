"""Pieces of work: where a session is cut, and when words are enough."""

from __future__ import annotations

from journeyman.dream.worlds.calls import Call, Recording
from journeyman.dream.worlds.units import Piece, Step, pieces, told
from journeyman.world import actions


def test_a_session_is_cut_where_its_user_speaks_again_after_something_was_done() -> None:
    look, do = Call("look", {}, True, {}), Call("do", {}, True, {})
    session = Recording("s", (look, do, look, do), asked=((0, "I am Mia."), (1, "Do this."), (2, "And that.")))
    assert pieces(session, {"do"}) == [
        Piece(0, 4, "I am Mia.\nDo this.\nAnd that."),
        Piece(0, 2, "I am Mia.\nDo this."),
        Piece(2, 4, "And that."),
    ]
    assert pieces(session, {"other"}) == []


def test_words_are_enough_where_reads_show_what_they_do_not_say() -> None:
    find = Step(actions.Call("find", {"name": "Mia"}), {"order": "R-7", "items": ["X-1"]}, False)
    idle = Step(actions.Call("hours", {}), "Nine to five", False)
    back = Step(actions.Call("back", {"order": "R-7", "item": "X-1"}), {}, True)
    words = "I am Mia, take order R-7 back."
    assert told([find, idle, back], words) == (words, [find.call, back.call])


def test_words_that_do_not_say_what_it_is_about_are_not_enough() -> None:
    find = Step(actions.Call("find", {"name": "Mia"}), {"order": "R-7"}, False)
    back = Step(actions.Call("back", {"order": "R-7", "item": "X-1"}), {}, True)
    spelled = ("Call back with order R-7, item X-1.", [back.call])
    assert told([find, back], "I am Mia.") == spelled  # nothing of what is done
    assert told([find, back], "I am Mia: R-7.") == spelled  # nobody says or shows the item
