"""What is learnt of a kennel from a handful of sessions, and what is rather left open."""

from __future__ import annotations

from typing import Any

import pytest

from journeyman.dream.worlds.admission import Admitted, admitted
from journeyman.dream.worlds.blame import Window, blame
from journeyman.dream.worlds.calls import Call, Recording
from journeyman.dream.worlds.conditions import Condition
from journeyman.dream.worlds.doubts import mended
from journeyman.dream.worlds.fidelity import measured
from journeyman.dream.worlds.history import Moment
from journeyman.dream.worlds.kinds import Kinds
from journeyman.dream.worlds.program import Program
from journeyman.dream.worlds.scope import Name, Scope
from journeyman.world.outcome import Outcome
from journeyman.world.world import World

STATES = ("hungry", "hungry", "asleep", "rested")


def dog(number: int, **changed: Any) -> dict[str, Any]:
    box = {"house": "A", "row": "1", "bed": "straw"}
    return {"dog_id": f"D-{number}", "breed": f"breed {number}", "state": STATES[number % 4], "box": box, **changed}


def look(number: int, **changed: Any) -> Call:
    return Call("get_dog", {"dog_id": f"D-{number}"}, True, dog(number, **changed))


def feed(number: int, how: str = "by hand") -> Call:
    return Call("feed", {"dog_id": f"D-{number}", "how": how}, True, dog(number, state="fed", fed=how))


def walk(number: int) -> Call:
    key = {"dog_id": f"D-{number}"}
    if STATES[number % 4] == "rested":
        return Call("walk", key, True, dog(number, state="walked"))
    return Call("walk", key, False, "Only dogs that have rested are walked")


def move(number: int) -> Call:
    """Always to the same box."""
    box = {"house": "B", "row": "2", "bed": "hay"}
    return Call("move", {"dog_id": f"D-{number}", **box}, True, dog(number, box=box))


def missing(tool: str, number: int, **more: str) -> Call:
    return Call(tool, {"dog_id": f"D-{number}", **more}, False, "No such dog")


def learnt(*sessions: tuple[Call, ...]) -> Admitted:
    """Their owners name the dogs that are there."""
    names = [" ".join(each.arguments["dog_id"] for each in calls if each.ok) for calls in sessions]
    log = [Recording(str(at), calls, ((0, names[at]),)) for at, calls in enumerate(sessions)]
    return admitted(log, "kennel")


def asked(found: Admitted, tool: str, **arguments: Any) -> Outcome:
    return World(found.induced.rules, found.induced.start).call(tool, arguments)


def test_what_was_always_given_is_taken_from_the_call_and_is_no_constant() -> None:
    found = learnt(*((look(n), move(n)) for n in range(4)))
    answer = asked(found, "move", dog_id="D-0", house="C", row="7", bed="rug")
    assert not answer.ok or answer.value["box"] == {"house": "C", "row": "7", "bed": "rug"}
    assert asked(found, "move", dog_id="D-0", house="B", row="2", bed="hay").value["box"]["house"] == "B"
    assert '"house": house' in found.induced.source


def test_a_tool_is_doubted_in_a_state_on_which_another_tool_refuses() -> None:
    fed = [(look(n), feed(n), look(n + 2), walk(n + 2)) for n in (0, 4, 8, 12)]
    walked = [(look(n), look(n - 1), walk(n - 1), walk(n)) for n in (3, 7, 11, 15)]
    found = learnt(*fed, *walked)
    assert asked(found, "feed", dog_id="D-8", how="by hand").ok
    assert asked(found, "walk", dog_id="D-2").message == "Only dogs that have rested are walked"
    assert asked(found, "feed", dog_id="D-3", how="by hand").error == "abstain"  # rested, and never fed then


def test_calls_of_what_nobody_had_looked_at_do_not_hide_why_others_are_refused() -> None:
    looked = [(n, (look(n), walk(n))) for n in range(16)]
    blind = [(n, (walk(n),)) for n in (16, 17, 18, 19)]  # one of these worked
    log = [Recording(str(n), calls, ((0, f"Walk D-{n}"),)) for n, calls in (*looked, *blind)]
    found = admitted(log, "kennel")
    assert asked(found, "walk", dog_id="D-3").value["state"] == "walked"
    assert asked(found, "walk", dog_id="D-2").message == "Only dogs that have rested are walked"


@pytest.mark.parametrize("odd", ["\r", "\0", "\t", "\n", '"', "\\"])
def test_a_text_may_hold_anything_and_is_written_so_that_it_is_read_again(odd: str) -> None:
    def wash(number: int) -> Call:
        key, wet = {"dog_id": f"D-{number}"}, number % 2 == 1
        return Call("wash", key, not wet, f"It{odd}is wet" if wet else dog(number, state=f"we{odd}t"))

    def seen(number: int) -> Call:
        return look(number, state=(f"dr{odd}y", f"we{odd}t")[number % 2])

    found = learnt(*((seen(n), wash(n), seen(n + 1), wash(n + 1)) for n in range(0, 12, 2)))
    assert asked(found, "wash", dog_id="D-2").value["state"] == f"we{odd}t"
    assert asked(found, "wash", dog_id="D-3").message == f"It{odd}is wet"


