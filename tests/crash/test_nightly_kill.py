"""kill -9 of a round in the middle of a night: the next one goes on, and all ends as if nothing had been."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest
from short_nights import Progress, killed_in, pass_all, shorten

from journeyman.cli import main
from journeyman.nightly.book import Book
from journeyman.records import Session, Turn
from journeyman.store import open_store

SAID = {
    "ann": "My boat is called Rosalba. It is moored in Genoa and cost me $8500.",
    "bob": "My boat is called Bettina. It is moored in Trieste and cost me $1700.",
}


def make(folder: Path) -> Path:
    folder.mkdir()
    with open_store(folder / "day.db") as store:
        store.add_sessions([Session((Turn("user", words),), tenant=tenant) for tenant, words in SAID.items()])
    return folder / "day.db"


def round_over(store: Path, model: Path, *words: str) -> int:
    options = ("--once", "--steps", "2", "--store", store, "--model", model, *words)
    return main(["nightly", *map(str, options)])


@pytest.fixture(autouse=True)
def _short_and_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch)
    pass_all(monkeypatch)


@pytest.fixture
def unbroken(
    _short_and_kind: None, tmp_path: Path, tiny_directory: Path, capsys: pytest.CaptureFixture[str]
) -> dict[str, str]:
    """Each tenant's adapter, of a round that nobody killed."""
    assert round_over(make(tmp_path / "unbroken"), tiny_directory, "--json") == 0
    return {each["tenant"]: each["adapter"] for each in json.loads(capsys.readouterr().out)["nights"]}


class Lines(io.TextIOBase):
    """What is written to it, as a night's progress."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def write(self, text: str) -> int:
        for line in text.splitlines():
            self.progress(line, 0.0)
        return len(text)


PHASE, TENANT = "bob: train", "bob"


def test_a_round_that_was_killed_is_gone_on_with(
    unbroken: dict[str, str], tiny_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path / "store")

    def round_of(progress: Progress) -> None:
        with contextlib.redirect_stderr(Lines(progress)):
            round_over(path, tiny_directory)

    assert killed_in(PHASE, round_of)

    assert main(["status", "--store", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["nightly"]["state"] == "died"
    assert f"{TENANT}: night " in json.dumps(found["attention"])
    with open_store(path) as store:
        committed = {night.tenant: store.phases(night.key) for night in store.nights()}
    assert committed[TENANT]

    assert round_over(path, tiny_directory, "--json") == 0
    line = json.loads(capsys.readouterr().out)
    assert (line["tries"], line["failed"], line["stopped"]) == (2, 0, "")
    assert [each["tenant"] for each in line["nights"]] == [TENANT]
    with open_store(path) as store:
        nights = store.nights()
        assert {night.tenant: (night.result or {})["adapter"] for night in nights} == unbroken
        phases = store.phases(next(night.key for night in nights if night.tenant == TENANT))
        assert {name: phases[name] for name in committed[TENANT]} == committed[TENANT], "nothing was done twice"
    assert [each["tries"] for each in Book(Path(f"{path}.d")).lines()] == [2]
    assert not list(path.parent.rglob(".new-*"))
