"""What is learnt of a business in which every key is called id, and most answers are parts."""

from __future__ import annotations

import pytest
import tickets

from journeyman.dream.worlds.admission import Admitted, admitted
from journeyman.dream.worlds.calls import Call, Recording, spoken
from journeyman.dream.worlds.conditions import Scalar
from journeyman.dream.worlds.fidelity import measured
from journeyman.dream.worlds.induction import Induction
from journeyman.dream.worlds.phrases import phrase
from journeyman.dream.worlds.scope import Sight
from journeyman.world.documents import Documents
from journeyman.world.world import World


@pytest.fixture(scope="module")
def desk() -> Admitted:
    return admitted(tickets.log(40), "tickets")


def world(desk: Admitted) -> World:
    return World(desk.induced.rules, desk.induced.start)


def ticket(desk: Admitted, status: str) -> str:
    """One that is known whole, and is like that at the beginning."""
    place = World(desk.induced.rules, desk.induced.start)
    known = (each for number in range(100, 140) for each in tickets.Tickets(number).tickets.values())
    return next(
        each["id"] for each in known if each["status"] == status and place.call("get_ticket", {"ticket": each["id"]}).ok
    )


def test_kinds_are_told_apart_by_who_asks_for_them(desk: Admitted) -> None:
    kinds = desk.induction.kinds
    assert {kind.name: kind.field for kind in kinds.all.values()} == {"ticket": "id", "person": "id"}
    assert set(kinds.partial) == {"close_ticket", "move_ticket", "open_ticket"}


def test_what_was_learnt_holds_in_sessions_that_nobody_saw(desk: Admitted) -> None:
    found = measured(desk.induced, tickets.log(40, 500), [])
    assert found.all.answered == found.all.exact
    told = {tool: tally.exact / tally.n for tool, tally in found.tools.items() if not tool.startswith("get_")}
    assert told.pop("open_ticket") > 0.5  # for somebody whom nobody has looked up it is left open
    assert min(told.values()) > 0.9, told


def test_a_part_in_an_answer_changes_the_whole(desk: Admitted) -> None:
    place, key = world(desk), ticket(desk, "open")
    before = place.call("get_ticket", {"ticket": key}).value
    assert place.call("close_ticket", {"ticket": key}).value == {"id": key, "status": "closed"}
    assert before["open_for"] is not None
    assert place.call("get_ticket", {"ticket": key}).value == {**before, "status": "closed", "open_for": None}


def test_a_text_is_put_together(desk: Admitted) -> None:
    place, key = world(desk), ticket(desk, "open")
    before = place.call("get_ticket", {"ticket": key}).value["text"]
    assert place.call("add_line", {"ticket": key, "line": "At last."}).value["text"] == f"{before}\nAt last."


def test_a_refusal_names_two_things(desk: Admitted) -> None:
    place, key = world(desk), ticket(desk, "closed")
    person = place.call("get_ticket", {"ticket": key}).value["person"]
    assert place.call("close_ticket", {"ticket": key}).message == f"{key} of {person} is closed already"


def test_what_is_new_is_there_and_what_was_not_said_of_it_is_not_known(desk: Admitted) -> None:
    place = world(desk)
    person = place.call("get_ticket", {"ticket": ticket(desk, "open")}).value["person"]
    made = place.call("open_ticket", {"title": "a new one", "person": person}).value
    assert (made["status"], made["person"], made["title"]) == ("open", person, "a new one")
    assert place.call("close_ticket", {"ticket": made["id"]}).ok
    assert place.call("get_ticket", {"ticket": made["id"]}).error == "abstain"  # its text was never shown


def test_what_somebody_names_is_not_denied(desk: Admitted) -> None:
    assert any(isinstance(each, Documents) and each.closed for each in desk.induced.documents.values())
    asked = Call("get_ticket", {"ticket": "T-7771"}, True, {})
    silent = measured(desk.induced, [Recording("silent", (asked,))], [])
    named = measured(desk.induced, [Recording("named", (asked,), ((0, "What of T-7771?"),))], [])
    assert (silent.all.answered, named.all.answered) == (1, 0)


def test_a_phrase_says_what_changes_and_keeps_the_rest() -> None:
    order, count = Scalar("order", ("R-1", "R-12", "R-7"), 0), Scalar("count", (1, 1, 7), 0)
    found = phrase([count, order], {0: "R-1 has 1 piece {1}", 1: "R-12 has 1 piece {1}", 2: "R-7 has 7 piece {1}"})
    assert found is not None
    assert found.text == "{} has {} piece {1}"
    names = {"order": "R-3", "count": 4}
    assert eval(found.python(), names) == "R-3 has 4 piece {1}"
    assert phrase([count, order], {0: "R-1 is here", 1: "R-1 is there"}) is None


@pytest.mark.parametrize("name", ["case", "class", "first", "return", "len"])
def test_a_kind_may_have_a_name_that_means_something_else(name: str) -> None:
    def look(number: int) -> Call:
        value = {"id": f"K-{number}", "returns": [{"why": "late"}], "status": "new", "number": f"no {number}"}
        return Call(f"get_{name}", {f"{name}_id": f"K-{number}"}, True, value)

    def close(number: int) -> Call:
        value = {"id": f"K-{number}", "status": "closed"}
        return Call(f"close_{name}", {f"{name}_id": f"K-{number}"}, True, value)

    found = admitted([Recording(str(n), (look(n), close(n))) for n in range(12)], "names")
    place = World(found.induced.rules, found.induced.start)
    assert place.call(f"close_{name}", {f"{name}_id": "K-3"}).value["status"] == "closed"
    assert place.call(f"get_{name}", {f"{name}_id": "K-3"}).value["status"] == "closed"


def test_a_look_that_shows_what_another_changed_is_no_change_and_invents_nothing() -> None:
    def reader(number: int, loans: int) -> Call:
        key = f"R-{number}"
        return Call("get_reader", {"reader_id": key}, True, {"reader_id": key, "name": f"n{number}", "loans": loans})

    def back(number: int) -> Call:
        return Call("return_book", {"loan_id": f"L-{number}"}, True, {"loan_id": f"L-{number}", "state": "back"})

    found = admitted([Recording(str(n), (reader(n, 2), back(n), reader(n, 1))) for n in range(12)], "readers")
    assert not found.induced.rules.tools["get_reader"].writes
    assert "desk.new" not in found.induced.source.partition("def get_reader")[2].partition("\n\n\n")[0]


def test_what_was_only_named_by_people_does_not_pass_for_missing_when_refusals_are_learnt() -> None:
    """Sight of a closed kind: a key in somebody's words is unknown, one that nobody spoke of is not there."""
    sight = Sight({}, frozenset(), frozenset({"ticket"}), frozenset(spoken("What of (T-5), please?")))
    assert sight.find("ticket", "T-6") is None
    with pytest.raises(KeyError):
        sight.find("ticket", "T-5")
    asked = Call("get_ticket", {"ticket": "T-5"}, True, {})
    later = ((0, "Hello."), (1, "And T-7?"))
    history = Induction([Recording("one", (asked, asked), later)]).history
    assert ["T-7" in each.heard for each in history.moments[0]] == [False, True]