def test_a_small_vocabulary_is_not_left() -> None:
    found = learnt(*((look(n), feed(n, ("by hand", "from a bowl")[n % 8 // 4])) for n in (0, 4, 8, 12)))
    assert asked(found, "feed", dog_id="D-0", how="from a bowl").value["fed"] == "from a bowl"
    assert asked(found, "feed", dog_id="D-0", how="with a spade").error == "abstain"


def test_what_nobody_has_seen_does_not_count_against_a_tool() -> None:
    found = learnt(*((look(n), feed(n)) for n in (0, 4, 8, 12)), (missing("feed", 99, how="by hand"),))
    assert found.tools["feed"] == "admitted"
    assert asked(found, "feed", dog_id="D-0", how="by hand").ok
    assert asked(found, "feed", dog_id="D-98", how="by hand").error == "abstain"  # perhaps it is there


def test_two_that_were_said_to_be_missing_are_enough_to_know_that_all_are_known() -> None:
    gone = (missing("feed", 98, how="by hand"), missing("get_dog", 99))
    found = learnt(*((look(n), feed(n)) for n in (0, 4, 8, 12)), gone)
    assert asked(found, "feed", dog_id="D-97", how="by hand").message == "No such dog"


def test_what_other_tools_say_of_the_missing_is_said_by_one_that_nobody_saw_miss_anything() -> None:
    gone = (missing("feed", 98, how="by hand"), missing("get_dog", 99))
    found = learnt(*((look(n), feed(n)) for n in (0, 4, 8, 12)), *((look(n), walk(n)) for n in (3, 7, 11)), gone)
    assert asked(found, "walk", dog_id="D-97").message == "No such dog"


def test_a_tool_that_says_other_words_of_the_missing_stands_alone() -> None:
    gone = (missing("feed", 98, how="by hand"), missing("get_dog", 99)._replace(value="That dog does not exist"))
    found = learnt(*((look(n), feed(n)) for n in (0, 4, 8, 12)), *((look(n), walk(n)) for n in (3, 7, 11)), gone)
    assert asked(found, "walk", dog_id="D-97").error == "abstain"


def test_what_a_tool_that_was_never_seen_names_is_not_known_after_it() -> None:
    world = learnt(*((look(n), feed(n)) for n in (0, 4, 8, 12))).induced
    assert world.world.call("get_dog", {"dog_id": "D-4"}).ok
    world.observe(Call("shear", {"dog_id": "D-4"}, True, "done"))
    assert world.world.call("get_dog", {"dog_id": "D-4"}).error == "abstain"
    world.observe(look(4, coat="short"))
    assert world.world.call("get_dog", {"dog_id": "D-4"}).value["coat"] == "short"


def test_what_the_log_never_spoke_of_is_not_answered() -> None:
    found = learnt(*((look(n), feed(n)) for n in (0, 4, 8, 12)))
    more = feed(0)._replace(arguments={**feed(0).arguments, "bowl": "blue"})
    other = Recording("other", (look(0), more, Call("shear", {"dog_id": "D-0"}, False, "Not in winter")))
    tally = measured(found.induced, [other], []).all
    assert (tally.n, tally.answered, tally.exact) == (3, 1, 1)


def test_few_odd_calls_are_doubted_by_what_sets_them_apart() -> None:
    moments = [Moment(feed(n), n, 0, {}, frozenset(), {}) for n in range(12)]
    program = Program("feed", True, {}, {}, scope=Scope(moments, Kinds(()), frozenset()))
    bits = (1 << 12) - 1
    apart, too_wide = Condition("apart", 1 << 3, bits & ~(1 << 3), 1.0), Condition("wide", bits, 0, 0.0)
    assert mended(program, [too_wide, apart], frozenset({(3, 0)}))
    assert program.doubts == (apart,)
    assert not mended(program, [too_wide, apart], frozenset({(3, 0)}))  # that was tried
    assert not mended(program, [apart], frozenset({(3, 0), (4, 0)}))  # nor is that few


def test_one_window_tells_who_did_it_and_others_follow() -> None:
    names = {"owner": Name("owner", "desk.find(OWNER, owner_id)", "doc", (), kind="owner")}
    programs = {tool: Program(tool, True, {}, dict(names)) for tool in ("feed", "groom", "walk")}
    many = [Window("owner", "bill", ("feed", "groom", "walk")), Window("owner", "bill", ("groom", "walk"))]
    assert blame(programs, [*many, Window("owner", "bill", ("walk",))])
    assert {tool: program.forgets for tool, program in programs.items()} == {
        "feed": (),
        "groom": (),
        "walk": (("owner", "bill"),),
    }
    assert blame(programs, many)  # with nobody alone, the one that was there most often
    assert programs["groom"].forgets == (("owner", "bill"),)
    assert not blame(programs, [])
