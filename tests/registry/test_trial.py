"""A trial: an unproven adapter answers a share of the sessions, and goes by itself if it does harm."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from nightly import BASE, run, said

from journeyman.cli import main
from journeyman.errors import AdapterError, UsageError
from journeyman.records import Exchange, Feedback
from journeyman.registry import erasure, service, shadow, trial
from journeyman.registry.adapters import AdapterDirectory
from journeyman.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "day.db") as opened:
        yield opened


def nights(store: Store, *verdicts: str) -> list[str]:
    """An adapter for each verdict, each from the last that was promoted."""
    hashes: list[str] = []
    parent = None
    for number, verdict in enumerate(verdicts):
        store.add_sessions([said(f"I planted {number} walnuts")])
        hashes.append(run(store, f"n{number}", parent=parent, verdict=verdict))
        parent = hashes[-1] if verdict == "PROMOTE" else parent
    return hashes


def serves(store: Store) -> str:
    champion = store.champion(BASE)
    return champion.hash if champion else ""


def answered(store: Store, number: int) -> tuple[str, bool]:
    """A session, kept as the gateway keeps it: its receipt, and whether the candidate answered."""
    watch = shadow.watch(store, BASE)
    assert watch is not None
    share = watch.share(0.0)
    held_out = watch.holds_out(f"s{number}", share)
    arm = {"of": watch.number, "held_out": held_out, "share": share}
    exchange = Exchange(
        receipt=f"r{number:03}",
        session=f"s{number}",
        request=b"{}",
        started_at="2026-03-16",
        ending="complete",
        details={"adapter": watch.held_out if held_out else watch.adapter, shadow.FIELD: arm},
    )
    store.write_exchanges(closed=[exchange])
    return exchange.receipt, not held_out


def day(store: Store, candidate_is_bad: bool, sessions: int = 60) -> int:
    """Complaints of the one side only, until something ends; how many there were."""
    complaints = 0
    for number in range(sessions):
        receipt, by_candidate = answered(store, number)
        if by_candidate == candidate_is_bad:
            store.add_feedback(Feedback(receipt, rating=0.0))
            complaints += 1
            if shadow.settle(store):
                break
    return complaints


def test_a_trial_leaves_in_service_who_was(store: Store) -> None:
    one, two = nights(store, "PROMOTE", "INSUFFICIENT")
    entry = trial.begin(store, two[:6])
    assert (entry.why, entry.hash, entry.evidence) == ("try", one, {"adapter": two, "share": 0.1})
    assert serves(store) == one
    assert [each.number for each in trial.under_way(store)] == [entry.number]
    assert sum(answered(store, number)[1] for number in range(200)) in range(8, 36)
    assert service.rollback(store).hash == "", "a trial is no step of service"
    assert trial.under_way(store) == []


def test_harm_ends_it(store: Store) -> None:
    one, two = nights(store, "PROMOTE", "INSUFFICIENT")
    trial.begin(store, two, share=0.25)
    assert day(store, candidate_is_bad=True) == 3
    newest = store.service(BASE)[-1]
    assert (newest.why, newest.hash, newest.evidence["adapter"]) == ("harm", one, two)
    assert newest.evidence["e"] >= 20
    assert shadow.watch(store, BASE) is None
    with pytest.raises(AdapterError, match="INSUFFICIENT"):
        service.promote(store, two)


def test_a_better_one_is_reported_and_not_promoted(store: Store) -> None:
    _, two = nights(store, "PROMOTE", "INSUFFICIENT")
    entry = trial.begin(store, two, share=0.5)
    day(store, candidate_is_bad=False)
    found = trial.counted(store, entry)
    assert found is not None
    assert not found.harmful
    assert found.to_json()["e_better"] >= 20
    assert serves(store) != two
    with pytest.raises(AdapterError, match="INSUFFICIENT"):
        service.promote(store, two)
    ended = trial.end(store)
    assert (ended.why, ended.evidence["bad"]) == ("tried", 0)
    assert ended.evidence["held_out_bad"] > 0


def test_the_base_may_be_in_service(store: Store) -> None:
    (one,) = nights(store, "INSUFFICIENT")
    assert trial.begin(store, one).hash == ""
    assert day(store, candidate_is_bad=True) == 2, "on a tenth of the sessions two in a row are enough"
    assert [each.why for each in store.service(BASE)] == ["try", "harm"]
    assert serves(store) == ""


def test_who_comes_into_service_ends_it(store: Store) -> None:
    one, two = nights(store, "PROMOTE", "INSUFFICIENT")
    trial.begin(store, two)
    store.add_sessions([said("my boat is called Ada")])
    three = run(store, "n9", parent=one)
    assert serves(store) == three
    assert trial.under_way(store) == []
    with pytest.raises(AdapterError, match="no adapter is on trial"):
        trial.end(store)


def test_what_cannot_be_tried(store: Store) -> None:
    one, two, three = nights(store, "PROMOTE", "REJECT", "INSUFFICIENT")
    with pytest.raises(AdapterError, match="rejected"):
        trial.begin(store, two)
    with pytest.raises(AdapterError, match="in service already"):
        trial.begin(store, one)
    for share in (0.0, 1e-17, 0.6, float("nan")):
        with pytest.raises(UsageError, match="not a share"):
            trial.begin(store, three, share=share)
    service.pin(store, "champion")
    with pytest.raises(AdapterError, match="pinned"):
        trial.begin(store, three)
    assert [each.why for each in store.service(BASE)] == ["night", "pin"]


def test_what_an_erasure_withdraws_is_tried_no_longer(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = nights(store, "PROMOTE", "INSUFFICIENT")
    entry = trial.begin(store, two)
    (last,) = next(each.spec["sessions"] for each in store.nights() if each.key == "n1")
    erasure.erase(store, session=last)
    assert shadow.watch(store, BASE) is None
    assert [(each.why, each.hash) for each in store.service(BASE)] == [("night", one), ("try", one), ("erasure", one)]
    assert trial.under_way(store) == []
    with pytest.raises(AdapterError, match="no adapter is on trial"):
        trial.end(store)
    with pytest.raises(AdapterError, match="withdrawn"):
        trial.begin(store, two)
    assert main(["adapters", "show", two, "--json", "--store", str(tmp_path / "day.db")]) == 0
    (tried,) = json.loads(capsys.readouterr().out)["trials"]
    assert (tried["from"], tried["ended"], bool(tried["to"])) == (entry.at, "erasure", True)


def test_one_is_tried_at_a_time(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody's trial ends because somebody begins, or means to end, another one."""
    _, two, three = nights(store, "PROMOTE", "INSUFFICIENT", "INSUFFICIENT")
    entry = trial.begin(store, two)
    for name in (two, three):
        with pytest.raises(AdapterError, match=f"{two} is on trial"):
            trial.begin(store, name)
    with pytest.raises(AdapterError, match=f"no adapter {three} is on trial"):
        trial.end(store, name=three)
    assert trial.under_way(store) == [entry]
    assert main(["adapters", "try", two[:6], "--off", "--store", str(tmp_path / "day.db")]) == 0
    assert trial.under_way(store) == []


