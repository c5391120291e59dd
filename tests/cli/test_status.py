"""`journeyman status` on real stores: what it counts, and what it says needs somebody."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nightly import BASE, run, said

from journeyman.cli import main
from journeyman.nightly import hours
from journeyman.nightly.book import Book
from journeyman.registry import erasure, service
from journeyman.registry.adapters import WEIGHTS
from journeyman.store import Store, open_store

CUT = "bob: night n2 has not ended"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Two tenants: ann's two sessions were read and a third came; bob's night was not ended."""
    monkeypatch.chdir(tmp_path)
    with open_store("journeyman.db") as opened:
        opened.add_sessions([said("I planted a walnut", tenant="ann", user="al"), said("hello", tenant="ann")])
        opened.add_sessions([said("my boat is called Ada", tenant="bob")])
        run(opened, "n1", tenant="ann")
        run(opened, "n2", tenant="bob", ends=False)
        opened.add_sessions([said("the cat is grey", tenant="ann")])
        yield opened


def status(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["status", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def needs(found: dict[str, Any]) -> dict[str, str]:
    return {each["what"]: each["remedy"] for each in found["attention"]}


def just_now(store: Store, **changes: Any) -> None:
    at = hours.written(4e9)
    Book.beside(store).add({"began": at, "ended": at, "tries": 1, "stopped": "", "failed": 0, "nights": [], **changes})


def test_two_tenants(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    found = status(capsys)
    ann, bob = found["tenants"]
    assert (ann["tenant"], ann["sessions"], ann["not_read"], ann["in_service"]) == ("ann", 3, 1, 2)
    assert (bob["tenant"], bob["sessions"], bob["not_read"], bob["in_service"]) == ("bob", 1, 1, 0)
    assert (ann["last_night"]["night"], ann["last_night"]["verdict"]) == ("n1", "PROMOTE")
    assert (bob["last_night"], bob["begun"]) == (None, "n2")
    champion = store.champion(BASE, "ann")
    assert champion
    (serves,) = ann["champions"]
    assert (serves["adapter"], serves["pinned"]) == (champion.hash, False)
    assert bob["champions"] == []
    assert (found["nightly"], found["last_round"], found["erasures_pending"]) == ({"state": "none"}, None, [])
    remedies = needs(found)
    assert remedies[CUT].endswith("night --tenant bob")
    assert remedies["ann: 1 session no night has read yet, and no nightly runs"].endswith("night --tenant ann")
    assert len(remedies) == 2


def test_it_fits_a_screen_and_says_the_same(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(40):
        store.add_sessions([said("good day", tenant=f"t{number}")])
    assert main(["status"]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert ["ann", "3", "1", "2"] in [row[:4] for row in rows]
    assert "and 27 tenants more: --json has all" in out
    assert "! bob: night n2 has not ended\n  try: unless it runs now, go on: " in out


def test_an_empty_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    open_store("journeyman.db").close()
    assert main(["status"]) == 0
    out = capsys.readouterr().out
    assert "nothing is kept yet" in out
    assert "nothing needs you" in out


def test_a_nightly_that_waits_runs_or_died(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    book = Book.beside(store)
    book.set_now(state="waiting", next="2026-11-24T02:00:00+00:00")
    with store.lock("nightly"):
        found = status(capsys)
        assert (found["nightly"]["state"], found["nightly"]["next"]) == ("waiting", "2026-11-24T02:00:00+00:00")
        assert needs(found) == {}, "what is new, or has not ended, is for the next night"
        book.set_now(state="running", began="2026-11-24T02:00:00+00:00", tries=1)
        with store.lock("round"):
            found = status(capsys)
        assert found["nightly"]["state"] == "running"
        assert needs(found) == {}
    found = status(capsys)
    assert found["nightly"]["state"] == "died"
    assert list(needs(found)) == ["a nightly was killed, or stopped, in the middle of a round", CUT]
    book.set_now(state="waiting", next="2026-11-24T02:00:00+00:00")
    assert "a nightly was killed, or stopped, while it waited" in needs(status(capsys))


def test_what_the_last_round_said(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    just_now(store)
    assert needs(status(capsys)) == {}, "somebody sees to it"
    failed = {"tenant": "bob", "state": "failed", "kind": "TrainingError", "error": "it diverged", "remedy": "less"}
    just_now(store, nights=[failed], failed=1, webhook="it answered 500")
    remedies = needs(status(capsys))
    assert remedies["bob: the last night failed: it diverged"] == "less"
    assert "the webhook was not told: it answered 500" in remedies
    just_now(store, stopped="crash", failed=1, tries=3)
    assert any("was killed 3 times" in what for what in needs(status(capsys)))
    assert main(["status"]) == 0
    assert "stopped by crash" in capsys.readouterr().out


def test_what_is_in_service_and_cannot_serve(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    service.pin(store, "champion", "ann")
    champion = store.champion(BASE, "ann")
    assert champion
    newer = run(store, "n3", tenant="ann", parent=champion.hash)
    found = status(capsys)
    assert found["tenants"][0]["champions"][0]["pinned"]
    proved = f"ann: adapter {newer} was proved, and {champion.hash} is pinned"
    assert f"pin --off --tenant ann, and then adapters promote {newer}" in needs(found)[proved]
    files = store.folder / "adapters" / champion.hash
    lost = f"ann: the files of adapter {champion.hash}, which is in service, are gone or changed"
    assert lost not in needs(found)
    (files / WEIGHTS).write_bytes((files / WEIGHTS).read_bytes()[:-1])
    assert lost in needs(status(capsys))
    shutil.rmtree(files)
    assert lost in needs(status(capsys))


def test_an_erasure_that_was_stopped(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cryptography")
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "finish", lambda _store: [])  # as if it had been killed before that
        with store.lock("night"):
            erased = erasure.erase(store, user="al")
    found = status(capsys)
    assert found["erasures_pending"] == [erased.id]
    assert found["tenants"][0]["not_read"] == 2, "what the others' sessions taught is to be learned anew"
    assert found["tenants"][0]["champions"][0]["adapter"] is None
    assert needs(found)[f"erasure {erased.id} has left files or bytes behind"].endswith("erase --resume")
    with store.lock("night"):
        erasure.finish(store)
    assert status(capsys)["erasures_pending"] == []
