"""What fell is made anew without what was erased, and a third party can check what is said of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from short_nights import Progress, killed_in, pass_all, shorten

from journeyman import night_rebuild
from journeyman.cli import main
from journeyman.errors import InputError, UsageError
from journeyman.night import NightOptions, night
from journeyman.records import Session, Turn
from journeyman.registry import certificate, erasure
from journeyman.registry.adapters import AdapterDirectory
from journeyman.store import Store, open_store

SMALL = NightOptions(facts=6, wordings=3, steps=3, rows=4, anchor_rows=2, rank=2)
ANN = "My name is Rosa and I live in Trieste. The plumber charged me $85 for the kitchen tap."
BOB = "My brother Tom plays the cello in an orchestra called Northlight. We rehearse at the old tram depot."
EVE = "The warranty for the lamp lasts 19 months. I keep the receipt in the blue folder under my desk."


def quick(patch: pytest.MonkeyPatch) -> None:
    shorten(patch)
    pass_all(patch)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, tiny_directory: Path) -> tuple[Path, dict[str, Any]]:
    """A store with a night over what ann and bob said, and the night's result."""
    folder = tmp_path_factory.mktemp("taught")
    with pytest.MonkeyPatch.context() as patch, open_store(folder / "day.db") as store:
        quick(patch)
        return folder, run(store, tiny_directory, session("ann", ANN), session("bob", BOB))


@pytest.fixture
def first(taught: tuple[Path, dict[str, Any]], tmp_path: Path) -> dict[str, Any]:
    """The same night, in a store of this test's own: `tmp_path / "day.db"`."""
    shutil.copytree(taught[0], tmp_path, dirs_exist_ok=True)
    return taught[1]


def session(user: str, words: str) -> Session:
    return Session((Turn("user", words),), user=user)


def run(store: Store, model: Path, *said: Session) -> dict[str, Any]:
    store.add_sessions(said)
    return night(store, str(model), options=SMALL)


def rebuilt(store: Store, model: str = "", **asked: str) -> tuple[Any, dict[str, Any]]:
    again = night_rebuild.Rebuild(store, model)
    done = again.erase(**asked)
    return done, again.finish(done.id)["certificate"]


def test_what_is_made_is_what_would_have_been_without_the_erased(
    first: dict[str, Any], tiny_directory: Path, tmp_path: Path
) -> None:
    with open_store(tmp_path / "never.db") as store:
        never = run(store, tiny_directory, session("ann", ANN))
    with open_store(tmp_path / "day.db") as store:
        done, body = rebuilt(store, user="bob")
        base = first["model"]["fingerprint"]
        champion = store.champion(base)
        assert champion
        assert champion.hash == never["adapter"], "bit for bit"
        assert body["service"] == [
            {"base": base, "was": first["adapter"], "erased_to": "base", "now": never["adapter"]},
        ]
        [[was, now]] = [[each["was"], each["now"]] for each in body["nights"]]
        assert (was["night"], was["adapter"]) == (first["night"], first["adapter"])
        assert (now["adapter"], now["verdict"]) == (never["adapter"], "PROMOTE")
        assert now["sessions"] == [session("ann", ANN).id]
        assert body["certificate_sha256"] == certificate.digest(done.certificate)
        [found] = body["recall"]
        for name in ("erased", "kept"):
            asked = found[name]["questions"]
            assert all(0 <= found[name][who] <= asked for who in ("base", "fallen", "replacement"))
        assert found["erased"]["questions"] > 0
        assert 0 < found["erased"]["p_above_base"] <= 1
        assert night_rebuild.pending(store) == []
        assert again_is_the_same(store, done.id, body)
    everything = [each for each in tmp_path.rglob("day.db*/**/*") if each.is_file()]
    everything += list(tmp_path.glob("day.db*"))
    left = [each for each in everything if each.is_file() and b"Northlight" in each.read_bytes()]
    assert left == [], "neither in a certificate nor anywhere else"


def again_is_the_same(store: Store, id: str, body: dict[str, Any]) -> bool:
    nights = len(store.nights())
    return night_rebuild.Rebuild(store).finish(id)["certificate"] == body and len(store.nights()) == nights


def test_a_line_of_nights_is_run_in_order_from_the_last_clean_adapter(tiny_directory: Path, tmp_path: Path) -> None:
    with open_store(tmp_path / "day.db") as store:
        one = run(store, tiny_directory, session("ann", ANN))
        shutil.copytree(tmp_path, tmp_path / "never")
    with open_store(tmp_path / "never" / "day.db") as store:
        never = run(store, tiny_directory, session("eve", EVE))
        assert never["replayed"]["rows"] > 0
    with open_store(tmp_path / "day.db") as store:
        run(store, tiny_directory, session("bob", BOB))
        three = run(store, tiny_directory, session("eve", EVE))
        done, body = rebuilt(store, user="bob")
        champion = store.champion(one["model"]["fingerprint"])
        assert champion
        assert done.service[0][1:] == (three["adapter"], one["adapter"])
        assert [each["now"] and each["now"]["sessions"] for each in body["nights"]] == [None, [session("eve", EVE).id]]
        assert champion.parent == one["adapter"]
        assert champion.hash == never["adapter"], "bit for bit, with what it repeats of the night before"
        lineage = AdapterDirectory.beside(store).lineage(champion.hash)
        assert lineage["rebuilds"] == {"erasure": done.id, "night": three["night"]}
        assert body["recall"][0]["erased"]["fallen"] <= body["recall"][0]["erased"]["questions"]


