"""The ledger: each token has one fate, and the one that its session really had."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from days import ASKS, BEGINNING, Ask, exchanges
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman import ledger
from journeyman.capture import conversations
from journeyman.ledger import Ledger, generated, moment
from journeyman.ledger.fates import IN_SERVICE
from journeyman.records import AdapterRecord, Lesson, Session, Situation, Turn
from journeyman.registry.adapters import LEARNING
from journeyman.store import Store, open_store

BASE = "base"


def end_a_night(
    store: Store,
    key: str,
    routes: Mapping[str, Sequence[str]],
    verdict: str = "PROMOTE",
    *,
    tenant: str = "",
    heldout: Collection[str] = (),
    crowded: Collection[str] = (),
    parent: str = "",
    recorded: bool = True,
) -> None:
    """A night over the tenant's sessions of today: by session, the routes of the questions about its lesson;
    `recorded`: with the receipts of their answers, as nights do since there is a ledger."""
    kept = conversations.kept(store, *LEARNING, tenant=tenant)
    lessons = {each.session.id: Lesson(f"about {each.session.id}", each.session.id, 0) for each in kept}
    asked = {
        (id, number): Situation("ask", f"question {number} about {id}?", lessons[id].id, "red")
        for id, found in routes.items()
        for number in range(len(found))
    }
    held = [Situation("ask", f"held out about {id}?", lessons[id].id, "red") for id in heldout]
    sources = {
        each.session.id: {
            "statements": int(each.session.id in (*routes, *heldout, *crowded)),
            "receipts": each.receipts,
        }
        for each in kept
    }
    outputs: dict[str, Any] = {
        "extract lessons": {
            "statements": len(kept),
            "facts": [{"lesson": lessons[id].to_json()} for id in {*routes, *heldout}],
            **({"sources": sources} if recorded else {}),
        },
        "dream situations": {"train": [s.to_json() for s in asked.values()], "heldout": [s.to_json() for s in held]},
        "measure lift": {"lifts": {s.id: {"route": routes[id][number]} for (id, number), s in asked.items()}},
    }
    store.begin_night(key, {"sessions": [each.session.id for each in kept]}, tenant)
    for number, (name, output) in enumerate(outputs.items(), 1):
        store.commit_phase(key, name, output, 1.0, 1.0, 100 * number)
    trained = any(route in ("opsd", "replay") for found in routes.values() for route in found)
    adapter = AdapterRecord(f"{key}adapter", BASE, key, verdict, parent, tenant=tenant) if trained else None
    result = {"verdict": verdict if trained else "NOTHING_TO_LEARN", "adapter": adapter.hash if adapter else None}
    store.finish_night(key, result, adapter, promote=trained and verdict == "PROMOTE")


def ids(store: Store, tenant: str = "") -> dict[str, str]:
    """The id that each conversation has today, by its name."""
    return {each.key: each.id for each in conversations.sessions(store, *LEARNING, tenant=tenant)}


def fates(found: Ledger) -> dict[str, tuple[str, str]]:
    return {each.receipt or each.session: (each.fate, each.why) for each in found.entries if each.kind != "choices"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "day.db")


ROUTES = st.lists(st.sampled_from(["opsd", "replay", "already known", "lesson does not help"]), max_size=3)


@settings(deadline=None, max_examples=60)
@given(
    days=st.dictionaries(st.sampled_from(["", "ann", "bob"]), st.lists(ASKS, min_size=1, max_size=7), min_size=1),
    nights=st.lists(st.tuples(st.lists(ROUTES, max_size=4), st.sampled_from(["PROMOTE", "REJECT"]), st.integers(0, 9))),
    data=st.data(),
)
def test_the_fates_share_out_every_token(days: dict[str, list[Ask]], nights: list[Any], data: st.DataObject) -> None:
    with TemporaryDirectory() as folder, open_store(Path(folder) / "day.db") as store:
        day = [each for tenant, asks in days.items() for each in exchanges(asks, tenant)]
        store.write_exchanges(closed=day)
        store.add_sessions([Session((Turn("user", "hello"), Turn("assistant", "Good day.")), tenant=next(iter(days)))])
        for number, (routes, verdict, seed) in enumerate(nights[:3]):
            tenant = data.draw(st.sampled_from(sorted(days)))
            mine = list(ids(store, tenant).values())
            random.Random(seed).shuffle(mine)
            end_a_night(
                store, f"n{number}", dict(zip(mine, routes, strict=False)), verdict, tenant=tenant, heldout=mine[-1:]
            )
        found = ledger.read(store)
        answers = [each for each in found.entries if each.kind == "answer"]
        assert sorted(each.receipt for each in answers) == sorted(each.receipt for each in day)
        total = sum(generated(each) or 0 for each in day)
        assert sum(line.tokens for line in found.lines) == found.tokens == total
        assert sum(line.answers for line in found.lines) == len(day)
        assert sum(line.imported for line in found.lines) == 1
        parts = [ledger.read(store, tenant) for tenant in days]
        assert [each for part in parts for each in part.entries] == sorted(
            found.entries, key=lambda entry: list(days).index(entry.tenant)
        )
        assert all(each.why and each.tenant in days for each in found.entries)
        assert found.nights == len(nights[:3])
        assert sum(found.night_tokens.values()) == 600 * len(nights[:3])


def test_a_fate_for_each_thing_that_can_happen(store: Store) -> None:
    asks = [
        Ask(tokens=1),  # trained
        Ask(after=0, said=2, tokens=2),  # goes on from it
        Ask(said=3, tokens=4),  # held out
        Ask(said=2, tokens=8),  # only dreamt of
        Ask(said=0, tokens=16),  # no lesson
        Ask(said=0, reply=0, tokens=32),  # no room for its lesson
        Ask(purposes=("serve",), reply=2, said=4, tokens=64),
        Ask(ending="cut by client", reply=4, tokens=None),
        Ask(ending="open", tokens=None),
    ]
    store.write_exchanges(closed=exchanges(asks))
    store.add_sessions([Session((Turn("user", "hello"), Turn("assistant", "Good day.")))])
    before = fates(ledger.read(store))
    assert before["r0"] == before["r4"] == ("waiting", "its tenant has had no night yet")
    named = ids(store)
    (imported,) = [each.id for each in store.sessions()]
    end_a_night(
        store,
        "n1",
        {named["s0"]: ["already known", "opsd"], named["s3"]: ["already known"], imported: ["replay"]},
        heldout=[named["s2"], named["s0"]],
        crowded=[named["s5"]],
    )
    found = ledger.read(store)
    assert fates(found) == {
        "r0": ("gradient", IN_SERVICE),
        "r1": ("gradient", IN_SERVICE),
        "r2": ("evaluation", "held out for the gate to judge by"),
        "r3": ("dream", "no question about it was worth training"),
        "r4": ("bin", "no lesson was found in it"),
        "r5": ("bin", "a night had no room for its lessons"),
        "r6": ("bin", "its consent lacks train and dream"),
        "r7": ("bin", "cut by client before there was an answer"),
        "r8": ("waiting", "still being answered"),
        imported: ("gradient", IN_SERVICE),
    }
    assert found.in_service == pytest.approx(3 / 127)
    total = found.to_json()
    assert (total["tokens"], total["answers"], total["uncounted"], total["prompt_tokens"]) == (127, 9, 2, 1270)
    assert (total["lines"][0]["fate"], total["lines"][0]["tokens"]) == ("gradient", 3)
    (mine,) = [each for each in found.entries if each.kind == "imported"]
    assert (mine.tokens, mine.turns, mine.characters, mine.adapters) == (None, 1, len("Good day."), ("n1adapter",))


def test_what_a_night_learnt_stays_learnt_when_the_conversation_goes_on(store: Store) -> None:
    first, on = exchanges([Ask(), Ask(after=0, said=2)])
    store.write_exchanges(closed=[first])
    end_a_night(store, "n1", {ids(store)["s0"]: ["opsd"]})
    store.write_exchanges(closed=[on])
    assert fates(ledger.read(store)) == {
        "r0": ("gradient", IN_SERVICE),
        "r1": ("waiting", "the next night will read it"),
    }


def test_a_night_from_before_there_was_a_ledger_is_read_too(store: Store) -> None:
    store.write_exchanges(closed=exchanges([Ask(), Ask(said=3)]))
    end_a_night(store, "n1", {ids(store)["s0"]: ["opsd"]}, recorded=False)
    assert fates(ledger.read(store)) == {"r0": ("gradient", IN_SERVICE), "r1": ("bin", "no lesson was found in it")}


def test_a_refused_adapter_a_second_try_and_a_rollback(store: Store) -> None:
    store.write_exchanges(closed=exchanges([Ask()]))
    (id,) = ids(store).values()
    end_a_night(store, "n1", {id: ["opsd"]}, "REJECT")
    assert fates(ledger.read(store))["r0"] == ("bin", "learnt, but the gate did not promote the adapter")
    end_a_night(store, "n2", {id: ["opsd"]})
    end_a_night(store, "n3", {id: ["already known"]}, parent="n2adapter")
    (entry,) = ledger.read(store).entries
    assert (entry.fate, entry.why, entry.adapters) == ("gradient", IN_SERVICE, ("n1adapter", "n2adapter"))
    store.set_champion(BASE, None)
    found = ledger.read(store)
    assert fates(found)["r0"] == ("gradient", "what it taught is no longer in service")
    assert found.in_service == 0


def test_what_the_one_in_service_descends_from_is_in_service(store: Store) -> None:
    store.write_exchanges(closed=exchanges([Ask()]))
    end_a_night(store, "n1", {ids(store)["s0"]: ["opsd"]})
    store.write_exchanges(closed=exchanges([Ask(), Ask(said=3)])[1:])
    end_a_night(store, "n2", {ids(store)["s1"]: ["opsd"]}, parent="n1adapter")
    assert set(fates(ledger.read(store)).values()) == {("gradient", IN_SERVICE)}


def test_a_night_that_has_not_ended_has_made_nothing_yet(store: Store) -> None:
    store.write_exchanges(closed=exchanges([Ask()]))
    store.begin_night("n1", {"sessions": list(ids(store).values())})
    store.commit_phase("n1", "extract lessons", {"statements": 1, "facts": []}, 1, 1, 9)
    found = ledger.read(store)
    assert fates(found)["r0"][0] == "waiting"
    assert (found.nights, found.night_tokens) == (1, {"extract lessons": 9})


@pytest.mark.parametrize(
    ("ask", "parts"),
    [
        (Ask(tokens=30, ids=10, n=3), {"answer": 10, "choices": 20}),
        (Ask(tokens=30, n=3), {"answer": None, "choices": 30}),
        (Ask(tokens=30, ids=30), {"answer": 30}),
        (Ask(tokens=None, ids=12), {"answer": 12}),
        (Ask(tokens=None), {"answer": None}),
        (Ask(tokens=None, ending="refused"), {"answer": 0}),
    ],
)
def test_only_the_choice_that_is_kept_shares_its_sessions_fate(store: Store, ask: Ask, parts: dict[str, int]) -> None:
    store.write_exchanges(closed=exchanges([ask]))
    found = ledger.read(store).entries
    assert {each.kind: each.tokens for each in found} == parts
    assert [each.fate for each in found[1:]] == ["bin"] * (len(parts) - 1)


def test_the_engines_other_ways_to_count(store: Store) -> None:
    (chat,) = exchanges([Ask(tokens=None)])
    for usage, expected in (
        ({"output_tokens": 5, "input_tokens": 6}, 5),
        ({"completion_tokens": None}, None),
        ({"completion_tokens": True}, None),
        ({"completion_tokens": -1}, None),
        ("many", None),
    ):
        chat.details["usage"] = usage
        assert generated(chat) == expected


def test_since_a_day(store: Store) -> None:
    store.write_exchanges(closed=exchanges([Ask(tokens=1), Ask(after=0, said=2, tokens=2)]))
    told = (Turn("assistant", "hi"),)
    times = ("", "2026-03-17", "last week", "2026-03-15T12:00:00+02:00")
    store.add_sessions([Session(told, key=time, started_at=time) for time in times])
    end_a_night(store, "n1", {ids(store)["s0"]: ["opsd"]})
    found = ledger.read(store, since=moment("2026-03-16T00:01"))
    assert [(each.kind, each.tokens, each.fate) for each in found.entries] == [
        ("answer", 2, "gradient"),
        ("imported", None, "bin"),
    ]
    assert found.nights == 1
    assert ledger.read(store, since=moment("2126-01-01")) == Ledger()
    assert moment("2026-03-16") == BEGINNING
