"""A champion that does harm is rolled back by itself; one that does none is left where it is."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from nightly import BASE, run, said

from journeyman.cli import main
from journeyman.records import Exchange, Feedback, Outcome
from journeyman.registry import service, shadow
from journeyman.registry.shadow import Watch
from journeyman.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "day.db") as opened:
        yield opened


def promoted(store: Store, tenant: str = "") -> list[str]:
    hashes: list[str] = []
    for number, words in enumerate(("I planted a walnut", "my boat is called Ada")):
        store.add_sessions([said(words, tenant)])
        hashes.append(run(store, f"{tenant}n{number}", tenant=tenant, parent=hashes[-1] if hashes else None))
    return hashes


def watched(store: Store, tenant: str = "") -> Watch:
    found = shadow.watch(store, BASE, tenant)
    assert found is not None
    return found


def answer(store: Store, watch: Watch, session: str, share: float = 0.5, key: str = "") -> tuple[str, bool]:
    """As the gateway keeps it: its receipt, and whether the session is held out."""
    held_out = watch.holds_out(session, share)
    arm = {"of": watch.number, "held_out": held_out, "share": share}
    adapter = watch.held_out if held_out else watch.adapter
    exchange = Exchange(
        receipt=f"r-{watch.tenant}-{session}",
        session=session,
        request=b"{}",
        started_at="2026-03-16",
        tenant=watch.tenant,
        key=key,
        ending="complete",
        details={"adapter": adapter, shadow.FIELD: arm},
    )
    store.write_exchanges(closed=[exchange])
    return exchange.receipt, held_out


def day(store: Store, champion: float, held_out: float, sessions: int = 60, seed: int = 0, share: float = 0.5) -> int:
    """Sessions that are complained of at these rates, until there is a rollback; how many there were."""
    rng, watch = random.Random(seed), watched(store)
    for number in range(sessions):
        receipt, side = answer(store, watch, f"{seed}-{number}", share)
        if rng.random() < (held_out if side else champion):
            store.add_feedback(Feedback(receipt, rating=0.0))
            if shadow.settle(store):
                return number + 1
    return sessions


def test_harm_is_rolled_back_with_what_was_counted(store: Store) -> None:
    one, two = promoted(store)
    assert day(store, champion=0.8, held_out=0.05) < 60
    newest = store.service(BASE)[-1]
    assert (newest.hash, newest.why, newest.pinned) == (one, "harm", False)
    found = newest.evidence
    assert (found["adapter"], found["held_out"], found["alpha"]) == (two, one, 0.05)
    assert found["e"] >= 20
    assert 0 < found["bad"] <= found["sessions"]
    assert found["held_out_bad"] <= found["held_out_sessions"]
    assert shadow.watch(store, BASE) is None
    assert shadow.settle(store) == []
    assert service.rollback(store).hash == "", "it has gone from the stack of service: below is the base"


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_what_does_no_harm_stays(store: Store, share: float) -> None:
    """Over several seeds, of which the first rolled back would show in all that follow."""
    _, two = promoted(store)
    for seed in range(5):
        assert day(store, champion=0.3, held_out=0.3, sessions=30, seed=seed, share=share) == 30
    champion = store.champion(BASE)
    assert champion is not None
    assert champion.hash == two


def test_where_the_champion_is_better_nothing_happens(store: Store) -> None:
    promoted(store)
    assert day(store, champion=0.05, held_out=0.8) == 60


def test_without_a_bad_word_there_is_no_evidence(store: Store) -> None:
    promoted(store)
    watch = watched(store)
    for number in range(20):
        receipt, _ = answer(store, watch, str(number))
        store.add_feedback(Feedback(receipt, rating=1.0))
    found = shadow.counted(store, watch)
    assert (found.bad, found.held_out_bad, found.log_e) == (0, 0, pytest.approx(0.0))
    assert (found.sessions or 0) + (found.held_out_sessions or 0) == 20
    assert shadow.harm(store, BASE) is None


def test_a_session_counts_once_and_only_under_this_promotion(store: Store) -> None:
    promoted(store)
    watch = watched(store)
    session = next(str(n) for n in range(99) if not watch.holds_out(str(n), 0.5))
    receipt, _ = answer(store, watch, session, key="order-1")
    store.add_feedback(Feedback(receipt, rating=0.0))
    store.add_feedback(Feedback(receipt, correction="no"))
    store.add_outcome(Outcome("false", key="order-1"))
    older = Watch(watch.tenant, watch.base, watch.number - 1, watch.adapter, watch.held_out)
    other, _ = answer(store, older, "before")
    store.add_feedback(Feedback(other, rating=0.0))
    found = shadow.counted(store, watch)
    assert (found.sessions, found.bad) == (1, 1)


@pytest.mark.parametrize(
    ("remark", "bad"),
    [
        (Feedback("r", rating=0.0), True),
        (Feedback("r", rating=-1.0), True),
        (Feedback("r", rating=1.0), False),
        (Feedback("r", rating=1.0, correction="I am vegetarian."), True),
        (Feedback("r", better="The bean stew."), True),
        (Feedback("r", tags=("food",)), False),
        (Outcome("false", "r"), True),
        (Outcome("0.4", "r"), True),
        (Outcome("true", "r"), False),
        (Outcome("1", "r"), False),
        (Outcome('"returned"', "r"), False),
        (Outcome("null", "r"), False),
    ],
)
def test_what_counts_as_a_bad_word(remark: Feedback | Outcome, bad: bool) -> None:
    assert shadow.is_bad(remark) == bad


def test_sessions_are_drawn_by_tenant_promotion_and_name() -> None:
    one = Watch("ann", BASE, 3, "two", "one")
    names = [f"s{number}" for number in range(2000)]
    sides = [one.holds_out(name, 0.1) for name in names]
    assert 150 < sum(sides) < 250
    assert [one.holds_out(name, 0.1) for name in names] == sides
    for other in (Watch("bob", BASE, 3, "two", "one"), Watch("ann", BASE, 4, "two", "one")):
        both = sum(side and other.holds_out(name, 0.1) for side, name in zip(sides, names, strict=True))
        assert both < 50, "the other draw has nothing to do with this one"
    assert all(one.holds_out(name, 0.5) for name, side in zip(names, sides, strict=True) if side)


def test_a_pinned_champion_is_not_watched_and_tenants_are_apart(store: Store) -> None:
    promoted(store)
    ann = promoted(store, "ann")
    assert watched(store, "ann").held_out == ann[0]
    service.pin(store, "champion", "ann")
    assert shadow.watch(store, BASE, "ann") is None
    day(store, champion=0.9, held_out=0.0)
    assert store.service(BASE, "ann")[-1].hash == ann[1]
    assert store.service(BASE, "")[-1].why == "harm"


def test_whoever_changed_service_meanwhile_is_not_overruled(store: Store) -> None:
    promoted(store)
    watch = watched(store)
    for number in range(40):
        receipt, held_out = answer(store, watch, str(number))
        if not held_out:
            store.add_feedback(Feedback(receipt, rating=0.0))
    found = shadow.harm(store, BASE)
    assert found is not None
    service.pin(store, "champion")
    assert shadow.roll_back(store, BASE, "", found) is None
    assert store.service(BASE)[-1].why == "pin"


def test_people_are_told(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, two = promoted(store)
    where = ["--store", str(tmp_path / "day.db")]
    watch = watched(store)
    for number in range(40):
        receipt, held_out = answer(store, watch, str(number))
        if not held_out:
            code = main(["feedback", receipt, "--rating", "0", *where])
            assert code == 0
    out = capsys.readouterr().out
    assert f"adapter {two} was rolled back: marked bad: 7 of " in out
    assert main(["adapters", "history", *where]) == 0
    out = capsys.readouterr().out
    assert "  harm" in out
    assert "e-value 31.9, 20 was enough" in out
    assert main(["adapters", "show", two, *where]) == 0
    assert "(harm)" in capsys.readouterr().out
    assert main(["status", "--json", *where]) == 0
    said = [each["what"] for each in json.loads(capsys.readouterr().out)["attention"]]
    assert any(f"adapter {two} was rolled back, as it did harm" in each for each in said)


def test_a_remark_reads_no_answer_and_nothing_that_was_said_of_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(store)
    watch = watched(store)
    for number in range(40):
        receipt, held_out = answer(store, watch, str(number))
        if not held_out:
            store.add_feedback(Feedback(receipt, rating=0.0))
    for reading in ("exchanges", "feedback", "outcomes"):
        monkeypatch.delattr(f"journeyman.store.captured.Captured.{reading}")
    found = shadow.harm(store, BASE)
    assert found is not None
    assert (found.bad, found.held_out_bad) == (found.sessions, 0)
    assert (found.sessions or 0) + (found.held_out_sessions or 0) == 40
