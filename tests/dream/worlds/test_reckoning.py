"""What is learnt of tools that reckon, count, stop at a limit, or touch more than they answer with."""

from __future__ import annotations

from typing import Any

import pytest
import yard
from test_few_examples import asked

from journeyman.dream.worlds.admission import Admitted, admitted
from journeyman.dream.worlds.calls import Call, Recording
from journeyman.dream.worlds.fidelity import measured
from journeyman.world.world import World


@pytest.fixture(scope="module")
def bikes() -> Admitted:
    return admitted(yard.log(40), "yard")


def bike(found: Admitted, **wanted: Any) -> str:
    """One that the log shows, of which this is so."""
    seen = {key for moments in found.induction.history.moments for each in moments for _, key in each.docs}
    real = yard.Yard(9).bikes
    return next(key for key in sorted(seen) if all(real[key][name] == value for name, value in wanted.items()))


def made(*sessions: tuple[Call, ...]) -> Admitted:
    return admitted([Recording(str(at), calls) for at, calls in enumerate(sessions)], "reckoning")


def test_what_was_learnt_holds_in_sessions_that_nobody_saw(bikes: Admitted) -> None:
    found = measured(bikes.induced, yard.log(60, 1000), [])
    assert set(bikes.tools.values()) == {"admitted"}
    assert found.all.answered - found.all.exact == 0
    assert found.all.exact >= 0.95 * found.all.n


@pytest.mark.parametrize(
    ("tool", "formula"),
    [
        ("bill", 'round(bike["fee"] + bike["days"] * bike["price"], 2)'),
        ("sell", 'round(bike["price"] * (1 - bike["discount"] / 100), 2)'),
        ("tax", 'round(bike["price"] * 1.19, 2)'),
        ("ride", 'bike["rides"] + 1'),
    ],
)
def test_a_formula_is_found(bikes: Admitted, tool: str, formula: str) -> None:
    body = bikes.induced.source.partition(f"def {tool}(")[2].partition("\n\n")[0]
    assert formula.replace(" ", "") in body.replace(" ", "") or _turned(formula) in body


def _turned(formula: str) -> str:
    return formula.replace('bike["days"] * bike["price"]', 'bike["price"] * bike["days"]')


def test_past_a_limit_a_tool_refuses_and_between_what_was_seen_nobody_knows() -> None:
    def weigh(kilos: int) -> Call:
        ok = kilos <= 30
        return Call("weigh", {"kilos": kilos}, ok, "accepted" if ok else "That is too heavy")

    found = made(*((weigh(n), weigh(20 - n), weigh(40 + n)) for n in range(10)))
    assert asked(found, "weigh", kilos=15).value == "accepted"
    assert asked(found, "weigh", kilos=60).message == "That is too heavy"
    assert asked(found, "weigh", kilos=25).error == "abstain"


def test_what_chance_could_have_drawn_is_no_limit() -> None:
    said = [Call("ask", {"number": n}, n not in (7, 9), "no luck" if n in (7, 9) else "fine") for n in (1, 2, 4, 7, 9)]
    found = made(tuple(said), tuple(said))
    assert asked(found, "ask", number=8).error == "abstain"


def test_a_number_that_the_refusal_names_is_the_limit() -> None:
    def lend(count: int) -> Call:
        ok = count <= 5
        return Call("lend", {"count": count}, ok, "lent" if ok else "You may have at most 5 books at a time")

    found = made(*((lend(n % 4), lend(8 + n % 5)) for n in range(8)))
    assert asked(found, "lend", count=4).ok
    assert not asked(found, "lend", count=6).ok
    assert asked(found, "lend", count=6).message == "You may have at most 5 books at a time"
    assert asked(found, "lend", count=5).error == "abstain"  # is five too many, or just not?


def test_nothing_at_all_in_a_field_is_a_reason(bikes: Admitted) -> None:
    assert asked(bikes, "release", bike_id=bike(bikes, rider=None)).message == "Nobody has taken this bike"


def test_both_of_two_that_change_places_are_changed(bikes: Admitted) -> None:
    one, other = bike(bikes, station="north"), bike(bikes, station="south")
    world = World(bikes.induced.rules, bikes.induced.start)
    assert world.call("swap", {"bike_id": one, "other_id": other}).value["station"] == "south"
    assert world.call("get_bike", {"bike_id": other}).value["station"] == "north"


def test_what_comes_of_the_same_thing_twice_nobody_saw(bikes: Admitted) -> None:
    one = bike(bikes, station="north")
    assert asked(bikes, "swap", bike_id=one, other_id=one).error == "abstain"


def member(number: int, loans: int) -> Call:
    key = f"M-{number}"
    return Call("get_member", {"member_id": key}, True, {"member_id": key, "name": f"n{number}", "loans": loans})


def book(tool: str, number: int, state: str) -> Call:
    key = f"B-{number}"
    value = {"book_id": key, "title": f"t{number}", "state": state, "owner": {"member_id": f"M-{number}"}}
    return Call(tool, {"book_id": key}, True, value)


def test_what_an_answer_names_may_have_changed_before_it_is_first_seen() -> None:
    """`check_out` answers with a book that says whose it is; that member has one loan more, seen only afterwards."""
    seen = [(member(n, n), book("get_book", n, "in"), book("check_out", n, "out"), member(n, n + 1)) for n in range(6)]
    late = [(book("get_book", n, "in"), book("check_out", n, "out"), member(n, n + 1)) for n in range(10, 14)]
    found = made(*seen, *late, *((member(n, n), book("get_book", n, "in"), member(n, n)) for n in range(6)))
    assert asked(found, "get_member", member_id="M-3").value["loans"] == 3
    assert asked(found, "get_member", member_id="M-12").error == "abstain"


def test_what_stays_as_it_is_though_an_answer_names_it_is_known_from_the_beginning() -> None:
    seen = [(member(n, n), book("get_book", n, "in"), book("check_out", n, "out"), member(n, n)) for n in range(6)]
    late = [(book("get_book", n, "in"), book("check_out", n, "out"), member(n, n)) for n in range(10, 14)]
    found = made(*seen, *late)
    assert asked(found, "get_member", member_id="M-12").value["loans"] == 12


def test_that_one_thing_is_missing_says_nothing_of_another() -> None:
    def renew(number: int) -> Call:
        gone = number > 90
        return Call("renew", {"slip": f"S-{number}"}, not gone, "There is no such slip" if gone else "renewed")

    found = made(*((renew(n), renew(n + 20), renew(99)) for n in range(8)))
    assert asked(found, "renew", slip="S-99").message == "There is no such slip"
    assert asked(found, "renew", slip="S-3").value == "renewed"
    assert asked(found, "renew", slip="S-98").error == "abstain"
