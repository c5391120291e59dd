"""kill -9 between any two writes: the champion is a whole adapter, and lineage and adapter go together."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from nightly import BASE, run, said

from journeyman import night_rebuild
from journeyman.registry import certificate, erasure, rebuilding, service
from journeyman.registry.adapters import AdapterDirectory, content_hash
from journeyman.store import Store, open_store

HERE = Path(__file__).parent


def deaths(template: Path, copies: Path, deed: str) -> list[Path]:
    """The stores that a deed leaves when it is killed before each of its writes, and last the one that it finished."""
    places = [str(HERE), str(HERE.parent), *sys.path]
    done = subprocess.run(
        [sys.executable, str(HERE / "dying.py"), str(template), str(copies), f"deeds:{deed}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [copies / str(number) / "day.db" for number in range(int(done.stdout) + 1)]


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A store with two nights, each over one more session."""
    folder = tmp_path / "template"
    folder.mkdir()
    with open_store(folder / "day.db") as store:
        store.add_sessions([said("I planted a walnut", user="ann")])
        one = run(store, "n0")
        store.add_sessions([said("my boat is called Ada", user="bob")])
        run(store, "n1", parent=one)
    return folder


def check_whole(store: Store) -> None:
    """Every adapter that is registered, and not withdrawn, lies there with its lineage, as it was made; the champion is
    one of them, and so are all that it comes from."""
    directory = AdapterDirectory.beside(store)
    known = {each.hash: each for each in store.adapters()}
    for each in known.values():
        if not each.withdrawn_at:
            assert directory.lineage(each.hash)["adapter"] == each.hash == content_hash(directory.path(each.hash))
            assert directory.lineage(each.hash)["night"] == each.night_id
    for path in directory.root.glob("[!.]*"):
        assert directory.lineage(path.name)["adapter"] == path.name, "no adapter without lineage"
    at = store.champion(BASE)
    while at:
        assert at.verdict == "PROMOTE"
        assert not at.withdrawn_at
        at = known[at.parent] if at.parent else None


def test_a_night_is_killed(template: Path, tmp_path: Path) -> None:
    found = deaths(template, tmp_path, "a_night")
    assert len(found) > 15
    served = []
    for path in found:
        with open_store(path) as store:
            check_whole(store)
            champion = store.champion(BASE)
            assert champion
            served.append(champion.night_id)
            ended = {night.key for night in store.nights() if night.result}
            assert (champion.night_id == "n2") == ("n2" in ended), "the verdict and the promotion come together"
            assert {each.night_id for each in store.adapters()} == ended
            AdapterDirectory.beside(store).sweep()
            assert not list((path.parent / "day.db.d").rglob(".new-*"))
    assert served[0] == "n1"
    assert served[-1] == "n2"


def test_changes_of_service_are_killed(template: Path, tmp_path: Path) -> None:
    found = deaths(template, tmp_path, "service_changes")
    histories = []
    for path in found:
        with open_store(path) as store:
            check_whole(store)
            histories.append([(each.why, each.pinned) for each in store.service(BASE)])
            service.rollback(store) if not histories[-1][-1][1] else service.unpin(store)  # and life goes on
    whole = [("night", False)] * 2 + [("rollback", False), ("promote", False), ("pin", True), ("unpin", False)]
    assert histories[-1] == whole
    assert all(history == whole[: len(history)] for history in histories)
    assert {len(history) for history in histories} == {2, 3, 4, 5, 6}


def test_an_erasure_is_killed(template: Path, tmp_path: Path) -> None:
    """All of it, rows and weights and service, or nothing; and what it left on the disk goes with the next one."""
    found = deaths(template, tmp_path, "an_erasure")
    seen = set()
    for path in found:
        with open_store(path) as store:
            check_whole(store)
            champion = store.champion(BASE)
            assert champion
            users = {session.user for session in store.sessions()}
            fell = [each.night_id for each in store.adapters() if each.withdrawn_at]
            done = len(store.erasures()) == 1
            assert (champion.night_id, users, fell) == (("n0", {"ann"}, ["n1"]) if done else ("n1", {"ann", "bob"}, []))
            seen.add((done, done and bool(store.erasures()[0].finished_at)))
            with store.lock("night"):
                erasure.finish(store)
            left = [each.name for each in path.parent.rglob("*") if each.is_file() and b"boat" in each.read_bytes()]
            assert bool(left) != done, left
            assert len(list((path.parent / "day.db.d" / "erasures").glob("*.json"))) == done
            assert not list((path.parent / "day.db.d").glob(".new-*.json"))
    assert seen == {(False, False), (True, False), (True, True)}


def test_a_rebuild_is_killed(template: Path, tmp_path: Path) -> None:
    """Whatever stands is whole, and going on with it ends as if nothing had been: each night is run once."""
    with open_store(template / "day.db") as store:
        store.add_sessions([said("the cat is grey", user="ann")])
        run(store, "n2", parent=store.adapters()[-1].hash)
        with store.lock("night"):
            done = erasure.erase(store, user="bob")
        night_rebuild.ask(store)
        assert store.erasures()[0].rebuild == {"nights": {BASE: ["n1", "n2"]}}
        cat = next(each.id for each in store.sessions() if "cat" in each.turns[0].content)
    found = deaths(template, tmp_path, "a_rebuild")
    assert len(found) > 15
    seen = set()
    for path in found:
        with open_store(path) as store:
            check_whole(store)
            [pending] = night_rebuild.pending(store) or [None]
            made = rebuilding.again(store, done, "n2")
            champion = store.champion(BASE)
            assert champion
            assert (champion.night_id == "n2-anew") == (made is not None), "its verdict and its promotion come together"
            assert pending or made, "it is not done before its nights are"
            seen.add((made is not None, pending is None))
            supplement = night_rebuild.supplement_path(store, done)
            if pending is None:
                body = certificate.check(supplement.read_text())
                assert body["certificate_sha256"] == certificate.digest(done.certificate)
                assert [each["now"] and each["now"]["sessions"] for each in body["nights"]] == [None, [cat]]
    assert seen == {(False, False), (True, False), (True, True)}
