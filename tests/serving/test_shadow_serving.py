"""Users over HTTP: those that the new adapter answers complain, and it goes; a session stays on its side."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
import torch

from journeyman.cli import main
from journeyman.model import load_engine, lora
from journeyman.model.lora import LoRAConfig
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.records import AdapterRecord
from journeyman.registry import canary
from journeyman.registry.adapters import AdapterDirectory
from journeyman.store import Store, open_store

sys.path.insert(0, str(Path(__file__).parent.parent / "capture"))
from asking import ask, user
from served import Served, serving


def made(engine: TransformersEngine, store: Store, seed: int, verdict: str = "PROMOTE") -> str:
    """A random adapter, registered and, if it was proved, in service."""
    state = engine.new_adapter(LoRAConfig(rank=4, alpha=8), seed)
    generator = torch.Generator().manual_seed(seed)
    for _, B_OR in state.matrices.values():
        B_OR.copy_(0.5 * torch.randn(B_OR.shape, generator=generator))
    engine.put_adapter("made", state)
    lineage = {"sessions": [], "parent": "", canary.FIELD: canary.sing(engine, "made")}
    hash = AdapterDirectory.beside(store).add(lambda folder: lora.save(state, "tiny", folder), lineage)
    store.add_adapter(AdapterRecord(hash, engine.fingerprint, "night", verdict))
    if verdict == "PROMOTE":
        store.set_champion(engine.fingerprint, hash)
    return hash


def answered(served: Served, session: str) -> tuple[str, str]:
    """The receipt, and who answered."""
    body = {"model": "m", "messages": user("Who am I?"), "max_tokens": 2}
    status, found = ask(served, "/v1/chat/completions", body, **{"x-journeyman-session": session})
    assert status == 200
    return found["journeyman"]["receipt"], found["system_fingerprint"].partition("@")[2]


@pytest.mark.parametrize("harmful", [True, False])
def test_the_worse_of_two_goes_and_of_two_alike_none(
    tiny_directory: Path, tmp_path: Path, harmful: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, path = load_engine(tiny_directory), tmp_path / "day.db"
    with open_store(path) as store:
        one, two = (made(engine, store, seed) for seed in (1, 2))
    with serving(path, None, "--model", str(tiny_directory), "--shadow", "0.5") as served:
        sides: dict[str, str] = {}
        complaints = 0
        for number in range(24):
            session = f"user-{number}"
            receipt, sides[session] = answered(served, session)
            assert sides[session] in (one, two)
            if sides[session] == two if harmful else number % 3 == 0:
                status, _ = ask(served, "/v1/feedback", {"receipt": receipt, "rating": 0})
                assert status == 200
                complaints += 1
            with open_store(path) as store:
                newest = store.service(engine.fingerprint)[-1]
            if newest.why == "harm":
                break
        assert set(sides.values()) == {one, two}
        assert (newest.why == "harm") == harmful
        if not harmful:
            for session, side in list(sides.items())[:6]:
                assert answered(served, session)[1] == side, "a session stays on its side"
            assert complaints == 8
            return
        assert newest.hash == one
        assert newest.evidence["bad"] == complaints == 7, "as soon as it was shown, with the answer to that remark"
        time.sleep(1.1)  # a server notices within a second
        assert {answered(served, f"later-{number}")[1] for number in range(8)} == {one}
        code, log = served.end()
        assert code == 0
        assert f"adapter {two} was rolled back; {one} serves: marked bad: 7 of " in log
    assert main(["adapters", "history", "--json", "--store", str(path)]) == 0
    history = json.loads(capsys.readouterr().out)["service"]
    assert [each["why"] for each in history] == ["promote", "promote", "harm"]
    assert history[-1]["evidence"]["held_out_bad"] == 0


def test_who_is_on_trial_answers_a_share_and_goes_when_it_does_harm(tiny_directory: Path, tmp_path: Path) -> None:
    """Begun while the server runs, which was asked for nothing."""
    engine, path = load_engine(tiny_directory), tmp_path / "day.db"
    with open_store(path) as store:
        champion, candidate = made(engine, store, 1), made(engine, store, 2, "INSUFFICIENT")
    with serving(path, None, "--model", str(tiny_directory)) as served:
        assert {answered(served, f"early-{number}")[1] for number in range(8)} == {champion}
        assert main(["adapters", "try", candidate, "--share", "0.25", "--store", str(path)]) == 0
        time.sleep(1.1)
        sides: dict[str, str] = {}
        complaints = 0
        while complaints < 3 and len(sides) < 60:
            session = f"user-{len(sides)}"
            receipt, sides[session] = answered(served, session)
            if sides[session] == candidate:
                ask(served, "/v1/feedback", {"receipt": receipt, "rating": 0})
                complaints += 1
        assert set(sides.values()) == {champion, candidate}
        with open_store(path) as store:
            newest = store.service(engine.fingerprint)[-1]
        assert (newest.why, newest.hash, newest.evidence["bad"]) == ("harm", champion, 3)
        time.sleep(1.1)
        assert {answered(served, session)[1] for session in sides} == {champion}
        assert f"the trial of adapter {candidate} was ended; {champion} serves" in served.end()[1]


def test_without_being_asked_to_nobody_is_held_out(tiny_directory: Path, tmp_path: Path) -> None:
    engine, path = load_engine(tiny_directory), tmp_path / "day.db"
    with open_store(path) as store:
        _, two = (made(engine, store, seed) for seed in (1, 2))
    with serving(path, None, "--model", str(tiny_directory)) as served:
        assert {answered(served, f"user-{number}")[1] for number in range(8)} == {two}
    with open_store(path) as store:
        assert all("arm" not in each.details for each in store.exchanges())


@pytest.mark.parametrize(
    "words",
    [["--shadow", "0.6"], ["--shadow", "1e-17"], ["--shadow", "x"], ["--shadow", "0.1", "--upstream", "http://h"]],
)
def test_a_share_that_cannot_be_is_refused(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *words, "--store", str(tmp_path / "day.db")]) == 2
    assert "try: " in capsys.readouterr().err