def test_what_was_counted_is_known_however_it_ended(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, two = nights(store, "PROMOTE", "INSUFFICIENT")
    trial.begin(store, two, share=0.5)
    sides = [answered(store, number) for number in range(12)]
    store.add_feedback(Feedback(next(receipt for receipt, by_candidate in sides if by_candidate), rating=0.0))
    service.pin(store, "champion")
    assert main(["adapters", "show", two, "--json", "--store", str(tmp_path / "day.db")]) == 0
    (tried,) = json.loads(capsys.readouterr().out)["trials"]
    assert (tried["ended"], tried["evidence"]["bad"]) == ("pin", 1)
    assert tried["evidence"]["sessions"] == sum(by_candidate for _, by_candidate in sides)
    assert main(["adapters", "show", two, "--store", str(tmp_path / "day.db")]) == 0
    assert "(pin), share 0.5\n  marked bad: 1 of " in capsys.readouterr().out


def test_one_whose_files_are_gone_is_not_tried_and_missed_on_trial(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No server could load it: it would answer nobody, and nothing would say so."""
    _, two = nights(store, "PROMOTE", "INSUFFICIENT")
    trial.begin(store, two)
    shutil.rmtree(AdapterDirectory.beside(store).path(two))
    assert main(["status", "--json", "--store", str(tmp_path / "day.db")]) == 0
    (said,) = json.loads(capsys.readouterr().out)["attention"]
    assert f"{two}, which is on trial, are gone" in said["what"]
    trial.end(store)
    with pytest.raises(AdapterError, match="cannot be read"):
        trial.begin(store, two)


def test_a_nightly_and_the_status_tell_what_ended(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That is no rollback: who was in service has been so all the time."""
    one, two = nights(store, "PROMOTE", "INSUFFICIENT")
    trial.begin(store, two)
    for number in range(60):
        receipt, by_candidate = answered(store, number)
        if by_candidate:
            store.add_feedback(Feedback(receipt, rating=0.0))
    where = ["--store", str(tmp_path / "day.db")]
    assert main(["nightly", "--once", "--model", str(tmp_path / "none"), *where]) == 0, "nobody has anything new"
    assert f"of no tenant: the trial of adapter {two} was ended" in capsys.readouterr().out
    assert main(["status", "--json", *where]) == 0
    found = json.loads(capsys.readouterr().out)
    (champion,) = found["tenants"][0]["champions"]
    assert (champion["adapter"], champion["since"]) == (one, store.service(BASE)[0].at)
    (said,) = found["attention"]
    assert "takes over" not in said["remedy"]


def test_commands_tell_of_it(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = nights(store, "PROMOTE", "INSUFFICIENT")
    where = ["--store", str(tmp_path / "day.db")]
    assert main(["adapters", "try", *where]) == 2
    assert main(["adapters", "try", two, "--share", "2", *where]) == 2
    assert capsys.readouterr().err.count("try: ") == 2
    assert main(["adapters", "try", two[:8], "--share", "0.25", *where]) == 0
    assert f"{two} answers 0.25 of the sessions, {one} stays in service" in capsys.readouterr().out
    answered(store, 0)
    assert main(["adapters", "list", "--json", *where]) == 0
    states = {each["hash"]: each["state"] for each in json.loads(capsys.readouterr().out)["adapters"]}
    assert states == {one: "in service", two: "on trial"}
    assert main(["adapters", "show", two, "--json", *where]) == 0
    (tried,) = json.loads(capsys.readouterr().out)["trials"]
    assert (tried["share"], tried["to"], tried["evidence"]["adapter"]) == (0.25, "", two)
    assert main(["status", "--json", *where]) == 0
    (champion,) = json.loads(capsys.readouterr().out)["tenants"][0]["champions"]
    assert (champion["adapter"], champion["trial"]["adapter"]) == (one, two)
    assert main(["status", *where]) == 0
    assert "on trial" in capsys.readouterr().out
    assert main(["adapters", "try", "--off", *where]) == 0
    assert f"the trial of {two} has ended" in capsys.readouterr().out
    assert main(["adapters", "show", two, *where]) == 0
    assert "(tried), share 0.25" in capsys.readouterr().out
    assert main(["adapters", "history", *where]) == 0
    assert f"{two} answers 0.25 of the sessions" in capsys.readouterr().out
    assert main(["adapters", "try", "--off", *where]) == 1