@pytest.mark.usefixtures("first")
def test_a_killed_rebuild_is_gone_on_with_and_says_what_nobody_could_ask(tmp_path: Path) -> None:
    with open_store(tmp_path / "day.db") as store:
        done = night_rebuild.Rebuild(store).erase(user="bob")  # and then it was killed
        assert [each.id for each in night_rebuild.pending(store)] == [done.id]
        [heard] = store.erasures()[0].rebuild["recall"].values()
        body = night_rebuild.Rebuild(store).finish(done.id)["certificate"]
        [found] = body["recall"]
        assert found["why"] == night_rebuild.NOBODY
        assert {name: found[name] for name in heard} == heard, "base and fallen adapter had been asked"
        assert "replacement" not in found["erased"]
        assert body["nights"][0]["now"]["heldout"]["n"] >= 0


@pytest.mark.usefixtures("first")
def test_another_model_is_missed_before_anything_is_erased(tiny_qwen_directory: Path, tmp_path: Path) -> None:
    with open_store(tmp_path / "day.db") as store:
        with pytest.raises(UsageError, match="made for another model"):
            rebuilt(store, str(tiny_qwen_directory), user="bob")
        assert (store.count_sessions(), store.erasures()) == (2, [])


@pytest.mark.usefixtures("first")
def test_the_command_erases_rebuilds_and_lets_anybody_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "day.db").rename("journeyman.db")
    (tmp_path / "day.db.d").rename("journeyman.db.d")
    assert main(["erase", "--user", "bob", "--rebuild", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    paths = [done["path"], done["supplement_path"]]
    assert "follows" in done["certificate"]["supplement"]
    assert main(["erase", "--check", *paths, "--signed-by", done["public_key"]]) == 0
    shown = capsys.readouterr().out
    assert f"in the place of adapter {done['certificate']['adapters'][0]['hash']}" in shown
    assert "questions about what was erased; right: base" in shown
    assert main(["erase", "--check", *paths, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["certificates"]) == 2

    assert main(["erase", "--user", "ann", "--json"]) == 0  # another certificate, with the same key
    other = json.loads(capsys.readouterr().out)["path"]
    assert main(["erase", "--check", other, paths[1]]) == 1
    assert "another certificate" in capsys.readouterr().err
    changed = json.loads(Path(paths[1]).read_text())
    changed["certificate"]["recall"][0]["erased"]["replacement"] = 0
    changed["certificate"]["recall"][0]["erased"]["questions"] += 1
    with pytest.raises(InputError, match="somebody changed it"):
        certificate.check(json.dumps(changed))
    assert main(["erase", "--resume", "--rebuild"]) == 0
    assert "rebuilt.json" in capsys.readouterr().out, "what was not asked for then"
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rebuilds_pending"] == []


def test_what_taught_no_adapter_needs_no_rebuild(tmp_path: Path) -> None:
    with open_store(tmp_path / "day.db") as store:
        store.add_sessions([session("ann", ANN)])
        done = night_rebuild.Rebuild(store).erase(user="ann")
        assert (done.rebuild, night_rebuild.pending(store)) == ({}, [])
        assert "supplement" not in done.certificate["certificate"]
        assert erasure.certificate_path(store, done).exists()


def test_kill_9_in_a_rebuilt_night_changes_nothing_of_what_comes_of_it(first: dict[str, Any], tmp_path: Path) -> None:
    shutil.copytree(tmp_path, tmp_path / "unbroken", ignore=shutil.ignore_patterns("unbroken"))
    with open_store(tmp_path / "unbroken" / "day.db") as store:
        _, body = rebuilt(store, user="bob")

    def erase(progress: Progress) -> None:
        with open_store(tmp_path / "day.db") as store:
            again = night_rebuild.Rebuild(store, progress=progress)
            again.finish(again.erase(user="bob").id)

    assert killed_in("train", erase)
    with open_store(tmp_path / "day.db") as store:
        [pending] = night_rebuild.pending(store)
        assert store.champion(first["model"]["fingerprint"]) is None, "what fell serves nobody meanwhile"
        gone_on = night_rebuild.Rebuild(store).finish(pending.id)["certificate"]
        assert [each["now"]["adapter"] for each in gone_on["nights"]] == [
            each["now"]["adapter"] for each in body["nights"]
        ]
        assert len(store.nights()) == 2
