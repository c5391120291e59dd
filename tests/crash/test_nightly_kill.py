"""kill -9 of a round in the middle of a night: the next one goes on, and all ends as if nothing had been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from journeyman.cli import main
from journeyman.nightly.book import Book
from journeyman.records import Session, Turn
from journeyman.store import open_store

ROUND = """
import sys
from journeyman.evaluate import evidence, general
from journeyman.evaluate.gate import Verdict
items = general.general_suite()[::48]
general.general_suite = lambda: items
evidence.judged = lambda _found, _attempts: Verdict("PROMOTE", ["for this test"])
import torch
torch.set_num_threads(1)
from journeyman.cli import main
sys.exit(main(["nightly", "--once", "--steps", "2", *sys.argv[1:]]))
"""
SAID = {
    "ann": "My boat is called Rosalba. It is moored in Genoa and cost me $8500.",
    "bob": "My boat is called Bettina. It is moored in Trieste and cost me $1700.",
}


def make(folder: Path) -> Path:
    folder.mkdir()
    with open_store(folder / "day.db") as store:
        store.add_sessions([Session((Turn("user", words),), tenant=tenant) for tenant, words in SAID.items()])
    return folder / "day.db"


def begin(store: Path, model: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ROUND, "--store", str(store), "--model", str(model), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(store: Path, model: Path) -> dict[str, Any]:
    process = begin(store, model, "--json")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, tiny_directory: Path) -> dict[str, str]:
    """Each tenant's adapter, of a round that nobody killed."""
    line = finish(make(tmp_path_factory.mktemp("unbroken") / "store"), tiny_directory)
    return {each["tenant"]: each["adapter"] for each in line["nights"]}


PHASE, TENANT = "bob: train", "bob"


def test_a_round_that_was_killed_is_gone_on_with(
    unbroken: dict[str, str], tiny_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path / "store")
    process = begin(path, tiny_directory)
    assert process.stderr
    for line in process.stderr:
        if PHASE in line:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.communicate()
    assert process.returncode == -signal.SIGKILL

    assert main(["status", "--store", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["nightly"]["state"] == "died"
    assert f"{TENANT}: night " in json.dumps(found["attention"])
    with open_store(path) as store:
        committed = {night.tenant: store.phases(night.key) for night in store.nights()}
    assert committed[TENANT]

    line = finish(path, tiny_directory)
    assert (line["tries"], line["failed"], line["stopped"]) == (2, 0, "")
    assert [each["tenant"] for each in line["nights"]] == [TENANT]
    with open_store(path) as store:
        nights = store.nights()
        assert {night.tenant: (night.result or {})["adapter"] for night in nights} == unbroken
        phases = store.phases(next(night.key for night in nights if night.tenant == TENANT))
        assert {name: phases[name] for name in committed[TENANT]} == committed[TENANT], "nothing was done twice"
    assert [each["tries"] for each in Book(Path(f"{path}.d")).lines()] == [2]
    assert not list(path.parent.rglob(".new-*"))
